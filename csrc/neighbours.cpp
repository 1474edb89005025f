#include <torch/csrc/stable/library.h>

// Clouds (B, N, 3), contiguous, of one type, float32 or float64; indices int64.
STABLE_TORCH_LIBRARY_FRAGMENT(pcgen, m) {
  // For each point of x (B, N, 3), its k nearest points of y (B, M, 3): squared distances and indices, both (B, N, k),
  // nearest first, ties by index.
  m.def("knn(Tensor x, Tensor y, int k) -> (Tensor, Tensor)");
  // For each point of x, the first k points of y, by index, within the radius: (B, N, k), padded with -1.
  m.def("ball_query(Tensor x, Tensor y, float radius, int k) -> Tensor");
  // k points of x (B, N, 3), beginning with start (B,), each the farthest from those before it: (B, k).
  m.def("farthest_points(Tensor x, int k, Tensor start) -> Tensor");
}
