// Checks of the arguments of the matching ops, for all devices.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include "check.h"

namespace pcgen::emd {

inline void check_sets(const char* first, const torch::stable::Tensor& x, const char* second,
                       const torch::stable::Tensor& y, double gap, int64_t most_points) {
  using torch::headeronly::ScalarType;
  check_clouds(first, x);
  check_clouds(second, y);
  const ScalarType type = x.scalar_type();
  check(type == y.scalar_type() && (type == ScalarType::Float || type == ScalarType::Double),
        "the clouds must both be float32 or both be float64");
  check(x.size(1) == y.size(1), second, ": must have as many points as ", first, ", ", x.size(1), ", got ", y.size(1),
        "; subsample the larger");
  check(x.size(1) <= most_points, first, ": must have at most ", most_points, " points in a cloud, got ", x.size(1));
  check(x.get_device_index() == y.get_device_index(), second, ": must be on the device of ", first);
  check(gap >= 0 && gap < 1, "gap: must be in [0, 1), 0 for the optimum, got ", gap);
}

inline void check_pairs(const torch::stable::Tensor& x, const torch::stable::Tensor& y, double gap,
                        int64_t most_points) {
  check_sets("x", x, "y", y, gap, most_points);
  check(x.size(0) == y.size(0), "y: must have as many clouds as x, ", x.size(0), ", got ", y.size(0),
        "; pair them one to one");
}

// One for each point of x.
inline void check_duals(const char* name, const torch::stable::Tensor& duals, const torch::stable::Tensor& x) {
  check(duals.dim() == 2 && duals.size(0) == x.size(0) && duals.size(1) == x.size(1) && duals.is_contiguous() &&
            duals.scalar_type() == torch::headeronly::ScalarType::Double &&
            duals.get_device_index() == x.get_device_index(),
        name, ": must be contiguous float64 (batch, points) on the clouds' device");
}

inline void check_gradient(const torch::stable::Tensor& gradient, const torch::stable::Tensor& x,
                           const torch::stable::Tensor& index) {
  check(gradient.dim() == 1 && gradient.size(0) == x.size(0) && gradient.is_contiguous() &&
            gradient.scalar_type() == x.scalar_type(),
        "gradient: must have the shape (batch,) and the type of the clouds, and be contiguous");
  check(index.scalar_type() == torch::headeronly::ScalarType::Long && index.is_contiguous() &&
            index.numel() == x.size(0) * x.size(1),
        "index: must be contiguous int64 with an index for each point");
}

}  // namespace pcgen::emd
