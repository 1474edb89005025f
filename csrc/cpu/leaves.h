// A cloud in the order of a balanced k-d tree, divided into leaves of equal size with their boxes: an index with which
// a search skips most of a large cloud.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "cpu/coordinates.h"
#include "cpu/finite.h"
#include "cpu/unpack.h"

namespace pcgen {

template <class T>
class Leaves {
 public:
  static constexpr int64_t leaf_size = Coordinates<T>::padding;

  Leaves() = default;

  // From points (size, 3); `name` and `row` are for the error message for NaN or infinity.
  Leaves(const T* points, int64_t size, const char* name, int64_t row)
      : count_((size + leaf_size - 1) / leaf_size), original_(count_ * leaf_size) {
    std::vector<Point> sorted(size);
    for (int64_t i = 0; i < size; ++i)
      sorted[i] = {{points[3 * i], points[3 * i + 1], points[3 * i + 2]}, static_cast<int32_t>(i)};
    check_finite(points, size, name, row);
    split(sorted.data(), size);

    std::vector<T> ordered(3 * size);
    for (int64_t i = 0; i < size; ++i) {
      std::copy_n(sorted[i].position, 3, ordered.data() + 3 * i);
      original_[i] = sorted[i].index;
    }
    std::fill(original_.begin() + size, original_.end(), original_[size - 1]);
    cloud_ = UnpackedCloud<T>(ordered.data(), size, name, row);
    // The padding is in the last leaf, and copies one of its points, so it changes no box.
    const Coordinates<T> all = cloud_.coordinates();
    const T* const axes[] = {all.x, all.y, all.z};
    boxes_ = std::vector<T>(6 * padded_count());
    for (int64_t k = 0; k < 3; ++k) {
      T *const low = boxes_.data() + 2 * k * padded_count(), *const high = low + padded_count();
      for (int64_t leaf = 0; leaf < count_; ++leaf) {
        const auto [least, most] = std::minmax_element(axes[k] + leaf * leaf_size, axes[k] + (leaf + 1) * leaf_size);
        low[leaf] = *least, high[leaf] = *most;
      }
      std::fill(low + count_, low + padded_count(), low[count_ - 1]);
      std::fill(high + count_, high + padded_count(), high[count_ - 1]);
    }
  }

  int64_t count() const { return count_; }
  Coordinates<T> leaf(int64_t index) const {
    return cloud_.coordinates().slice(index * leaf_size, (index + 1) * leaf_size);
  }
  // The index in the cloud of each point, in the order of the leaves and their padding.
  const int32_t* original(int64_t leaf) const { return original_.data() + leaf * leaf_size; }
  // The leaves' boxes as six rows: lowest and highest x, then y, then z; rows are `padded_count` apart.
  const T* boxes() const { return boxes_.data(); }
  int64_t padded_count() const { return (count_ + leaf_size - 1) / leaf_size * leaf_size; }

 private:
  struct Point {
    T position[3];
    int32_t index;
  };

  // Halve [points, points + size) along its longest side, at a multiple of the leaf's size, down to single leaves.
  static void split(Point* points, int64_t size) {
    while (size > leaf_size) {
      T side[3];
      for (int k = 0; k < 3; ++k) {
        T low = points[0].position[k], high = low;
        for (int64_t i = 1; i < size; ++i) {
          low = std::min(low, points[i].position[k]);
          high = std::max(high, points[i].position[k]);
        }
        side[k] = high - low;
      }
      const int axis = static_cast<int>(std::max_element(side, side + 3) - side);
      const int64_t half = (size / 2 + leaf_size - 1) / leaf_size * leaf_size;
      std::nth_element(points, points + half, points + size, [axis](const Point& a, const Point& b) {
        return a.position[axis] < b.position[axis] || (a.position[axis] == b.position[axis] && a.index < b.index);
      });
      split(points, half);
      points += half;
      size -= half;
    }
  }

  int64_t count_ = 0;
  UnpackedCloud<T> cloud_;
  std::vector<int32_t> original_;
  std::vector<T> boxes_;
};

}  // namespace pcgen
