#include "cpu/approxmatch_kernel.h"
#include "cpu/simd_avx512.h"

namespace pcgen::avx512 {
const ApproxmatchTable approxmatch = {Approxmatch<Vec<float>>::cost};
}
