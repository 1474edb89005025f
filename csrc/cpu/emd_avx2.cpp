#include "cpu/emd_kernel.h"

namespace pcgen::avx2 {
extern const emd::Kernels emd_kernels;
const emd::Kernels emd_kernels{solve_as<float>, solve_as<double>};
}  // namespace pcgen::avx2
