#include "cpu/nearest_pairs.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>
#include <vector>

#include "cpu/leaves.h"
#include "cpu/nearest.h"
#include "cpu/parallel.h"
#include "cpu/unpack.h"

namespace pcgen {
namespace {

// Brute force computes n * m pairs at the processor's best speed; from about this number, a search by leaves is faster.
constexpr int64_t search_above = int64_t{4096} * 4096;

template <class T, class Cloud>
struct UnpackedPairs {
  std::vector<Cloud> x, y;

  UnpackedPairs(const Pairs<T>& pairs, int64_t grain) : x(pairs.batch), y(pairs.batch) {
    const auto unpack = [&](int64_t task) {
      const int64_t b = task / 2;
      if (task % 2 == 0) {
        x[b] = Cloud(pairs.x + b * pairs.n * 3, pairs.n, "x", b);
      } else {
        y[b] = Cloud(pairs.y + b * pairs.m * 3, pairs.m, "y", b);
      }
    };
    parallel_for_each(2 * pairs.batch, unpack, grain);
  }
};

// A pair's points are divided into pieces if the batch alone would leave threads idle. Minima do not depend on them.
struct Pieces {
  int64_t count, length;

  Pieces(int64_t batch, int64_t padded) {
    constexpr int64_t unit = Coordinates<float>::padding;
    const int64_t threads = torch::stable::get_num_threads();
    const int64_t wanted = std::clamp<int64_t>((threads + batch - 1) / std::max<int64_t>(batch, 1), 1, padded / 256 + 1);
    length = (padded / unit + wanted - 1) / wanted * unit;
    count = (padded + length - 1) / length;
  }
};

template <class T>
Least<T> brute_force(const Pairs<T>& pairs, int64_t* x_to_y, int64_t* y_to_x) {
  const int64_t n = pairs.n, m = pairs.m;
  const UnpackedPairs<T, UnpackedCloud<T>> clouds(pairs, light_grain(std::max(n, m)));
  const int64_t padded = (n + Coordinates<T>::padding - 1) / Coordinates<T>::padding * Coordinates<T>::padding;
  const Pieces pieces(pairs.batch, padded);
  const bool with_index = x_to_y != nullptr;
  Least<T> least(pairs, padded, pieces.count * m);
  const std::unique_ptr<int32_t[]> x_nearest(new int32_t[with_index ? pairs.batch * padded : 0]);
  const std::unique_ptr<int32_t[]> y_nearest(new int32_t[with_index ? pairs.batch * pieces.count * m : 0]);

  parallel_for_each(pairs.batch * pieces.count, [&](int64_t task) {
    const int64_t b = task / pieces.count, first = task % pieces.count * pieces.length, at = b * padded + first;
    const auto from = clouds.x[b].coordinates().slice(first, std::min(first + pieces.length, n));
    const auto to = clouds.y[b].coordinates();
    T *const x_least = least.x.get() + at, *const y_least = least.y.get() + task * m;
    if (with_index) {
      nearest_kernels<T>().both_with_index(from, to, x_least, y_least, x_nearest.get() + at, y_nearest.get() + task * m);
    } else {
      nearest_kernels<T>().both(from, to, x_least, y_least);
    }
  });

  const auto merge = [&](int64_t b) {
    T* const best = least.y.get() + b * least.y_stride;
    if (with_index) {
      std::copy_n(x_nearest.get() + b * padded, n, x_to_y + b * n);
      std::copy_n(y_nearest.get() + b * pieces.count * m, m, y_to_x + b * m);
    }
    for (int64_t p = 1; p < pieces.count; ++p) {
      for (int64_t j = 0; j < m; ++j) {
        if (!(best[p * m + j] < best[j])) continue;
        best[j] = best[p * m + j];
        if (with_index) y_to_x[b * m + j] = y_nearest[(b * pieces.count + p) * m + j] + p * pieces.length;
      }
    }
  };
  parallel_for_each(pairs.batch, merge, light_grain(n + m));
  return least;
}

// The least squared distances from one leaf's points to all of `to`, and the nearest points. It visits leaves of `to`
// in order of their boxes' distance, until no other leaf can have a nearer point.
template <class T>
class LeafSearch {
 public:
  // `least` and `nearest` (or null) are in the cloud's own order.
  void run(const Leaves<T>& from, int64_t leaf, const Leaves<T>& to, T* least, int64_t* nearest) {
    const Coordinates<T> points = from.leaf(leaf);
    const auto look = [&](int64_t other) {
      return nearest == nullptr ? kernels_.one_way(points, to.leaf(other), least_)
                                : visit(points, to.leaf(other), to.original(other));
    };
    std::fill_n(least_, size, std::numeric_limits<T>::infinity());
    std::fill_n(index_, size, std::numeric_limits<int32_t>::max());

    measure_boxes(from, leaf, to);
    const int64_t closest = std::min_element(distances_.begin(), distances_.begin() + to.count()) - distances_.begin();
    T largest = look(closest);
    // Also at equality: a point of a lower index may be at the same distance.
    candidates_.clear();
    for (int64_t other = 0; other < to.count(); ++other)
      if (distances_[other] <= largest && other != closest)
        candidates_.emplace_back(distances_[other], static_cast<int32_t>(other));
    std::sort(candidates_.begin(), candidates_.end());
    for (const auto& [distance, other] : candidates_) {
      if (distance > largest) break;
      largest = look(other);
    }

    const int32_t* const original = from.original(leaf);
    for (int64_t i = 0; i < size; ++i) {
      least[original[i]] = least_[i];
      if (nearest != nullptr) nearest[original[i]] = index_[i];
    }
  }

