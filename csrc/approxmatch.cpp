#include <torch/csrc/stable/library.h>

// The soft matching that many papers report as Earth Mover's distance. Clouds have equal size, contiguous, float32.
// `last_level`: whether the remaining mass is spread over all points at the end; `squared`: whether distances in the
// cost are squared. Mean over points, float64. Mass moves from the first cloud: the result is not symmetric.
STABLE_TORCH_LIBRARY_FRAGMENT(pcgen, m) {
  // x (B, N, 3), y (B, N, 3) -> (B,)
  m.def("approxmatch(Tensor x, Tensor y, bool last_level, bool squared) -> Tensor");
  // a (S, N, 3), b (R, N, 3) -> (S, R)
  m.def("approxmatch_matrix(Tensor a, Tensor b, bool last_level, bool squared) -> Tensor");
}
