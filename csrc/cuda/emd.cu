#include <algorithm>
#include <new>
#include <optional>
#include <tuple>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "cuda/emd_program.h"
#include "cuda/launch.h"
#include "dispatch.h"
#include "emd_checks.h"

namespace pcgen::cuda::emd {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr int64_t kMostPoints = 16384;
constexpr int64_t kMostBytes = int64_t{1} << 30;  // of workspace, if fewer blocks than fit on the device are sufficient

// grid: as many blocks as fit on the device; each processes one cloud after another
template <class T>
__global__ void prepare_kernel(const T* points, int64_t count, int n, Clouds clouds, char* memory, int64_t bytes) {
  __shared__ CloudShared shared;
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    prepare_block(points, c, n, clouds, memory + blockIdx.x * bytes, shared);
  }
}

// The memory of a solver's block: the arrays that are read most are in shared memory if they fit; otherwise they are,
// in `fast` bytes, before the others in the workspace.
struct Space {
  char* memory;
  int64_t bytes;  // for each block
  int64_t fast;
  bool fits;

  __device__ Pieces fast_pieces(char* shared) const { return Pieces(fits ? shared : own()); }
  __device__ Pieces pieces() const { return Pieces(own() + fast); }

 private:
  __device__ char* own() const { return memory + blockIdx.x * bytes; }
};

// A block's solver; the parts that its threads share are in shared memory.
template <class Real>
struct Room {
  Shared shared;
  alignas(Solver<Real>) char solver[sizeof(Solver<Real>)];

  __device__ Solver<Real>& open(int n, const Space& space, char* dynamic) {
    step([&](int thread) {
      if (thread != 0) return;
      Pieces fast = space.fast_pieces(dynamic), rest = space.pieces();
      new (solver) Solver<Real>(n, fast, rest, shared);
    });
    return *reinterpret_cast<Solver<Real>*>(solver);
  }
};

// grid: as many blocks as fit on the device; each processes one pair after another
template <class Real>
__global__ void __launch_bounds__(threads, 3)
    match_kernel(Pairs pairs, double gap, const double* start, Results out, Space space) {
  extern __shared__ __align__(128) char dynamic[];
  __shared__ Room<Real> room;
  Solver<Real>& solver = room.open(pairs.n, space, dynamic);
  for (int64_t pair = blockIdx.x; pair < pairs.count; pair += gridDim.x) {
    match_block(pairs, pair, gap, start, out, solver);
  }
}

template <class Real>
__global__ void __launch_bounds__(threads, 3)
    bound_kernel(Pairs pairs, const double* x_dual, double* bound, Space space) {
  extern __shared__ __align__(128) char dynamic[];
  __shared__ Room<Real> room;
  Solver<Real>& solver = room.open(pairs.n, space, dynamic);
  for (int64_t pair = blockIdx.x; pair < pairs.count; pair += gridDim.x) {
    bound_block(pairs, pair, x_dual, bound, solver);
  }
}

// grid: (batch)
template <class T>
__global__ void gradient_kernel(int n, const T* gradient, const T* x, const T* y, const int64_t* index, T* x_gradient,
                                T* y_gradient) {
  gradient_block<T>(blockIdx.x, n, gradient, x, y, index, x_gradient, y_gradient);
}

Tensor bytes_on(const Tensor& device, int64_t count) {
  return torch::stable::new_empty(device, {std::max<int64_t>(count, 1)}, ScalarType::Byte);
}

char* data(Tensor& memory) { return reinterpret_cast<char*>(memory.mutable_data_ptr<uint8_t>()); }

int attribute(const char* op, cudaDeviceAttr which, const Tensor& device) {
  int value = 0;
  check_cuda(op, cudaDeviceGetAttribute(&value, which, device.get_device_index()));
  return value;
}

// The number of blocks to launch for `count` pieces of work: at most as many as run at once, and as the workspace
// allows, but at least one per multiprocessor.
template <class Kernel>
int64_t blocks_for(const char* op, Kernel kernel, int64_t count, int dynamic, int64_t bytes, const Tensor& device) {
  int each = 0;
  check_cuda(op, cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, kernel, threads, dynamic));
  const int64_t processors = attribute(op, cudaDevAttrMultiProcessorCount, device);
  const int64_t most = std::max(processors, kMostBytes / std::max<int64_t>(bytes, 1));
  return std::min({count, processors * std::max(each, 1), most});
}

