// Nearest points between the two clouds of each pair of a batch.
#pragma once

#include <cstdint>
#include <memory>

namespace pcgen {

// A batch of pairs of clouds, (batch, n, 3) and (batch, m, 3), contiguous.
template <class T>
struct Pairs {
  const T* x;
  const T* y;
  int64_t batch, n, m;
};

// Least squared distances: of pair b, n of them are at x + b * x_stride, and m of them at y + b * y_stride.
template <class T>
struct Least {
  Least(const Pairs<T>& pairs, int64_t x_stride, int64_t y_stride)
      : x_stride(x_stride), y_stride(y_stride), x(new T[pairs.batch * x_stride]), y(new T[pairs.batch * y_stride]) {}

  int64_t x_stride, y_stride;
  std::unique_ptr<T[]> x, y;
};

// Uses all threads. x_to_y (batch, n) and y_to_x (batch, m) receive the nearest points, the first of several at the
// same distance; both may be null. Distances and indices depend neither on other pairs nor on the number of threads.
template <class T>
Least<T> nearest_pairs(const Pairs<T>& pairs, int64_t* x_to_y, int64_t* y_to_x);

extern template Least<float> nearest_pairs(const Pairs<float>&, int64_t*, int64_t*);
extern template Least<double> nearest_pairs(const Pairs<double>&, int64_t*, int64_t*);

}  // namespace pcgen
