#include <torch/csrc/stable/library.h>

// The soft matching that much of the literature prints as Earth Mover's distance. Clouds of equal size, contiguous, float32.
// `last_level`: whether what remains is spread over all points in the end; `squared`: whether the cost is of squared
// distances. Mean over points, float64. The first cloud is the side that gives: the result is not symmetric.
STABLE_TORCH_LIBRARY_FRAGMENT(pcgen, m) {
  // x (B, N, 3), y (B, N, 3) -> (B,)
  m.def("approxmatch(Tensor x, Tensor y, bool last_level, bool squared) -> Tensor");
  // a (S, N, 3), b (R, N, 3) -> (S, R)
  m.def("approxmatch_matrix(Tensor a, Tensor b, bool last_level, bool squared) -> Tensor");
}
