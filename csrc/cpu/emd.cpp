#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>
#include <vector>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "cpu/emd_cloud.h"
#include "cpu/emd_solve.h"
#include "cpu/parallel.h"
#include "emd_checks.h"

namespace pcgen::emd {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr int64_t kMostPoints = int64_t{1} << 24;  // since the index of a block is stored in a float

void check_finite(const char* name, const double* duals, int64_t row, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    const double dual = duals[row * n + j];
    check(std::isfinite(dual), name, ": must be finite, got ", std::isnan(dual) ? NAN : dual, " for point ", j, " of cloud ", row);
  }
}

// Call f with a value of the tensor's type.
template <class F>
auto dispatch(const Tensor& x, const F& f) {
  return x.scalar_type() == ScalarType::Float ? f(float{}) : f(double{});
}

Cloud cloud(const Tensor& clouds, int64_t row, const char* name) {
  const int64_t n = clouds.size(1);
  return dispatch(clouds, [&](auto zero) {
    return Cloud(clouds.const_data_ptr<decltype(zero)>() + row * n * 3, n, name, row);
  });
}

constexpr int64_t kWorthThreads = 512;  // the preparation of so many points takes much longer than waking a thread

// Calls f(pair, cloud of x, cloud of y) for each pair. If there are more threads than pairs, the two clouds of a pair
// are prepared on two threads. The matching uses one thread, since it is a chain of bids of a tenth of a microsecond
// each. To distribute independent bids and searches would give 1.1 to 1.2 times the speed on two cores, and would cost
// a tenth when a thread is late.
template <class F>
void for_each_pair(const Tensor& x, const Tensor& y, const F& f) {
  const int64_t batch = x.size(0);
  if (batch >= torch::stable::get_num_threads() || x.size(1) < kWorthThreads) {
    parallel_for_each(batch, [&](int64_t b) { f(b, cloud(x, b, "x"), cloud(y, b, "y")); });
    return;
  }
  std::vector<Cloud> both(2 * batch);
  parallel_for_each(2 * batch, [&](int64_t k) { both[k] = k % 2 == 0 ? cloud(x, k / 2, "x") : cloud(y, k / 2, "y"); });
  parallel_for_each(batch, [&](int64_t b) { f(b, both[2 * b], both[2 * b + 1]); });
}

std::tuple<Tensor, Tensor> emd(const Tensor& x, const Tensor& y, double gap) {
  check_pairs(x, y, gap, kMostPoints);
  const int64_t batch = x.size(0), n = x.size(1);
  Tensor value = torch::stable::new_empty(x, {batch});
  Tensor index = torch::stable::new_empty(x, {batch, n}, ScalarType::Long);
  dispatch(x, [&](auto zero) {
    using T = decltype(zero);
    T* const values = value.mutable_data_ptr<T>();
    int64_t* const indices = index.mutable_data_ptr<int64_t>();
    for_each_pair(x, y, [&](int64_t b, const Cloud& from, const Cloud& to) {
      const Places out{.index = indices + b * n};
      values[b] = static_cast<T>(solve(from, to, gap, nullptr, out).cost);
    });
  });
  return {value, index};
}

