#include "cpu/nearest.h"

#include "cpu/instruction_set.h"

namespace pcgen {
namespace {
constexpr const NearestTable* units[] = PCGEN_UNITS(nearest);
}

template <>
const NearestKernels<float>& nearest_kernels() {
  return choose(units).f32;
}

template <>
const NearestKernels<double>& nearest_kernels() {
  return choose(units).f64;
}

}  // namespace pcgen
