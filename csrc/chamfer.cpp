#include <torch/csrc/stable/library.h>

// x (B, N, 3), y (B, M, 3), contiguous, both float32 or both float64.
STABLE_TORCH_LIBRARY_FRAGMENT(pcgen, m) {
  // (B,) in the clouds' type: mean over x of the least squared distance to y, plus the same from y to x.
  m.def("chamfer(Tensor x, Tensor y) -> Tensor");
  // The same, with the nearest point of y for each of x (B, N) int64, and of x for each of y (B, M); ties by index.
  m.def("chamfer_with_index(Tensor x, Tensor y) -> (Tensor, Tensor, Tensor)");
  // Gradients to x and y of sum(gradient * chamfer(x, y)); gradient (B,).
  m.def(
      "chamfer_backward(Tensor gradient, Tensor x, Tensor y, Tensor x_to_y, Tensor y_to_x) -> (Tensor, Tensor)");
  // a (S, N, 3), b (R, M, 3): two (S, R) float64 matrices, the mean over a of the distance to the nearest point of b,
  // and the mean over b of the distance to the nearest point of a; distances are squared or not.
  m.def("nearest_matrix(Tensor a, Tensor b, bool squared) -> (Tensor, Tensor)");
}