 private:
  static constexpr int64_t size = Leaves<T>::leaf_size;

  void measure_boxes(const Leaves<T>& from, int64_t leaf, const Leaves<T>& to) {
    T box[6];
    for (int k = 0; k < 6; ++k) box[k] = from.boxes()[k * from.padded_count() + leaf];
    distances_.resize(to.padded_count());
    kernels_.box_distances(box, to.boxes(), to.padded_count(), to.padded_count(), distances_.data());
  }

  // Lower least_ by one leaf, and find the lowest index at each new least distance.
  T visit(const Coordinates<T>& points, const Coordinates<T>& other, const int32_t* original) {
    std::fill_n(fresh_, size, std::numeric_limits<T>::infinity());
    kernels_.one_way(points, other, fresh_);
    T largest = 0;
    for (int64_t i = 0; i < size; ++i) {
      if (fresh_[i] <= least_[i]) {
        int32_t found = std::numeric_limits<int32_t>::max();
        uint64_t inside = kernels_.within(other, points.x[i], points.y[i], points.z[i], fresh_[i], ignored_);
        for (; inside != 0; inside &= inside - 1) found = std::min(found, original[std::countr_zero(inside)]);
        index_[i] = fresh_[i] < least_[i] ? found : std::min(index_[i], found);
        least_[i] = fresh_[i];
      }
      largest = std::max(largest, least_[i]);
    }
    return largest;
  }

  const NearestKernels<T>& kernels_ = nearest_kernels<T>();
  std::vector<T> distances_;
  std::vector<std::pair<T, int32_t>> candidates_;
  alignas(64) T least_[size];
  alignas(64) T fresh_[size];
  alignas(64) T ignored_[size];
  int32_t index_[size];
};

template <class T>
Least<T> search(const Pairs<T>& pairs, int64_t* x_to_y, int64_t* y_to_x) {
  const int64_t n = pairs.n, m = pairs.m;
  const UnpackedPairs<T, Leaves<T>> clouds(pairs, 1);
  Least<T> least(pairs, n, m);
  const int64_t x_leaves = clouds.x[0].count(), leaves = x_leaves + clouds.y[0].count();
  parallel_for(pairs.batch * leaves, 1, [&](int64_t begin, int64_t end) {
    LeafSearch<T> search;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t b = task / leaves, leaf = task % leaves;
      if (leaf < x_leaves) {
        search.run(clouds.x[b], leaf, clouds.y[b], least.x.get() + b * n, x_to_y ? x_to_y + b * n : nullptr);
      } else {
        search.run(clouds.y[b], leaf - x_leaves, clouds.x[b], least.y.get() + b * m, y_to_x ? y_to_x + b * m : nullptr);
      }
    }
  });
  return least;
}

}  // namespace

template <class T>
Least<T> nearest_pairs(const Pairs<T>& pairs, int64_t* x_to_y, int64_t* y_to_x) {
  if (pairs.batch > 0 && pairs.n * pairs.m > search_above) return search(pairs, x_to_y, y_to_x);
  return brute_force(pairs, x_to_y, y_to_x);
}

template Least<float> nearest_pairs(const Pairs<float>&, int64_t*, int64_t*);
template Least<double> nearest_pairs(const Pairs<double>&, int64_t*, int64_t*);

}  // namespace pcgen
