#include <algorithm>
#include <tuple>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "check.h"
#include "cuda/chamfer_program.h"
#include "cuda/launch.h"
#include "dispatch.h"

namespace pcgen::cuda {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

template <class T>
struct Batch {
  const T* x;
  const T* y;
  int n, m;

  // Pair b, from x's side or, if `turned`, from y's.
  __device__ View<T> view(int64_t b, bool turned) const {
    const T *const px = x + b * n * 3, *const py = y + b * m * 3;
    return turned ? View<T>{py, px, m, n} : View<T>{px, py, n, m};
  }
};

// grid: (blocks * batch, 2 sides)
template <class T>
__global__ void nearest_kernel(Batch<T> batch, int blocks, T* x_least, T* y_least, int64_t* x_to_y, int64_t* y_to_x) {
  __shared__ Shared<T> shared;
  const int64_t b = blockIdx.x / blocks;
  const bool turned = blockIdx.y == 1;
  const View<T> view = batch.view(b, turned);
  const int first = static_cast<int>(blockIdx.x % blocks) * queries_per_block;
  if (first >= view.n) return;
  int64_t* const nearest = turned ? y_to_x : x_to_y;
  nearest_block(view, first, shared, (turned ? y_least : x_least) + b * view.n,
                nearest == nullptr ? nullptr : nearest + b * view.n);
}

// grid: (batch)
template <class T>
__global__ void mean_kernel(int n, int m, const T* x_least, const T* y_least, T* out) {
  __shared__ Shared<T> shared;
  const int64_t b = blockIdx.x;
  const double forth = mean_block(x_least + b * n, n, shared), back = mean_block(y_least + b * m, m, shared);
  if (threadIdx.x == 0) out[b] = static_cast<T>(forth + back);
}

// grid: (blocks * batch, 2 sides)
template <class T>
__global__ void gradient_kernel(Batch<T> batch, int blocks, const T* gradient, const int64_t* x_to_y,
                                const int64_t* y_to_x, T* x_gradient, T* y_gradient) {
  __shared__ Shared<T> shared;
  const int64_t b = blockIdx.x / blocks;
  const bool turned = blockIdx.y == 1;
  const View<T> view = batch.view(b, turned);
  const int first = static_cast<int>(blockIdx.x % blocks) * threads;
  if (first >= view.n) return;
  const int64_t *const forth = x_to_y + b * batch.n, *const back = y_to_x + b * batch.m;
  gradient_block(view, first, gradient[b], turned ? back : forth, turned ? forth : back, shared,
                 (turned ? y_gradient : x_gradient) + b * view.n * 3);
}

// grid: (pairs, 2 sides)
template <class T>
__global__ void matrix_kernel(const T* a, const T* b, int columns, int n, int m, bool squared, double* to_b, double* to_a) {
  __shared__ Shared<T> shared;
  const int64_t pair = blockIdx.x;
  const T *const x = a + pair / columns * n * 3, *const y = b + pair % columns * m * 3;
  const bool turned = blockIdx.y == 1;
  const double mean = nearest_mean_block(turned ? View<T>{y, x, m, n} : View<T>{x, y, n, m}, squared, shared);
  if (threadIdx.x == 0) (turned ? to_a : to_b)[pair] = mean;
}

// The number of blocks of `points` that cover the larger cloud; checks that the grid can hold them for all pairs.
int blocks_of(const Tensor& x, const Tensor& y, int points) {
  const int64_t blocks = (std::max(x.size(1), y.size(1)) + points - 1) / points;
  check(blocks * x.size(0) < (int64_t{1} << 31), "x: has too many clouds of this size for one call; split the batch");
  return static_cast<int>(blocks);
}

void check_pair(const Tensor& x, const Tensor& y) {
  check_clouds("x", x);
  check_clouds("y", y);
  check(x.size(0) == y.size(0), "y: must have as many clouds as x, ", x.size(0), "; got ", y.size(0));
  check(x.get_device_index() == y.get_device_index(), "y: must be on the device of x");
  check(std::max(x.size(1), y.size(1)) < (int64_t{1} << 29), "x and y: must have fewer than 2^29 points in a cloud");
}

template <class T>
Batch<T> batch_of(const Tensor& x, const Tensor& y) {
  return {x.const_data_ptr<T>(), y.const_data_ptr<T>(), static_cast<int>(x.size(1)), static_cast<int>(y.size(1))};
}

template <class T>
Tensor compute(const Tensor& x, const Tensor& y, int64_t* x_to_y, int64_t* y_to_x) {
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  const Batch<T> batch = batch_of<T>(x, y);
  const unsigned count = static_cast<unsigned>(x.size(0));
  Tensor out = torch::stable::new_empty(x, {x.size(0)});
  if (count == 0) return out;
  Tensor x_least = torch::stable::new_empty(x, {x.size(0), x.size(1)});
  Tensor y_least = torch::stable::new_empty(y, {y.size(0), y.size(1)});
  T *const px = x_least.mutable_data_ptr<T>(), *const py = y_least.mutable_data_ptr<T>();
  const cudaStream_t stream = current_stream(x);
  const int blocks = blocks_of(x, y, queries_per_block);
  nearest_kernel<T><<<dim3(blocks * count, 2), threads, 0, stream>>>(batch, blocks, px, py, x_to_y, y_to_x);
  check_launch("chamfer");
  mean_kernel<T><<<count, threads, 0, stream>>>(batch.n, batch.m, px, py, out.mutable_data_ptr<T>());
  check_launch("chamfer");
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

std::tuple<Tensor, Tensor> chamfer_backward(
    const Tensor& gradient, const Tensor& x, const Tensor& y, const Tensor& x_to_y, const Tensor& y_to_x) {
  check_pair(x, y);
  check(gradient.dim() == 1 && gradient.size(0) == x.size(0) && gradient.is_contiguous() &&
            gradient.scalar_type() == x.scalar_type(),
        "gradient: must have the shape (batch,) and the type of the clouds, and be contiguous");
  check(x_to_y.scalar_type() == ScalarType::Long && x_to_y.is_contiguous() &&
            x_to_y.numel() == x.size(0) * x.size(1) && y_to_x.scalar_type() == ScalarType::Long &&
            y_to_x.is_contiguous() && y_to_x.numel() == y.size(0) * y.size(1),
        "x_to_y and y_to_x: must be contiguous int64 with an index for each point");
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor grad_x = torch::stable::empty_like(x), grad_y = torch::stable::empty_like(y);
  if (x.size(0) == 0) return {grad_x, grad_y};
  dispatch(x, y, [&](auto zero) {
    using T = decltype(zero);
    const int blocks = blocks_of(x, y, threads);
    const dim3 grid(blocks * static_cast<unsigned>(x.size(0)), 2);
    gradient_kernel<T><<<grid, threads, 0, current_stream(x)>>>(
        batch_of<T>(x, y), blocks, gradient.const_data_ptr<T>(), x_to_y.const_data_ptr<int64_t>(),
        y_to_x.const_data_ptr<int64_t>(), grad_x.mutable_data_ptr<T>(), grad_y.mutable_data_ptr<T>());
    check_launch("chamfer_backward");
  });
  return {grad_x, grad_y};
}

std::tuple<Tensor, Tensor> nearest_matrix(const Tensor& a, const Tensor& b, bool squared) {
  check_clouds("a", a);
  check_clouds("b", b);
  check(a.get_device_index() == b.get_device_index(), "b: must be on the device of a");
  const int64_t rows = a.size(0), columns = b.size(0);
  check(rows * columns < (int64_t{1} << 31), "a and b: have too many pairs for one call; split one of them");
  const torch::stable::accelerator::DeviceGuard guard(a.get_device_index());
  Tensor forth = torch::stable::new_empty(a, {rows, columns}, ScalarType::Double);
  Tensor back = torch::stable::new_empty(a, {rows, columns}, ScalarType::Double);
  if (rows * columns == 0) return {forth, back};
  dispatch(a, b, [&](auto zero) {
    using T = decltype(zero);
    const Batch<T> sizes = batch_of<T>(a, b);
    matrix_kernel<T><<<dim3(static_cast<unsigned>(rows * columns), 2), threads, 0, current_stream(a)>>>(
        sizes.x, sizes.y, static_cast<int>(columns), sizes.n, sizes.m, squared, forth.mutable_data_ptr<double>(),
        back.mutable_data_ptr<double>());
    check_launch("nearest_matrix");
  });
  return {forth, back};
}

}  // namespace
}  // namespace pcgen::cuda

STABLE_TORCH_LIBRARY_IMPL(pcgen, CUDA, m) {
  m.impl("chamfer", TORCH_BOX(&pcgen::cuda::chamfer));
  m.impl("chamfer_with_index", TORCH_BOX(&pcgen::cuda::chamfer_with_index));
  m.impl("chamfer_backward", TORCH_BOX(&pcgen::cuda::chamfer_backward));
  m.impl("nearest_matrix", TORCH_BOX(&pcgen::cuda::nearest_matrix));
}
