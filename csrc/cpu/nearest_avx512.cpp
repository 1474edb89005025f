#include "cpu/nearest_kernel.h"
#include "cpu/simd_avx512.h"

namespace pcgen::avx512 {
const NearestTable nearest = nearest_table<Vec>();
}
