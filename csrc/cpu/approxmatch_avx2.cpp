#include "cpu/approxmatch_kernel.h"
#include "cpu/simd_avx2.h"

namespace pcgen::avx2 {
const ApproxmatchTable approxmatch = {Approxmatch<Vec<float>>::cost};
}