// The gradient of |x_i - y_j| is the unit vector between the points, with opposite signs; 0 if they coincide.
std::tuple<Tensor, Tensor> emd_backward(const Tensor& gradient, const Tensor& x, const Tensor& y, const Tensor& index) {
  check_pairs(x, y, 0, kMostPoints);
  const int64_t batch = x.size(0), n = x.size(1);
  check_gradient(gradient, x, index);
  Tensor grad_x = torch::stable::new_zeros(x, {batch, n, 3}), grad_y = torch::stable::new_zeros(y, {batch, n, 3});
  dispatch(x, [&](auto zero) {
    using T = decltype(zero);
    const T *g = gradient.const_data_ptr<T>(), *px = x.const_data_ptr<T>(), *py = y.const_data_ptr<T>();
    T *const gx = grad_x.mutable_data_ptr<T>(), *const gy = grad_y.mutable_data_ptr<T>();
    const int64_t* const to = index.const_data_ptr<int64_t>();
    parallel_for_each(batch, [&](int64_t b) {
      const double force = static_cast<double>(g[b]) / static_cast<double>(n);
      for (int64_t i = b * n; i < (b + 1) * n; ++i) {
        check(to[i] >= 0 && to[i] < n, "index: must be in [0, ", n, "), got ", to[i]);
        const int64_t j = b * n + to[i];
        double d[3];
        for (int a = 0; a < 3; ++a) d[a] = static_cast<double>(px[3 * i + a]) - static_cast<double>(py[3 * j + a]);
        const double length = std::hypot(d[0], d[1], d[2]);
        if (length == 0) continue;
        for (int a = 0; a < 3; ++a) {
          const double step = force * (d[a] / length);
          gx[3 * i + a] += static_cast<T>(step);
          gy[3 * j + a] -= static_cast<T>(step);
        }
      }
    });
  });
  return {grad_x, grad_y};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> match(
    const Tensor& x, const Tensor& y, double gap, std::optional<Tensor> start) {
  check_pairs(x, y, gap, kMostPoints);
  const int64_t batch = x.size(0), n = x.size(1);
  if (start.has_value()) check_duals("start", *start, x);
  const double* const begin = start.has_value() ? start->const_data_ptr<double>() : nullptr;
  Tensor index = torch::stable::new_empty(x, {batch, n}, ScalarType::Long);
  Tensor cost = torch::stable::new_empty(x, {batch}, ScalarType::Double);
  Tensor bound = torch::stable::new_empty(x, {batch}, ScalarType::Double);
  Tensor x_dual = torch::stable::new_empty(x, {batch, n}, ScalarType::Double);
  Tensor y_dual = torch::stable::new_empty(x, {batch, n}, ScalarType::Double);
  int64_t* const indices = index.mutable_data_ptr<int64_t>();
  double *const costs = cost.mutable_data_ptr<double>(), *const bounds = bound.mutable_data_ptr<double>();
  double *const us = x_dual.mutable_data_ptr<double>(), *const vs = y_dual.mutable_data_ptr<double>();
  for_each_pair(x, y, [&](int64_t b, const Cloud& from, const Cloud& to) {
    const double* const duals = begin == nullptr ? nullptr : begin + b * n;
    if (duals != nullptr) check_finite("start", begin, b, n);
    const Places out{indices + b * n, us + b * n, vs + b * n};
    const Value value = solve(from, to, gap, duals, out);
    costs[b] = value.cost, bounds[b] = value.lower_bound;
  });
  return {index, cost, bound, x_dual, y_dual};
}

Tensor emd_lower_bound(const Tensor& x, const Tensor& y, const Tensor& x_dual) {
  check_pairs(x, y, 0, kMostPoints);
  const int64_t batch = x.size(0), n = x.size(1);
  check_duals("x_dual", x_dual, x);
  Tensor bound = torch::stable::new_empty(x, {batch}, ScalarType::Double);
  double* const bounds = bound.mutable_data_ptr<double>();
  const double* const duals = x_dual.const_data_ptr<double>();
  parallel_for_each(batch, [&](int64_t b) {
    check_finite("x_dual", duals, b, n);
    bounds[b] = lower_bound(cloud(x, b, "x"), cloud(y, b, "y"), duals + b * n);
  });
  return bound;
}

std::vector<Cloud> clouds(const Tensor& set, const char* name) {
  std::vector<Cloud> out(set.size(0));
  parallel_for_each(set.size(0), [&](int64_t row) { out[row] = cloud(set, row, name); });
  return out;
}

Tensor emd_matrix(const Tensor& a, const Tensor& b, double gap) {
  check_sets("a", a, "b", b, gap, kMostPoints);
  const int64_t rows = a.size(0), columns = b.size(0);
  Tensor out = torch::stable::new_empty(a, {rows, columns}, ScalarType::Double);
  double* const costs = out.mutable_data_ptr<double>();
  const auto as = clouds(a, "a"), bs = clouds(b, "b");
  parallel_for_each(rows * columns, [&](int64_t pair) {
    costs[pair] = solve(as[pair / columns], bs[pair % columns], gap, nullptr, Places{}).cost;
  });
  return out;
}

}  // namespace
}  // namespace pcgen::emd

STABLE_TORCH_LIBRARY_IMPL(pcgen, CPU, m) {
  m.impl("emd", TORCH_BOX(&pcgen::emd::emd));
  m.impl("emd_backward", TORCH_BOX(&pcgen::emd::emd_backward));
  m.impl("match", TORCH_BOX(&pcgen::emd::match));
  m.impl("emd_matrix", TORCH_BOX(&pcgen::emd::emd_matrix));
  m.impl("emd_lower_bound", TORCH_BOX(&pcgen::emd::emd_lower_bound));
}
