#include <bit>
#include <limits>
#include <tuple>
#include <vector>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "check.h"
#include "dispatch.h"
#include "cpu/finite.h"
#include "cpu/nearest.h"
#include "cpu/parallel.h"
#include "cpu/unpack.h"

namespace pcgen {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr int64_t block = 64;  // points per call of NearestKernels::within
constexpr int64_t queries_for_a_thread = 64;

void check_queries(const Tensor& x, const Tensor& y, int64_t k) {
  check_clouds("x", x);
  check_clouds("y", y);
  check(x.size(0) == y.size(0), "y: must have as many clouds as x, ", x.size(0), ", got ", y.size(0));
  check(k >= 1, "k: must be at least 1, got ", k);
}

// Call f(b, i, cloud, point) for each point of x on all threads; `cloud` is the b-th of y, `point` the coordinates.
template <class T, class F>
void for_each_query(const Tensor& x, const Tensor& y, const F& f) {
  const int64_t batch = x.size(0), n = x.size(1), m = y.size(1);
  const T *const points = x.const_data_ptr<T>(), *const others = y.const_data_ptr<T>();
  std::vector<UnpackedCloud<T>> clouds(batch);
  parallel_for_each(batch, [&](int64_t b) {
    check_finite(points + b * n * 3, n, "x", b);
    clouds[b] = UnpackedCloud<T>(others + b * m * 3, m, "y", b);
  });
  parallel_for(batch * n, queries_for_a_thread, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) f(q, clouds[q / n].coordinates(), points + 3 * q);
  });
}

// Call f(index, distance) for the points of the cloud within bound() of `point`, in the order of their indices, until
// it returns false.
template <class T, class Bound, class F>
void for_each_within(const Coordinates<T>& cloud, const T* point, const Bound& bound, const F& f) {
  alignas(64) T distances[block];
  for (int64_t first = 0; first < cloud.size; first += block) {
    const auto part = cloud.slice(first, std::min(first + block, cloud.size));
    uint64_t inside = nearest_kernels<T>().within(part, point[0], point[1], point[2], bound(), distances);
    if (part.size < block) inside &= (uint64_t{1} << part.size) - 1;  // without the padding
    for (; inside != 0; inside &= inside - 1) {
      const int i = std::countr_zero(inside);
      if (!f(first + i, distances[i])) return;
    }
  }
}

std::tuple<Tensor, Tensor> knn(const Tensor& x, const Tensor& y, int64_t k) {
  check_queries(x, y, k);
  check(k <= y.size(1), "k: must be at most the number of points in each cloud of y, ", y.size(1), ", got ", k);
  Tensor squares = torch::stable::new_empty(x, {x.size(0), x.size(1), k});
  Tensor indices = torch::stable::new_empty(x, {x.size(0), x.size(1), k}, ScalarType::Long);
  dispatch(x, y, [&](auto zero) {
    using T = decltype(zero);
    T* const all_squares = squares.mutable_data_ptr<T>();
    int64_t* const all_indices = indices.mutable_data_ptr<int64_t>();
    for_each_query<T>(x, y, [&](int64_t query, const Coordinates<T>& cloud, const T* point) {
      T* const square = all_squares + query * k;
      int64_t* const index = all_indices + query * k;
      int64_t found = 0;
      const auto bound = [&] { return found < k ? std::numeric_limits<T>::infinity() : square[k - 1]; };
      for_each_within(cloud, point, bound, [&](int64_t i, T d) {
        if (found == k && !(d < square[k - 1])) return true;
        int64_t place = found < k ? found++ : k - 1;
        for (; place > 0 && d < square[place - 1]; --place) {
          square[place] = square[place - 1];
          index[place] = index[place - 1];
        }
        square[place] = d, index[place] = i;
        return true;
      });
    });
  });
  return {squares, indices};
}

Tensor ball_query(const Tensor& x, const Tensor& y, double radius, int64_t k) {
  check_queries(x, y, k);
  check(radius >= 0 && std::isfinite(radius), "radius: must be finite and not negative, got ", radius);
  Tensor indices = torch::stable::new_empty(x, {x.size(0), x.size(1), k}, ScalarType::Long);
  dispatch(x, y, [&](auto zero) {
    using T = decltype(zero);
    int64_t* const all = indices.mutable_data_ptr<int64_t>();
    for_each_query<T>(x, y, [&](int64_t query, const Coordinates<T>& cloud, const T* point) {
      int64_t *const index = all + query * k, found = 0;
      const auto bound = [&] { return static_cast<T>(radius * radius); };
      for_each_within(cloud, point, bound, [&](int64_t i, T) {
        index[found++] = i;
        return found < k;
      });
      std::fill(index + found, index + k, -1);
    });
  });
  return indices;
}

Tensor farthest_points(const Tensor& x, int64_t k, const Tensor& start) {
  check_clouds("x", x);
  const int64_t batch = x.size(0), n = x.size(1);
  check(k >= 1 && k <= n, "k: must be from 1 to the number of points in each cloud, ", n, ", got ", k);
  check(start.dim() == 1 && start.size(0) == batch && start.is_contiguous() && start.scalar_type() == ScalarType::Long,
        "start: must be one int64 index for each cloud, (", batch, ",)");
  Tensor indices = torch::stable::new_empty(x, {batch, k}, ScalarType::Long);
  dispatch(x, x, [&](auto zero) {
    using T = decltype(zero);
    const T* const points = x.const_data_ptr<T>();
    const int64_t* const first = start.const_data_ptr<int64_t>();
    int64_t* const all = indices.mutable_data_ptr<int64_t>();
    parallel_for_each(batch, [&](int64_t b) {
      check(first[b] >= 0 && first[b] < n, "start: must be in [0, ", n, "), got ", first[b]);
      const UnpackedCloud<T> cloud(points + b * n * 3, n, "x", b);
      const auto c = cloud.coordinates();
      std::vector<T> least(c.padded, std::numeric_limits<T>::infinity());
      int64_t next = first[b];
      for (int64_t i = 0; i < k; ++i) {
        all[b * k + i] = next;
        next = nearest_kernels<T>().farthest(c, c.x[next], c.y[next], c.z[next], least.data());
      }
    });
  });
  return indices;
}

}  // namespace
}  // namespace pcgen

STABLE_TORCH_LIBRARY_IMPL(pcgen, CPU, m) {
  m.impl("knn", TORCH_BOX(&pcgen::knn));
  m.impl("ball_query", TORCH_BOX(&pcgen::ball_query));
  m.impl("farthest_points", TORCH_BOX(&pcgen::farthest_points));
}
