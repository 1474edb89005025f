#include "cpu/nearest_kernel.h"
#include "cpu/simd_portable.h"

namespace pcgen::portable {
const NearestTable nearest = nearest_table<Vec>();
}
