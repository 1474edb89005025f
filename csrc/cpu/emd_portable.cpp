#include "cpu/emd_kernel.h"

namespace pcgen::portable {
extern const emd::Kernels emd_kernels;
const emd::Kernels emd_kernels = kernels_here;
}  // namespace pcgen::portable
