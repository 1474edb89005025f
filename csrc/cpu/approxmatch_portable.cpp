#include "cpu/approxmatch_kernel.h"
#include "cpu/simd_portable.h"

namespace pcgen::portable {
const ApproxmatchTable approxmatch = {Approxmatch<Vec<float>>::cost};
}
