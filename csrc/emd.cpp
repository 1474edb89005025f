#include <torch/csrc/stable/library.h>

// x and y (B, N, 3), contiguous, both float32 or both float64; gap >= 0: the largest accepted (cost - lower bound) /
// cost, 0 for an optimal matching.
STABLE_TORCH_LIBRARY_FRAGMENT(pcgen, m) {
  // (B,) in the clouds' type, the mean Euclidean distance under the matching, and the matching itself (B, N) int64.
  m.def("emd(Tensor x, Tensor y, float gap) -> (Tensor, Tensor)");
  // Gradients to x and y of sum(gradient * emd(x, y)); gradient (B,).
  m.def("emd_backward(Tensor gradient, Tensor x, Tensor y, Tensor index) -> (Tensor, Tensor)");
  // Index (B, N) int64, cost and lower bound (B,), duals of x's and of y's points (B, N); float64. `start` is the
  // initial duals of y's points, (B, N) float64.
  m.def("match(Tensor x, Tensor y, float gap, Tensor? start) -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
  // a (S, N, 3), b (R, N, 3): the costs of all pairs (S, R) float64.
  m.def("emd_matrix(Tensor a, Tensor b, float gap) -> Tensor");
  // (B,) float64, a lower bound on the cost of all matchings, from any duals of x's points (B, N) float64.
  m.def("emd_lower_bound(Tensor x, Tensor y, Tensor x_dual) -> Tensor");
}