// A set of clouds prepared on the device, with its memory.
struct Prepared {
  Tensor memory;
  Clouds clouds;
};

Prepared prepare(const char* op, const Tensor& set) {
  const int64_t count = set.size(0);
  const int n = static_cast<int>(set.size(1));
  Pieces size(nullptr);
  Clouds(count, n, size);
  Tensor memory = bytes_on(set, size.used());
  Pieces pieces(data(memory));
  const Clouds clouds(count, n, pieces);
  dispatch(set, set, [&](auto zero) {
    using T = decltype(zero);
    Pieces tree(nullptr);
    Tree<T>(nullptr, n, tree);
    const int64_t blocks = blocks_for(op, prepare_kernel<T>, count, 0, tree.used(), set);
    Tensor scratch = bytes_on(set, blocks * tree.used());
    prepare_kernel<T><<<static_cast<unsigned>(blocks), threads, 0, current_stream(set)>>>(
        set.const_data_ptr<T>(), count, n, clouds, data(scratch), tree.used());
    check_launch(op);
  });
  return {memory, clouds};
}

// Launches kernel(pairs, arguments, space) for all pairs.
template <class Real, class Kernel, class... Arguments>
void launch(const char* op, Kernel kernel, const Tensor& device, const Pairs& pairs, const Arguments&... arguments) {
  Pieces fast(nullptr), rest(nullptr);
  Shared shared;
  Solver<Real>(pairs.n, fast, rest, shared);
  cudaFuncAttributes attributes;
  check_cuda(op, cudaFuncGetAttributes(&attributes, kernel));
  // More than 48 KB of shared memory must be requested. The request is always for the maximum, so that threads of the
  // process do not lower each other's limit.
  const int all = attribute(op, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  const int most = all - static_cast<int>(attributes.sharedSizeBytes);
  check_cuda(op, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most));
  const bool fits = fast.used() <= most;
  Space space{nullptr, rest.used() + (fits ? 0 : fast.used()), fits ? 0 : fast.used(), fits};
  const int dynamic = fits ? static_cast<int>(fast.used()) : 0;
  const int64_t blocks = blocks_for(op, kernel, pairs.count, dynamic, space.bytes, device);
  Tensor memory = bytes_on(device, blocks * space.bytes);
  space.memory = data(memory);
  kernel<<<static_cast<unsigned>(blocks), threads, dynamic, current_stream(device)>>>(pairs, arguments..., space);
  check_launch(op);
}

// The kernel in float searches pairs of clouds that float resolves, the kernel in double the others. The blocks decide
// this for each pair, and skip pairs of the other kernel.
void solve(const char* op, const Tensor& x, const Tensor& y, bool all_pairs, double gap, const double* start,
           const Results& out) {
  const Prepared px = prepare(op, x), py = prepare(op, y);
  const int64_t rows = x.size(0), columns = y.size(0);
  const Pairs pairs{px.clouds, py.clouds, static_cast<int>(x.size(1)), all_pairs ? rows * columns : rows,
                    all_pairs ? columns : 0};
  launch<float>(op, match_kernel<float>, x, pairs, gap, start, out);
  launch<double>(op, match_kernel<double>, x, pairs, gap, start, out);
}

std::tuple<Tensor, Tensor> emd(const Tensor& x, const Tensor& y, double gap) {
  pcgen::emd::check_pairs(x, y, gap, kMostPoints);
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor value = torch::stable::new_empty(x, {x.size(0)});
  Tensor index = torch::stable::new_empty(x, {x.size(0), x.size(1)}, ScalarType::Long);
  if (x.size(0) == 0) return {value, index};
  Results out{};
  if (x.scalar_type() == ScalarType::Float) out.value = value.mutable_data_ptr<float>();
  else out.cost = value.mutable_data_ptr<double>();
  out.index = index.mutable_data_ptr<int64_t>();
  solve("emd", x, y, false, gap, nullptr, out);
  return {value, index};
}

