#include <torch/csrc/stable/library.h>

// Clouds (B, N, 3), contiguous, of one type, float32 or float64; indices int64.
STABLE_TORCH_LIBRARY_FRAGMENT(pcgen, m) {
  // For each point of x (B, N, 3) its k nearest of y (B, M, 3): squared distances and indices, both (B, N, k), nearest
  // first, ties by index.
  m.def("knn(Tensor x, Tensor y, int k) -> (Tensor, Tensor)");
  // For each point of x the first k of y, by index, no farther than radius: (B, N, k), -1 where there are fewer.
  m.def("ball_query(Tensor x, Tensor y, float radius, int k) -> Tensor");
  // From x (B, N, 3), beginning with start (B,), the k points each of which is farthest from all before it: (B, k).
  m.def("farthest_points(Tensor x, int k, Tensor start) -> Tensor");
}
