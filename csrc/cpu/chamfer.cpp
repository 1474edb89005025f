#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "check.h"
#include "cpu/instruction_set.h"
#include "cpu/nearest.h"
#include "cpu/parallel.h"
#include "cpu/unpack.h"

namespace pcgen {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr const NearestTable* units[] = PCGEN_UNITS(nearest);

template <class T>
const NearestKernels<T>& kernels() {
  if constexpr (std::is_same_v<T, float>) return choose(units).f32;
  else return choose(units).f64;
}

// Call f with a value of the tensors' type, which must be float or double, one for both.
template <class F>
auto dispatch(const Tensor& x, const Tensor& y, const F& f) {
  const ScalarType type = x.scalar_type();
  check(type == y.scalar_type() && (type == ScalarType::Float || type == ScalarType::Double),
        "the clouds must both be float32 or both be float64");
  return type == ScalarType::Float ? f(float{}) : f(double{});
}

// Sum in double, in an order that depends on n alone.
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

template <class T>
std::vector<UnpackedCloud<T>> unpack(const Tensor& clouds, const char* name) {
  const int64_t count = clouds.size(0), points = clouds.size(1);
  const T* const data = clouds.const_data_ptr<T>();
  std::vector<UnpackedCloud<T>> out(count);
  parallel_for_each(count, [&](int64_t b) { out[b] = UnpackedCloud<T>(data + b * points * 3, points, name, b); });
  return out;
}

void check_pair(const Tensor& x, const Tensor& y) {
  check_clouds("x", x);
  check_clouds("y", y);
  check(x.size(0) == y.size(0), "y: must have as many clouds as x, ", x.size(0), "; got ", y.size(0));
  check(std::max(x.size(1), y.size(1)) < (int64_t{1} << 31), "x and y: must have fewer than 2^31 points in a cloud");
}

// One pair's points are cut into pieces where the batch alone would leave threads idle. Minima do not depend on the
// cutting, nor does the sum over them.
struct Pieces {
  int64_t count, length;

  Pieces(int64_t batch, int64_t padded) {
    const int64_t threads = torch::stable::get_num_threads();
    const int64_t wanted = std::clamp<int64_t>((threads + batch - 1) / std::max<int64_t>(batch, 1), 1, padded / 256 + 1);
    constexpr int64_t unit = Coordinates<float>::padding;
    length = (padded / unit + wanted - 1) / wanted * unit;
    count = (padded + length - 1) / length;
  }
};

template <class T, bool with_index>
Tensor compute(const Tensor& x, const Tensor& y, int64_t* x_to_y, int64_t* y_to_x) {
  const int64_t batch = x.size(0), n = x.size(1), m = y.size(1);
  const auto xs = unpack<T>(x, "x"), ys = unpack<T>(y, "y");
  Tensor out = torch::stable::new_empty(x, {batch});
  T* const value = out.mutable_data_ptr<T>();
  if (batch == 0) return out;

  const int64_t padded = xs[0].coordinates().padded;
  const Pieces pieces(batch, padded);
  const std::unique_ptr<T[]> x_least(new T[batch * padded]), y_least(new T[batch * pieces.count * m]);
  const std::unique_ptr<int32_t[]> x_nearest(new int32_t[with_index ? batch * padded : 0]),
      y_nearest(new int32_t[with_index ? batch * pieces.count * m : 0]);

  parallel_for_each(batch * pieces.count, [&](int64_t task) {
    const int64_t b = task / pieces.count, first = task % pieces.count * pieces.length;
    const auto from = xs[b].coordinates().slice(first, std::min(first + pieces.length, n));
    const auto to = ys[b].coordinates();
    T *const x_out = x_least.get() + b * padded + first, *const y_out = y_least.get() + task * m;
    if constexpr (with_index) {
      kernels<T>().both_with_index(
          from, to, x_out, y_out, x_nearest.get() + b * padded + first, y_nearest.get() + task * m);
    } else {
      kernels<T>().both(from, to, x_out, y_out);
    }
  });

  parallel_for_each(batch, [&](int64_t b) {
    T* const least = y_least.get() + b * pieces.count * m;
    [[maybe_unused]] int32_t* const nearest = y_nearest.get() + b * pieces.count * m;
    for (int64_t p = 1; p < pieces.count; ++p) {
      for (int64_t j = 0; j < m; ++j) {
        if (!(least[p * m + j] < least[j])) continue;
        least[j] = least[p * m + j];
        if constexpr (with_index) nearest[j] = nearest[p * m + j] + static_cast<int32_t>(p * pieces.length);
      }
    }
    value[b] = static_cast<T>(mean(x_least.get() + b * padded, n) + mean(least, m));
    if constexpr (with_index) {
      std::copy_n(x_nearest.get() + b * padded, n, x_to_y + b * n);
      std::copy_n(nearest, m, y_to_x + b * m);
    }
  });
  return out;
}

Tensor chamfer(const Tensor& x, const Tensor& y) {
  check_pair(x, y);
  return dispatch(x, y, [&](auto zero) { return compute<decltype(zero), false>(x, y, nullptr, nullptr); });
}

std::tuple<Tensor, Tensor, Tensor> chamfer_with_index(const Tensor& x, const Tensor& y) {
  check_pair(x, y);
  Tensor x_to_y = torch::stable::new_empty(x, {x.size(0), x.size(1)}, ScalarType::Long);
  Tensor y_to_x = torch::stable::new_empty(y, {y.size(0), y.size(1)}, ScalarType::Long);
  const Tensor value = dispatch(x, y, [&](auto zero) {
    return compute<decltype(zero), true>(
        x, y, x_to_y.mutable_data_ptr<int64_t>(), y_to_x.mutable_data_ptr<int64_t>());
  });
  return {value, x_to_y, y_to_x};
}

// d/dx of scale * sum over i of |x_i - y_nearest(i)|^2 goes to both ends of each pair. In index order, so that repeated
// runs agree to the last bit.
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
    parallel_for_each(batch, [&](int64_t b) {
      const int64_t bx = b * n, by = b * m;
      pull(2 * g[b] / static_cast<T>(n), px + 3 * bx, py + 3 * by, ix + bx, n, m, gx + 3 * bx, gy + 3 * by);
      pull(2 * g[b] / static_cast<T>(m), py + 3 * by, px + 3 * bx, iy + by, m, n, gy + 3 * by, gx + 3 * bx);
    });
  });
  return {grad_x, grad_y};
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
    const auto as = unpack<T>(a, "a"), bs = unpack<T>(b, "b");
    parallel_for(rows * columns, 1, [&](int64_t begin, int64_t end) {
      std::vector<T> a_least(n + Coordinates<T>::padding), b_least(m);
      for (int64_t pair = begin; pair < end; ++pair) {
        const auto from = as[pair / columns].coordinates(), to = bs[pair % columns].coordinates();
        kernels<T>().both(from, to, a_least.data(), b_least.data());
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