std::tuple<Tensor, Tensor> emd_backward(const Tensor& gradient, const Tensor& x, const Tensor& y, const Tensor& index) {
  pcgen::emd::check_pairs(x, y, 0, kMostPoints);
  pcgen::emd::check_gradient(gradient, x, index);
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor grad_x = torch::stable::empty_like(x), grad_y = torch::stable::empty_like(y);
  if (x.size(0) == 0) return {grad_x, grad_y};
  dispatch(x, y, [&](auto zero) {
    using T = decltype(zero);
    gradient_kernel<T><<<static_cast<unsigned>(x.size(0)), threads, 0, current_stream(x)>>>(
        static_cast<int>(x.size(1)), gradient.const_data_ptr<T>(), x.const_data_ptr<T>(), y.const_data_ptr<T>(),
        index.const_data_ptr<int64_t>(), grad_x.mutable_data_ptr<T>(), grad_y.mutable_data_ptr<T>());
    check_launch("emd_backward");
  });
  return {grad_x, grad_y};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> match(
    const Tensor& x, const Tensor& y, double gap, std::optional<Tensor> start) {
  pcgen::emd::check_pairs(x, y, gap, kMostPoints);
  if (start.has_value()) pcgen::emd::check_duals("start", *start, x);
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  const int64_t batch = x.size(0), n = x.size(1);
  Tensor index = torch::stable::new_empty(x, {batch, n}, ScalarType::Long);
  Tensor cost = torch::stable::new_empty(x, {batch}, ScalarType::Double);
  Tensor bound = torch::stable::new_empty(x, {batch}, ScalarType::Double);
  Tensor x_dual = torch::stable::new_empty(x, {batch, n}, ScalarType::Double);
  Tensor y_dual = torch::stable::new_empty(x, {batch, n}, ScalarType::Double);
  if (batch == 0) return {index, cost, bound, x_dual, y_dual};
  Results out{};
  out.index = index.mutable_data_ptr<int64_t>();
  out.cost = cost.mutable_data_ptr<double>(), out.bound = bound.mutable_data_ptr<double>();
  out.x_dual = x_dual.mutable_data_ptr<double>(), out.y_dual = y_dual.mutable_data_ptr<double>();
  solve("match", x, y, false, gap, start.has_value() ? start->const_data_ptr<double>() : nullptr, out);
  return {index, cost, bound, x_dual, y_dual};
}

Tensor emd_lower_bound(const Tensor& x, const Tensor& y, const Tensor& x_dual) {
  pcgen::emd::check_pairs(x, y, 0, kMostPoints);
  pcgen::emd::check_duals("x_dual", x_dual, x);
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor bound = torch::stable::new_empty(x, {x.size(0)}, ScalarType::Double);
  if (x.size(0) == 0) return bound;
  const char* const op = "emd_lower_bound";
  const Prepared px = prepare(op, x), py = prepare(op, y);
  const Pairs pairs{px.clouds, py.clouds, static_cast<int>(x.size(1)), x.size(0), 0};
  const double* const duals = x_dual.const_data_ptr<double>();
  double* const bounds = bound.mutable_data_ptr<double>();
  launch<float>(op, bound_kernel<float>, x, pairs, duals, bounds);
  launch<double>(op, bound_kernel<double>, x, pairs, duals, bounds);
  return bound;
}

Tensor emd_matrix(const Tensor& a, const Tensor& b, double gap) {
  pcgen::emd::check_sets("a", a, "b", b, gap, kMostPoints);
  const torch::stable::accelerator::DeviceGuard guard(a.get_device_index());
  Tensor costs = torch::stable::new_empty(a, {a.size(0), b.size(0)}, ScalarType::Double);
  if (costs.numel() == 0) return costs;
  Results out{};
  out.cost = costs.mutable_data_ptr<double>();
  solve("emd_matrix", a, b, true, gap, nullptr, out);
  return costs;
}

}  // namespace
}  // namespace pcgen::cuda::emd

STABLE_TORCH_LIBRARY_IMPL(pcgen, CUDA, m) {
  m.impl("emd", TORCH_BOX(&pcgen::cuda::emd::emd));
  m.impl("emd_backward", TORCH_BOX(&pcgen::cuda::emd::emd_backward));
  m.impl("match", TORCH_BOX(&pcgen::cuda::emd::match));
  m.impl("emd_matrix", TORCH_BOX(&pcgen::cuda::emd::emd_matrix));
  m.impl("emd_lower_bound", TORCH_BOX(&pcgen::cuda::emd::emd_lower_bound));
}
