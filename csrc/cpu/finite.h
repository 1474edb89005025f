// The check that clouds are finite, and its message.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "check.h"

namespace pcgen {

// Raise an error for a cloud (size, 3) with NaN or infinity; `name` and `row` identify the cloud in the message.
template <class T>
void check_finite(const T* points, int64_t size, const char* name, int64_t row) {
  int refused = 0;  // without a branch in the loop, so that it is vectorised
  for (int64_t i = 0; i < 3 * size; ++i) refused |= !(std::abs(points[i]) <= std::numeric_limits<T>::max());
  if (!refused) return;
  const int64_t i = std::find_if(points, points + 3 * size, [](T v) { return !std::isfinite(v); }) - points;
  const T found = std::isnan(points[i]) ? std::numeric_limits<T>::quiet_NaN() : points[i];  // without a sign
  check(false, name, ": must be finite, got ", found, " in point ", i / 3, " of cloud ", row,
        "; drop or repair such clouds first");
}

}  // namespace pcgen
