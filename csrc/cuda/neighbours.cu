#include <algorithm>
#include <cmath>
#include <tuple>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "check.h"
#include "cuda/launch.h"
#include "cuda/neighbours_program.h"
#include "dispatch.h"

namespace pcgen::cuda {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// The queries are x (batch, n, 3); the points that are searched are y (batch, m, 3).
template <class T>
struct Queries {
  const T* x;
  const T* y;
  int64_t count;  // batch * n
  int n, m;

  // Call f(query, point, cloud of y) for the query of this warp, if there is one.
  template <class F>
  __device__ void for_warp(int warp, const F& f) const {
    const int64_t query = static_cast<int64_t>(blockIdx.x) * warps + warp;
    if (query >= count) return;
    const T* const p = x + 3 * query;
    f(query, Point<T>{p[0], p[1], p[2]}, y + query / n * m * 3);
  }
};

// grid: (queries / warps)
template <class T>
__global__ void __launch_bounds__(threads) nearest_kernel(Queries<T> queries, int k, T* squares, int64_t* indices) {
  __shared__ Lists<T> lists;
  each_warp([&](int warp) {
    queries.for_warp(warp, [&](int64_t query, const Point<T>& point, const T* y) {
      nearest_warp(point, y, queries.m, k, warp, lists, squares + query * k, indices + query * k);
    });
  });
}

// grid: (queries / warps)
template <class T>
__global__ void __launch_bounds__(threads) ball_kernel(Queries<T> queries, T bound, int k, int64_t* indices) {
  each_warp([&](int warp) {
    queries.for_warp(warp, [&](int64_t query, const Point<T>& point, const T* y) {
      ball_warp(point, y, queries.m, bound, k, indices + query * k);
    });
  });
}

// grid: (batch)
template <class T>
__global__ void __launch_bounds__(threads) farthest_kernel(const T* x, int n, int k, const int64_t* start, T* least,
                                                           int64_t* indices) {
  __shared__ Farthest<T> shared[warps];
  const int64_t b = blockIdx.x;
  farthest_block(x + b * n * 3, n, k, start[b], least + b * n, shared, indices + b * k);
}

void check_points(const char* name, const Tensor& t) {
  check_clouds(name, t);
  check(t.size(1) < (int64_t{1} << 29), name, ": must have fewer than 2^29 points in a cloud");
}

void check_queries(const Tensor& x, const Tensor& y, int64_t k) {
  check_points("x", x);
  check_points("y", y);
  check(x.size(0) == y.size(0), "y: must have as many clouds as x, ", x.size(0), ", got ", y.size(0));
  check(x.get_device_index() == y.get_device_index(), "y: must be on the device of x");
  check(k >= 1 && k < (int64_t{1} << 29), "k: must be at least 1 and less than 2^29, got ", k);
}

template <class T>
Queries<T> queries_of(const Tensor& x, const Tensor& y) {
  return {x.const_data_ptr<T>(), y.const_data_ptr<T>(), x.size(0) * x.size(1), static_cast<int>(x.size(1)),
          static_cast<int>(y.size(1))};
}

// The number of blocks with one warp per query.
unsigned blocks_of(const Tensor& x) {
  const int64_t blocks = (x.size(0) * x.size(1) + warps - 1) / warps;
  check(blocks < (int64_t{1} << 31), "x: has too many points for one call; split the batch");
  return static_cast<unsigned>(blocks);
}

std::tuple<Tensor, Tensor> knn(const Tensor& x, const Tensor& y, int64_t k) {
  check_queries(x, y, k);
  check(k <= y.size(1), "k: must be at most the number of points in each cloud of y, ", y.size(1), ", got ", k);
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor squares = torch::stable::new_empty(x, {x.size(0), x.size(1), k});
  Tensor indices = torch::stable::new_empty(x, {x.size(0), x.size(1), k}, ScalarType::Long);
  const unsigned blocks = blocks_of(x);
  if (blocks == 0) return {squares, indices};
  dispatch(x, y, [&](auto zero) {
    using T = decltype(zero);
    nearest_kernel<T><<<blocks, threads, 0, current_stream(x)>>>(
        queries_of<T>(x, y), static_cast<int>(k), squares.mutable_data_ptr<T>(), indices.mutable_data_ptr<int64_t>());
    check_launch("knn");
  });
  return {squares, indices};
}

Tensor ball_query(const Tensor& x, const Tensor& y, double radius, int64_t k) {
  check_queries(x, y, k);
  check(radius >= 0 && std::isfinite(radius), "radius: must be finite and not negative, got ", radius);
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor indices = torch::stable::new_empty(x, {x.size(0), x.size(1), k}, ScalarType::Long);
  const unsigned blocks = blocks_of(x);
  if (blocks == 0) return indices;
  dispatch(x, y, [&](auto zero) {
    using T = decltype(zero);
    ball_kernel<T><<<blocks, threads, 0, current_stream(x)>>>(
        queries_of<T>(x, y), static_cast<T>(radius * radius), static_cast<int>(k), indices.mutable_data_ptr<int64_t>());
    check_launch("ball_query");
  });
  return indices;
}

Tensor farthest_points(const Tensor& x, int64_t k, const Tensor& start) {
  check_points("x", x);
  const int64_t batch = x.size(0), n = x.size(1);
  check(k >= 1 && k <= n, "k: must be from 1 to the number of points in each cloud, ", n, ", got ", k);
  check(start.dim() == 1 && start.size(0) == batch && start.is_contiguous() && start.scalar_type() == ScalarType::Long,
        "start: must be one int64 index for each cloud, (", batch, ",)");
  check(start.get_device_index() == x.get_device_index(), "start: must be on the device of x");
  check(batch < (int64_t{1} << 31), "x: has too many clouds for one call; split the batch");
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor indices = torch::stable::new_empty(x, {batch, k}, ScalarType::Long);
  if (batch == 0) return indices;
  Tensor least = torch::stable::new_empty(x, {batch, n});
  dispatch(x, x, [&](auto zero) {
    using T = decltype(zero);
    farthest_kernel<T><<<static_cast<unsigned>(batch), threads, 0, current_stream(x)>>>(
        x.const_data_ptr<T>(), static_cast<int>(n), static_cast<int>(k), start.const_data_ptr<int64_t>(),
        least.mutable_data_ptr<T>(), indices.mutable_data_ptr<int64_t>());
    check_launch("farthest_points");
  });
  return indices;
}

}  // namespace
}  // namespace pcgen::cuda

STABLE_TORCH_LIBRARY_IMPL(pcgen, CUDA, m) {
  m.impl("knn", TORCH_BOX(&pcgen::cuda::knn));
  m.impl("ball_query", TORCH_BOX(&pcgen::cuda::ball_query));
  m.impl("farthest_points", TORCH_BOX(&pcgen::cuda::farthest_points));
}
