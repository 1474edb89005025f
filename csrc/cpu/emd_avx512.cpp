#include "cpu/emd_kernel.h"

namespace pcgen::avx512 {
extern const emd::Kernels emd_kernels;
const emd::Kernels emd_kernels = kernels_here;
}  // namespace pcgen::avx512
