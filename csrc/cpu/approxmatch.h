// Soft greedy matching of two clouds at decreasing stiffness.
#pragma once

#include "cpu/coordinates.h"

namespace pcgen {

struct ApproxmatchTable {
  // Mean cost of x's points under the matching; `scratch` holds 2 * x.padded + 3 * y.padded values.
  double (*cost)(const Coordinates<float>& x, const Coordinates<float>& y, bool last_level, bool squared, float* scratch);
};

namespace portable {
extern const ApproxmatchTable approxmatch;
}
namespace avx2 {
extern const ApproxmatchTable approxmatch;
}
namespace avx512 {
extern const ApproxmatchTable approxmatch;
}

}  // namespace pcgen
