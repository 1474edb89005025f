// A cloud prepared for matching: checked, converted to double, divided into groups of neighbouring points.
#pragma once

#include <climits>
#include <cstdint>

#include "cuda/block.h"
#include "cuda/pieces.h"

namespace pcgen::cuda::emd {

// Points per group, one for each lane of a warp.
constexpr int group = lanes;

// Properties of a cloud, and its points in the order of groups.
struct Facts {
  double low[3], high[3];
  double spacing;  // about the distance between neighbouring points
  int is_finite;
};

struct Cloud {
  const double* at;   // (3, n), in the order of groups
  const int* order;   // (n) the index in the caller's cloud of each; the order depends only on the coordinates
  const Facts* facts;
};

// The memory of a prepared cloud.
struct CloudPlaces {
  double* at;
  int* order;
  Facts* facts;
};

struct Extent {
  double low[3], high[3];
};

PCGEN_DEVICE Extent empty_extent() {
  const double far = static_cast<double>(INFINITY);
  return {{far, far, far}, {-far, -far, -far}};
}

PCGEN_DEVICE Extent united(Extent a, const Extent& b) {
  for (int k = 0; k < 3; ++k) {
    a.low[k] = b.low[k] < a.low[k] ? b.low[k] : a.low[k];
    a.high[k] = b.high[k] > a.high[k] ? b.high[k] : a.high[k];
  }
  return a;
}

// Computed from halves, which cannot overflow.
PCGEN_DEVICE double half_side(const Extent& e, int axis) { return e.high[axis] / 2 - e.low[axis] / 2; }

// A group with an outlier counts as so many times the median, since otherwise it could exceed all others together.
constexpr double most_of_median = 8;

struct CloudShared {
  Extent extent[warps];
  double median;  // of the groups' extents that are not 0
  double sum[warps];
  int is_finite[warps];
};

// The balanced k-d tree of a cloud, level by level: every level is a sort of all points by their cell and by the
// coordinate along the cell's widest side.
template <class T>
class Tree {
 public:
  PCGEN_ANYWHERE static int padded(int n) {
    int m = 2;
    while (m < n) m *= 2;
    return m;
  }

  PCGEN_ANYWHERE Tree(const T* points, int n, Pieces& pieces)
      : points_(points), n_(n), padded_(padded(n)), groups_((n + group - 1) / group) {
    key_ = pieces.take<double>(padded_);
    index_ = pieces.take<int>(padded_), begin_ = pieces.take<int>(padded_);
    end_ = pieces.take<int>(padded_), axis_ = pieces.take<int>(groups_);
  }

  PCGEN_DEVICE void build(const CloudPlaces& out, CloudShared& shared);

 private:
  PCGEN_DEVICE double at(int point, int axis) const { return static_cast<double>(points_[int64_t{3} * point + axis]); }
  PCGEN_DEVICE Extent extent_of(int begin, int end) const;
  PCGEN_DEVICE void choose_axes();
  PCGEN_DEVICE void sort();
  PCGEN_DEVICE bool before(int p, int q) const;
  PCGEN_DEVICE void split();
  PCGEN_DEVICE void describe(const CloudPlaces& out, CloudShared& shared);

