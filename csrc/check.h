// Errors of the kernels as Python's ValueError, with the same messages as pcgen's Python checks.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include <torch/csrc/stable/tensor.h>

namespace pcgen {

// Torch converts std::invalid_argument to Python's ValueError. STD_TORCH_CHECK would give a RuntimeError with a source
// line in its message.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (condition) return;
  std::ostringstream text;
  (text << ... << parts);
  throw std::invalid_argument(text.str());
}

// Check a batch of clouds for the kernels: (B, N, 3), contiguous, N > 0.
inline void check_clouds(const char* name, const torch::stable::Tensor& t) {
  check(t.dim() == 3 && t.size(2) == 3, name, ": must have the shape (batch, points, 3)");
  check(t.size(1) > 0, name, ": must have at least one point in each cloud");
  check(t.is_contiguous(), name, ": must be contiguous; call .contiguous()");
}

}  // namespace pcgen
