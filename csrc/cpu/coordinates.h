// The layout of clouds for the vector kernels.
#pragma once

#include <cstdint>

namespace pcgen {

// A cloud with one array per coordinate, so that a vector holds one coordinate of consecutive points. Arrays are padded
// to a multiple of `padding` with copies of the last point. This changes no least distance, and since ties go to the
// least index, no nearest point.
template <class T>
struct Coordinates {
  static constexpr int64_t padding = 64;

  const T* x;
  const T* y;
  const T* z;
  int64_t size;    // without the padding
  int64_t padded;  // a multiple of `padding`

  // The points [first, last); first is a multiple of `padding`, last too unless it is `size`.
  Coordinates slice(int64_t first, int64_t last) const {
    return {x + first, y + first, z + first, last - first, (last - first + padding - 1) / padding * padding};
  }
};

}  // namespace pcgen
