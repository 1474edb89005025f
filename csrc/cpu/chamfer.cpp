#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "check.h"
#include "dispatch.h"
#include "cpu/nearest.h"
#include "cpu/nearest_pairs.h"
#include "cpu/parallel.h"
#include "cpu/unpack.h"

namespace pcgen {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// Sum in double, in an order that depends only on n.
template <class T, class F>
double sum(const T* values, int64_t n, const F& term) {
  constexpr int64_t lanes = 8;
  double partial[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t k = 0; k < lanes; ++k) partial[k] += term(static_cast<double>(values[i + k]));
  for (; i < n; ++i) partial[i % lanes] += term(static_cast<double>(values[i]));
  double total = 0;
  for (double p : partial) total += p;
  return total;
}

template <class T>
double mean(const T* squares, int64_t n) {
  return sum(squares, n, [](double v) { return v; }) / static_cast<double>(n);
}

template <class T>
double mean_root(const T* squares, int64_t n) {
  return sum(squares, n, [](double v) { return std::sqrt(v); }) / static_cast<double>(n);
}

void check_pair(const Tensor& x, const Tensor& y) {
  check_clouds("x", x);
  check_clouds("y", y);
  check(x.size(0) == y.size(0), "y: must have as many clouds as x, ", x.size(0), "; got ", y.size(0));
  check(std::max(x.size(1), y.size(1)) < (int64_t{1} << 31), "x and y: must have fewer than 2^31 points in a cloud");
}

template <class T>
Tensor compute(const Tensor& x, const Tensor& y, int64_t* x_to_y, int64_t* y_to_x) {
  const Pairs<T> pairs{x.const_data_ptr<T>(), y.const_data_ptr<T>(), x.size(0), x.size(1), y.size(1)};
  const Least<T> least = nearest_pairs(pairs, x_to_y, y_to_x);
  Tensor out = torch::stable::new_empty(x, {pairs.batch});
  T* const value = out.mutable_data_ptr<T>();
  const auto average = [&](int64_t b) {
    const T *const x_least = least.x.get() + b * least.x_stride, *const y_least = least.y.get() + b * least.y_stride;
    value[b] = static_cast<T>(mean(x_least, pairs.n) + mean(y_least, pairs.m));
  };
  parallel_for_each(pairs.batch, average, light_grain(pairs.n + pairs.m));
  return out;
}

Tensor chamfer(const Tensor& x, const Tensor& y) {
  check_pair(x, y);
  return dispatch(x, y, [&](auto zero) { return compute<decltype(zero)>(x, y, nullptr, nullptr); });
}

std::tuple<Tensor, Tensor, Tensor> chamfer_with_index(const Tensor& x, const Tensor& y) {
  check_pair(x, y);
  Tensor x_to_y = torch::stable::new_empty(x, {x.size(0), x.size(1)}, ScalarType::Long);
  Tensor y_to_x = torch::stable::new_empty(y, {y.size(0), y.size(1)}, ScalarType::Long);
  const Tensor value = dispatch(x, y, [&](auto zero) {
    return compute<decltype(zero)>(x, y, x_to_y.mutable_data_ptr<int64_t>(), y_to_x.mutable_data_ptr<int64_t>());
  });
  return {value, x_to_y, y_to_x};
}

// The gradient of scale * sum over i of |x_i - y_nearest(i)|^2, for both points of each pair. It is summed in index
// order, so that repeated runs agree to the last bit.
template <class T>
void pull(T scale, const T* x, const T* y, const int64_t* nearest, int64_t n, int64_t m, T* grad_x, T* grad_y) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t j = nearest[i];
    check(j >= 0 && j < m, "the index of a nearest point must be in [0, ", m, "), got ", j);
    for (int64_t k = 0; k < 3; ++k) {
      const T step = scale * (x[3 * i + k] - y[3 * j + k]);
      grad_x[3 * i + k] += step;
      grad_y[3 * j + k] -= step;
    }
  }
}

