// Least squared distances between two clouds, in both directions at once, by brute force in vectors.
#pragma once

#include <cstdint>

#include "cpu/coordinates.h"

namespace pcgen {

template <class T>
struct NearestKernels {
  // a_least (a.padded) and b_least (b.size) receive the least squared distance of each point to the other cloud.
  void (*both)(Coordinates<T> a, Coordinates<T> b, T* a_least, T* b_least);
  // The same, and which point of the other cloud is at that distance, the first of several.
  void (*both_with_index)(
      Coordinates<T> a, Coordinates<T> b, T* a_least, T* b_least, int32_t* a_nearest, int32_t* b_nearest);
};

struct NearestTable {
  NearestKernels<float> f32;
  NearestKernels<double> f64;
};

namespace portable {
extern const NearestTable nearest;
}
namespace avx2 {
extern const NearestTable nearest;
}
namespace avx512 {
extern const NearestTable nearest;
}

}  // namespace pcgen
