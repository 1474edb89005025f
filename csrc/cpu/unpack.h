// Conversion of clouds to the layout of the vector kernels, with a check for finite coordinates.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>

#include "cpu/coordinates.h"
#include "cpu/finite.h"

namespace pcgen {

template <class T>
class UnpackedCloud {
 public:
  UnpackedCloud() = default;

  // From points (size, 3); `name` and `row` are for the error message for NaN or infinity.
  UnpackedCloud(const T* points, int64_t size, const char* name, int64_t row)
      : size_(size),
        padded_((size + Coordinates<T>::padding - 1) / Coordinates<T>::padding * Coordinates<T>::padding),
        values_(new (alignment) T[3 * padded_]) {
    check_finite(points, size, name, row);
    for (int64_t k = 0; k < 3; ++k) {
      T* const out = values_.get() + k * padded_;
      for (int64_t i = 0; i < size; ++i) out[i] = points[3 * i + k];
      std::fill(out + size, out + padded_, out[size - 1]);
    }
  }

  Coordinates<T> coordinates() const {
    const T* const v = values_.get();
    return {v, v + padded_, v + 2 * padded_, size_, padded_};
  }

 private:
  // That of a cache line: a vector across two lines needs two reads.
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(T* values) const { operator delete[](values, alignment); }
  };

  int64_t size_ = 0, padded_ = 0;
  std::unique_ptr<T[], Free> values_;
};

}  // namespace pcgen
