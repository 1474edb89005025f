#include "cpu/approxmatch.h"

#include <vector>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "check.h"
#include "cpu/instruction_set.h"
#include "cpu/parallel.h"
#include "cpu/unpack.h"

namespace pcgen {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr const ApproxmatchTable* units[] = PCGEN_UNITS(approxmatch);

std::vector<UnpackedCloud<float>> unpack(const Tensor& clouds, const char* name) {
  check_clouds(name, clouds);
  check(clouds.scalar_type() == ScalarType::Float, name, ": must be float32");
  const int64_t size = clouds.size(1);
  const float* const points = clouds.const_data_ptr<float>();
  std::vector<UnpackedCloud<float>> out(clouds.size(0));
  parallel_for_each(clouds.size(0), [&](int64_t b) { out[b] = UnpackedCloud<float>(points + b * size * 3, size, name, b); });
  return out;
}

// Costs of `count` pairs; `pair` gives the indices of the k-th pair's clouds.
template <class F>
void costs(const Tensor& x, const Tensor& y, bool last_level, bool squared, int64_t count, double* out, const F& pair) {
  const auto xs = unpack(x, "x"), ys = unpack(y, "y");
  check(x.size(1) == y.size(1), "y: must have as many points as x, ", x.size(1), ", got ", y.size(1));
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(5 * (x.size(1) + Coordinates<float>::padding));
    for (int64_t k = begin; k < end; ++k) {
      const auto [i, j] = pair(k);
      out[k] = choose(units).cost(xs[i].coordinates(), ys[j].coordinates(), last_level, squared, scratch.data());
    }
  });
}

Tensor approxmatch(const Tensor& x, const Tensor& y, bool last_level, bool squared) {
  check(x.size(0) == y.size(0), "y: must have as many clouds as x, ", x.size(0), ", got ", y.size(0));
  Tensor out = torch::stable::new_empty(x, {x.size(0)}, ScalarType::Double);
  costs(x, y, last_level, squared, x.size(0), out.mutable_data_ptr<double>(),
        [](int64_t k) { return std::pair{k, k}; });
  return out;
}

Tensor approxmatch_matrix(const Tensor& a, const Tensor& b, bool last_level, bool squared) {
  const int64_t columns = b.size(0);
  Tensor out = torch::stable::new_empty(a, {a.size(0), columns}, ScalarType::Double);
  costs(a, b, last_level, squared, a.size(0) * columns, out.mutable_data_ptr<double>(),
        [columns](int64_t k) { return std::pair{k / columns, k % columns}; });
  return out;
}

}  // namespace
}  // namespace pcgen

STABLE_TORCH_LIBRARY_IMPL(pcgen, CPU, m) {
  m.impl("approxmatch", TORCH_BOX(&pcgen::approxmatch));
  m.impl("approxmatch_matrix", TORCH_BOX(&pcgen::approxmatch_matrix));
}
