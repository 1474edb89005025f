// The kernels of nearest.h for any vector type V of simd_*.h. Each unit compiles them for its own V, whose namespace
// separates the units' code. No inline function here may lack V, since the linker would share it among the units.
#pragma once

#include <cstdint>
#include <limits>

#include "cpu/nearest.h"

namespace pcgen {

template <class V>
struct Nearest {
  using T = typename V::Scalar;
  using Cloud = Coordinates<T>;
  static constexpr int64_t stripe = V::width * V::unroll;  // points of a kept in registers
  static constexpr T infinity = std::numeric_limits<T>::infinity();

  // The only formula of a squared distance. It does not depend on signs, so both directions agree to the last bit.
  static V squared(V dx, V dy, V dz) { return multiply_add(dz, dz, multiply_add(dy, dy, dx * dx)); }

  // Lower a_least[i] for i in [first, last) by the distances to the points [begin, end) of b, and b_least[j - begin],
  // one vector for each point of b, by the distances to those of a. Eight vector instructions for `width` pairs.
  static void sweep(
      const Cloud& a, int64_t first, int64_t last, const Cloud& b, int64_t begin, int64_t end, T* a_least, V* b_least) {
    for (int64_t i = first; i < last; i += stripe) {
      V x[V::unroll], y[V::unroll], z[V::unroll], least[V::unroll];
      for (int u = 0; u < V::unroll; ++u) {
        x[u] = V::load(a.x + i + u * V::width);
        y[u] = V::load(a.y + i + u * V::width);
        z[u] = V::load(a.z + i + u * V::width);
        least[u] = V::load(a_least + i + u * V::width);
      }
      for (int64_t j = begin; j < end; ++j) {
        const V bx = V::broadcast(b.x[j]), by = V::broadcast(b.y[j]), bz = V::broadcast(b.z[j]);
        V nearest = b_least[j - begin];
        for (int u = 0; u < V::unroll; ++u) {
          const V d = squared(x[u] - bx, y[u] - by, z[u] - bz);
          least[u] = min(least[u], d);
          nearest = min(nearest, d);
        }
        b_least[j - begin] = nearest;
      }
      for (int u = 0; u < V::unroll; ++u) least[u].store(a_least + i + u * V::width);
    }
  }

  static void both(Cloud a, Cloud b, T* a_least, T* b_least) {
    constexpr int64_t tile = 256;  // of b: its vectors of minima fit into the first-level cache
    V lanes[tile];
    for (int64_t i = 0; i < a.padded; ++i) a_least[i] = infinity;
    for (int64_t begin = 0; begin < b.size; begin += tile) {
      const int64_t end = begin + tile < b.size ? begin + tile : b.size;
      for (int64_t j = 0; j < end - begin; ++j) lanes[j] = V::broadcast(infinity);
      sweep(a, 0, a.padded, b, begin, end, a_least, lanes);
      for (int64_t j = begin; j < end; ++j) b_least[j] = lanes[j - begin].reduce_min();
    }
  }

  // The first of the points [begin, ...) of `cloud` whose squared distance to (px, py, pz) is `least`; there is one.
  static int32_t find(const Cloud& cloud, int64_t begin, T px, T py, T pz, T least) {
    const V x = V::broadcast(px), y = V::broadcast(py), z = V::broadcast(pz), bound = V::broadcast(least);
    constexpr uint32_t lanes = (uint32_t{1} << V::width) - 1;
    for (int64_t i = begin;; i += V::width) {
      const V d = squared(V::load(cloud.x + i) - x, V::load(cloud.y + i) - y, V::load(cloud.z + i) - z);
      const uint32_t reached = ~less(bound, d) & lanes;
      if (reached != 0) return static_cast<int32_t>(i + __builtin_ctz(reached));
    }
  }