std::tuple<Tensor, Tensor> chamfer_backward(
    const Tensor& gradient, const Tensor& x, const Tensor& y, const Tensor& x_to_y, const Tensor& y_to_x) {
  check_pair(x, y);
  const int64_t batch = x.size(0), n = x.size(1), m = y.size(1);
  check(gradient.dim() == 1 && gradient.size(0) == batch && gradient.is_contiguous() &&
            gradient.scalar_type() == x.scalar_type(),
        "gradient: must have the shape (batch,) and the type of the clouds, and be contiguous");
  check(x_to_y.scalar_type() == ScalarType::Long && x_to_y.is_contiguous() && x_to_y.numel() == batch * n &&
            y_to_x.scalar_type() == ScalarType::Long && y_to_x.is_contiguous() && y_to_x.numel() == batch * m,
        "x_to_y and y_to_x: must be contiguous int64 with an index for each point");
  Tensor grad_x = torch::stable::new_zeros(x, {batch, n, 3}), grad_y = torch::stable::new_zeros(y, {batch, m, 3});
  dispatch(x, y, [&](auto zero) {
    using T = decltype(zero);
    const T *g = gradient.const_data_ptr<T>(), *px = x.const_data_ptr<T>(), *py = y.const_data_ptr<T>();
    const int64_t *ix = x_to_y.const_data_ptr<int64_t>(), *iy = y_to_x.const_data_ptr<int64_t>();
    T *gx = grad_x.mutable_data_ptr<T>(), *gy = grad_y.mutable_data_ptr<T>();
    const auto pull_pair = [&](int64_t b) {
      const int64_t bx = b * n, by = b * m;
      pull(2 * g[b] / static_cast<T>(n), px + 3 * bx, py + 3 * by, ix + bx, n, m, gx + 3 * bx, gy + 3 * by);
      pull(2 * g[b] / static_cast<T>(m), py + 3 * by, px + 3 * bx, iy + by, m, n, gy + 3 * by, gx + 3 * bx);
    };
    parallel_for_each(batch, pull_pair, light_grain(n + m));
  });
  return {grad_x, grad_y};
}

template <class T>
std::vector<UnpackedCloud<T>> unpack(const T* points, int64_t count, int64_t size, const char* name) {
  std::vector<UnpackedCloud<T>> out(count);
  parallel_for_each(count, [&](int64_t b) { out[b] = UnpackedCloud<T>(points + b * size * 3, size, name, b); });
  return out;
}

std::tuple<Tensor, Tensor> nearest_matrix(const Tensor& a, const Tensor& b, bool squared) {
  check_clouds("a", a);
  check_clouds("b", b);
  const int64_t rows = a.size(0), columns = b.size(0), n = a.size(1), m = b.size(1);
  Tensor forth = torch::stable::new_empty(a, {rows, columns}, ScalarType::Double);
  Tensor back = torch::stable::new_empty(a, {rows, columns}, ScalarType::Double);
  double *const to_b = forth.mutable_data_ptr<double>(), *const to_a = back.mutable_data_ptr<double>();
  dispatch(a, b, [&](auto zero) {
    using T = decltype(zero);
    const auto as = unpack(a.const_data_ptr<T>(), rows, n, "a"), bs = unpack(b.const_data_ptr<T>(), columns, m, "b");
    parallel_for(rows * columns, 1, [&](int64_t begin, int64_t end) {
      std::vector<T> a_least(n + Coordinates<T>::padding), b_least(m);
      for (int64_t pair = begin; pair < end; ++pair) {
        const auto from = as[pair / columns].coordinates(), to = bs[pair % columns].coordinates();
        nearest_kernels<T>().both(from, to, a_least.data(), b_least.data());
        to_b[pair] = squared ? mean(a_least.data(), n) : mean_root(a_least.data(), n);
        to_a[pair] = squared ? mean(b_least.data(), m) : mean_root(b_least.data(), m);
      }
    });
  });
  return {forth, back};
}

}  // namespace
}  // namespace pcgen

STABLE_TORCH_LIBRARY_IMPL(pcgen, CPU, m) {
  m.impl("chamfer", TORCH_BOX(&pcgen::chamfer));
  m.impl("chamfer_with_index", TORCH_BOX(&pcgen::chamfer_with_index));
  m.impl("chamfer_backward", TORCH_BOX(&pcgen::chamfer_backward));
  m.impl("nearest_matrix", TORCH_BOX(&pcgen::nearest_matrix));
}
