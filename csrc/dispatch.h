// Dispatch from the type of tensors to a C++ type.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include "check.h"

namespace pcgen {

// Call f with a zero of the clouds' type, which must be float or double and the same for both.
template <class F>
auto dispatch(const torch::stable::Tensor& x, const torch::stable::Tensor& y, const F& f) {
  using torch::headeronly::ScalarType;
  const ScalarType type = x.scalar_type();
  check(type == y.scalar_type() && (type == ScalarType::Float || type == ScalarType::Double),
        "the clouds must both be float32 or both be float64");
  return type == ScalarType::Float ? f(float{}) : f(double{});
}

}  // namespace pcgen
