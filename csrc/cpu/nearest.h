// Least squared distances between two clouds with vector instructions: brute force in both directions at once, and the
// components of a search that skips most of a large cloud.
#pragma once

#include <cstdint>

#include "cpu/coordinates.h"

namespace pcgen {

template <class T>
struct NearestKernels {
  // a_least (a.padded) and b_least (b.size) receive the least squared distance of each point to the other cloud.
  void (*both)(Coordinates<T> a, Coordinates<T> b, T* a_least, T* b_least);
  // The same, with the index of the point of the other cloud at that distance, the first of several.
  void (*both_with_index)(
      Coordinates<T> a, Coordinates<T> b, T* a_least, T* b_least, int32_t* a_nearest, int32_t* b_nearest);
  // Lower a_least (a.padded) to the least squared distance to b; returns the largest of a_least.
  T (*one_way)(Coordinates<T> a, Coordinates<T> b, T* a_least);
  // Squared distances between one box, (lowest x, highest x, lowest y, ...), and `count` boxes, a multiple of the
  // padding, in six rows of the same order that are `stride` apart. They are rounded as in `one_way`, so they are never
  // above a distance between points of the two boxes.
  void (*box_distances)(const T* box, const T* boxes, int64_t stride, int64_t count, T* out);
  // Squared distances from (x, y, z) to the first 64 points of `cloud`; bit i of the result is set if that to point i
  // is at most `bound`.
  uint64_t (*within)(Coordinates<T> cloud, T x, T y, T z, T bound, T* distances);
  // Lower least (cloud.padded) to the squared distance to (x, y, z); returns the first point of the largest.
  int64_t (*farthest)(Coordinates<T> cloud, T x, T y, T z, T* least);
};

// The kernels of the instruction set in use.
template <class T>
const NearestKernels<T>& nearest_kernels();
template <>
const NearestKernels<float>& nearest_kernels();
template <>
const NearestKernels<double>& nearest_kernels();

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
