#include "cpu/nearest_kernel.h"
#include "cpu/simd_avx2.h"

namespace pcgen::avx2 {
const NearestTable nearest = nearest_table<Vec>();
}