  // To store an index with every minimum would double the work. It is enough to store the tile of the minimum, and to
  // search that tile once at the end.
  static void both_with_index(
      Cloud a, Cloud b, T* a_least, T* b_least, int32_t* a_nearest, int32_t* b_nearest) {
    constexpr int64_t a_tile = 256, b_tile = 64;
    V lanes[b_tile];
    alignas(64) T fresh[a_tile];
    for (int64_t i = 0; i < a.padded; ++i) a_least[i] = infinity, a_nearest[i] = 0;
    for (int64_t j = 0; j < b.size; ++j) b_least[j] = infinity, b_nearest[j] = 0;
    for (int64_t begin = 0; begin < b.size; begin += b_tile) {
      const int64_t end = begin + b_tile < b.size ? begin + b_tile : b.size;
      for (int64_t first = 0; first < a.padded; first += a_tile) {
        const int64_t last = first + a_tile < a.padded ? first + a_tile : a.padded;
        for (int64_t i = 0; i < last - first; ++i) fresh[i] = infinity;
        for (int64_t j = 0; j < end - begin; ++j) lanes[j] = V::broadcast(infinity);
        sweep(a, first, last, b, begin, end, fresh - first, lanes);
        for (int64_t i = first; i < last; ++i) {
          const bool nearer = fresh[i - first] < a_least[i];
          a_least[i] = nearer ? fresh[i - first] : a_least[i];
          a_nearest[i] = nearer ? static_cast<int32_t>(begin) : a_nearest[i];
        }
        for (int64_t j = begin; j < end; ++j) {
          const T least = lanes[j - begin].reduce_min();
          const bool nearer = least < b_least[j];
          b_least[j] = nearer ? least : b_least[j];
          b_nearest[j] = nearer ? static_cast<int32_t>(first) : b_nearest[j];
        }
      }
    }
    for (int64_t i = 0; i < a.size; ++i) a_nearest[i] = find(b, a_nearest[i], a.x[i], a.y[i], a.z[i], a_least[i]);
    for (int64_t j = 0; j < b.size; ++j) b_nearest[j] = find(a, b_nearest[j], b.x[j], b.y[j], b.z[j], b_least[j]);
  }

  static T one_way(Cloud a, Cloud b, T* a_least) {
    T largest = 0;
    for (int64_t i = 0; i < a.padded; i += stripe) {
      V x[V::unroll], y[V::unroll], z[V::unroll], least[V::unroll];
      for (int u = 0; u < V::unroll; ++u) {
        x[u] = V::load(a.x + i + u * V::width);
        y[u] = V::load(a.y + i + u * V::width);
        z[u] = V::load(a.z + i + u * V::width);
        least[u] = V::load(a_least + i + u * V::width);
      }
      for (int64_t j = 0; j < b.size; ++j) {
        const V bx = V::broadcast(b.x[j]), by = V::broadcast(b.y[j]), bz = V::broadcast(b.z[j]);
        for (int u = 0; u < V::unroll; ++u) least[u] = min(least[u], squared(x[u] - bx, y[u] - by, z[u] - bz));
      }
      V top = least[0];
      for (int u = 0; u < V::unroll; ++u) {
        least[u].store(a_least + i + u * V::width);
        top = max(top, least[u]);
      }
      const T most = top.reduce_max();
      largest = most > largest ? most : largest;
    }
    return largest;
  }

  static void box_distances(const T* box, const T* boxes, int64_t stride, int64_t count, T* out) {
    const V zero = V::broadcast(0);
    for (int64_t i = 0; i < count; i += V::width) {
      V apart[3];
      for (int k = 0; k < 3; ++k) {
        const V low = V::load(boxes + 2 * k * stride + i), high = V::load(boxes + (2 * k + 1) * stride + i);
        apart[k] = max(zero, max(low - V::broadcast(box[2 * k + 1]), V::broadcast(box[2 * k]) - high));
      }
      squared(apart[0], apart[1], apart[2]).store(out + i);
    }
  }

  static uint64_t within(Cloud cloud, T px, T py, T pz, T bound, T* distances) {
    const V x = V::broadcast(px), y = V::broadcast(py), z = V::broadcast(pz), limit = V::broadcast(bound);
    constexpr uint64_t lanes = (uint64_t{1} << V::width) - 1;
    uint64_t inside = 0;
    for (int64_t i = 0; i < 64; i += V::width) {
      const V d = squared(V::load(cloud.x + i) - x, V::load(cloud.y + i) - y, V::load(cloud.z + i) - z);
      d.store(distances + i);
      inside |= (~uint64_t{less(limit, d)} & lanes) << i;
    }
    return inside;
  }

  static int64_t farthest(Cloud cloud, T px, T py, T pz, T* least) {
    const V x = V::broadcast(px), y = V::broadcast(py), z = V::broadcast(pz);
    V top = V::broadcast(0);
    for (int64_t i = 0; i < cloud.padded; i += V::width) {
      const V d = squared(V::load(cloud.x + i) - x, V::load(cloud.y + i) - y, V::load(cloud.z + i) - z);
      const V lowered = min(V::load(least + i), d);
      lowered.store(least + i);
      top = max(top, lowered);
    }
    const V largest = V::broadcast(top.reduce_max());
    constexpr uint32_t lanes = (uint32_t{1} << V::width) - 1;
    int64_t i = 0;
    uint32_t reached = 0;
    for (; reached == 0; i += V::width) reached = ~less(V::load(least + i), largest) & lanes;
    return i - V::width + __builtin_ctz(reached);
  }

  static constexpr NearestKernels<T> kernels() { return {both, both_with_index, one_way, box_distances, within, farthest}; }
};

template <template <class> class Vec>
constexpr NearestTable nearest_table() {
  return {Nearest<Vec<float>>::kernels(), Nearest<Vec<double>>::kernels()};
}

}  // namespace pcgen