  const T* points_;  // (n, 3)
  int n_, padded_, groups_;
  double* key_;  // (padded) the coordinate of the sort
  int* index_;   // (padded) the point
  int* begin_;   // (padded) the begin of its cell
  int* end_;     // (padded) by position: the end of the cell
  int* axis_;    // (groups) by the first group of a cell: the axis of its widest side
};

// The extent of the points at [begin, end), by one warp.
template <class T>
PCGEN_DEVICE Extent Tree<T>::extent_of(int begin, int end) const {
  PerLane<Extent> extent;
  each_lane([&](int lane) {
    extent[lane] = empty_extent();
    for (int k = begin + lane; k < end; k += lanes) {
      const int i = index_[k];
      const Extent point{{at(i, 0), at(i, 1), at(i, 2)}, {at(i, 0), at(i, 1), at(i, 2)}};
      extent[lane] = united(extent[lane], point);
    }
  });
  return reduce(extent, united);
}

template <class T>
PCGEN_DEVICE void Tree<T>::choose_axes() {
  each_warp([&](int warp) {
    for (int g = warp; g < groups_; g += warps) {
      const int begin = g * group;
      if (begin_[begin] != begin) continue;
      const Extent extent = extent_of(begin, end_[begin]);
      int widest = 0;
      for (int a = 1; a < 3; ++a) widest = half_side(extent, a) > half_side(extent, widest) ? a : widest;
      each_lane([&](int lane) {
        if (lane == 0) axis_[g] = widest;
      });
    }
  });
}

// Whether the point at position p is before the point at position q: a lexicographic order that begins with the cell's
// axis; ties by index.
template <class T>
PCGEN_DEVICE bool Tree<T>::before(int p, int q) const {
  if (begin_[p] != begin_[q]) return begin_[p] < begin_[q];
  if (begin_[p] != INT_MAX) {
    if (key_[p] != key_[q]) return key_[p] < key_[q];
    const int axis = axis_[begin_[p] / group];
    for (int a = axis + 1; a < axis + 3; ++a) {
      const double u = at(index_[p], a % 3), v = at(index_[q], a % 3);
      if (u != v) return u < v;
    }
  }
  return index_[p] < index_[q];
}

// Batcher's bitonic sort.
template <class T>
PCGEN_DEVICE void Tree<T>::sort() {
  step([&](int thread) {
    for (int k = thread; k < n_; k += threads) key_[k] = at(index_[k], axis_[begin_[k] / group]);
  });
  for (int size = 2; size <= padded_; size *= 2) {
    for (int distance = size / 2; distance > 0; distance /= 2) {
      step([&](int thread) {
        for (int k = thread; k < padded_ / 2; k += threads) {
          const int p = ((k & ~(distance - 1)) << 1) | (k & (distance - 1)), q = p + distance;
          if (before(q, p) != ((p & size) == 0)) continue;
          const double key = key_[p];
          const int index = index_[p], begin = begin_[p];
          key_[p] = key_[q], index_[p] = index_[q], begin_[p] = begin_[q];
          key_[q] = key, index_[q] = index, begin_[q] = begin;
        }
      });
    }
  }
}

// Divides every cell of more than one group into two.
template <class T>
PCGEN_DEVICE void Tree<T>::split() {
  step([&](int thread) {
    for (int k = thread; k < n_; k += threads) {
      const int begin = begin_[k], end = end_[k], groups = (end - begin + group - 1) / group;
      if (groups < 2) continue;
      const int middle = begin + groups / 2 * group;
      if (k < middle) end_[k] = middle;
      else begin_[k] = middle;
    }
  });
}

// The extent of 32 neighbours is about 6.6 times the distance between two of them, on a surface or in a volume.
template <class T>
PCGEN_DEVICE void Tree<T>::describe(const CloudPlaces& out, CloudShared& shared) {
  each_warp([&](int warp) {
    Extent all = empty_extent();
    uint32_t infinite = 0;
    for (int g = warp; g < groups_; g += warps) {
      const int begin = g * group, end = begin + group < n_ ? begin + group : n_;
      const Extent extent = extent_of(begin, end);
      all = united(all, extent);
      const double size = hypot(hypot(half_side(extent, 0), half_side(extent, 1)), half_side(extent, 2));
      each_lane([&](int lane) {
        if (lane == 0) key_[g] = size;  // the sort needs no keys any more
      });
      infinite |= ballot([&](int lane) {
        if (begin + lane >= end) return false;
        const int i = index_[begin + lane];
        return !(0 * at(i, 0) + 0 * at(i, 1) + 0 * at(i, 2) == 0);
      });
    }
    each_lane([&](int lane) {
      if (lane != 0) return;
      shared.extent[warp] = all, shared.is_finite[warp] = infinite == 0;
      if (warp == 0) shared.median = 0;
    });
  });
  step([&](int thread) {
    for (int g = thread; g < groups_; g += threads) {
      int wide = 0, less = 0;
      for (int other = 0; other < groups_; ++other) {
        wide += key_[other] > 0;
        less += key_[other] > 0 && (key_[other] < key_[g] || (key_[other] == key_[g] && other < g));
      }
      if (key_[g] > 0 && less == (wide - 1) / 2) shared.median = key_[g];
    }
  });
  each_warp([&](int warp) {
    const double most = most_of_median * shared.median;
    double sum = 0;
    for (int g = warp; g < groups_; g += warps) sum += (key_[g] < most ? key_[g] : most) / (3.3 * groups_);
    each_lane([&](int lane) {
      if (lane == 0) shared.sum[warp] = sum;
    });
  });
  step([&](int thread) {
    if (thread == 0) {
      Extent all = empty_extent();
      Facts facts{};
      facts.is_finite = 1;
      for (int w = 0; w < warps; ++w) {
        all = united(all, shared.extent[w]);
        facts.spacing += shared.sum[w], facts.is_finite &= shared.is_finite[w];
      }
      for (int a = 0; a < 3; ++a) facts.low[a] = all.low[a], facts.high[a] = all.high[a];
      *out.facts = facts;
    }
    for (int k = thread; k < n_; k += threads) {
      out.order[k] = index_[k];
      for (int a = 0; a < 3; ++a) out.at[a * int64_t{n_} + k] = at(index_[k], a);
    }
  });
}

template <class T>
PCGEN_DEVICE void Tree<T>::build(const CloudPlaces& out, CloudShared& shared) {
  step([&](int thread) {
    for (int k = thread; k < padded_; k += threads) {
      key_[k] = 0, index_[k] = k, begin_[k] = k < n_ ? 0 : INT_MAX, end_[k] = n_;
    }
  });
  for (int widest = groups_; widest > 1; widest = (widest + 1) / 2) {
    choose_axes();
    sort();
    split();
  }
  step([&](int thread) {
    for (int g = thread; g < groups_; g += threads) axis_[g] = 0;
  });
  sort();
  describe(out, shared);
}

}  // namespace pcgen::cuda::emd
