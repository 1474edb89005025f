// The programs of neighbour search, with one warp per query, and of farthest point sampling, with one block per cloud.
// Distances are rounded as in the CPU's vector kernels, and ties go to the lower index, so both give the same results.
#pragma once

#include <cstdint>

#include "cuda/block.h"

namespace pcgen::cuda {

constexpr int short_list = 64;  // up to this k a warp's list of nearest is in shared memory

template <class T>
struct Lists {
  T squares[warps][short_list];
  int indices[warps][short_list];
};

template <class T>
struct Point {
  T x, y, z;

  PCGEN_DEVICE static Point load(const T* cloud, int i) {
    const T* const p = cloud + int64_t{3} * i;
    return {p[0], p[1], p[2]};
  }

  PCGEN_DEVICE T squared_distance(const Point& other) const {
    const T dx = x - other.x, dy = y - other.y, dz = z - other.z;
    return fused(dz, dz, fused(dy, dy, dx * dx));
  }

  // 0, or NaN if a coordinate is not finite.
  PCGEN_DEVICE T taint() const { return 0 * x + 0 * y + 0 * z; }
};

// A warp inserts point i at squared distance d into its sorted list of the k least, which has `found` entries, after
// those with an equal or smaller distance.
template <class T, class Index>
PCGEN_DEVICE void insert(T* squares, Index* indices, int k, int found, T d, int i) {
  int place = 0;
  for (int first = 0; first < found; first += lanes)
    place += count_bits(ballot([&](int lane) { return first + lane < found && !(d < squares[first + lane]); }));
  const int last = found < k ? found : k - 1;
  for (int first = last / lanes * lanes; first + lanes > place; first -= lanes) {
    PerLane<T> square;
    PerLane<Index> index;
    each_lane([&](int lane) {
      const int p = first + lane;
      if (p > place && p <= last) square[lane] = squares[p - 1], index[lane] = indices[p - 1];
    });
    each_lane([&](int lane) {
      const int p = first + lane;
      if (p > place && p <= last) squares[p] = square[lane], indices[p] = index[lane];
      if (p == place) squares[p] = d, indices[p] = i;
    });
  }
}

// A warp collects the k points of y (m, 3) nearest to a query in its list; returns 0, or NaN if y has a point that is
// not finite, which counts as infinitely far.
template <class T, class Index>
PCGEN_DEVICE T collect(const Point<T>& query, const T* y, int m, int k, T* squares, Index* indices) {
  const T infinity = static_cast<T>(INFINITY);
  const auto squared = [&](const Point<T>& point) {
    const T d = query.squared_distance(point);
    return d < infinity ? d : infinity;
  };
  PerLane<T> distance, taint;
  each_lane([&](int lane) { taint[lane] = 0; });
  for (int first = 0; first < m; first += lanes) {
    each_lane([&](int lane) {
      if (first + lane >= m) return;
      const Point<T> point = Point<T>::load(y, first + lane);
      distance[lane] = squared(point);
      taint[lane] += point.taint();
    });
    const T farthest = first < k ? infinity : squares[k - 1];
    // The first k points are inserted for any distance, so the list has min(i, k) entries before point i.
    uint32_t nearer = ballot([&](int lane) {
      const int i = first + lane;
      return i < m && (i < k || distance[lane] < farthest);
    });
    for (; nearer != 0; nearer &= nearer - 1) {
      const int i = first + first_bit(nearer);
      const T d = squared(Point<T>::load(y, i));
      if (i < k || d < squares[k - 1]) insert(squares, indices, k, i < k ? i : k, d, i);
    }
  }
  return ballot([&](int lane) { return taint[lane] != 0; }) == 0 ? T{0} : static_cast<T>(NAN);
}

// Writes the k points of y (m, 3) nearest to `query`, nearest first, to squares (k) and indices (k). A coordinate that
// is not finite, of the query or in y, makes the squares NaN.
template <class T>
PCGEN_DEVICE void nearest_warp(const Point<T>& query, const T* y, int m, int k, int warp, Lists<T>& lists, T* squares,
                               int64_t* indices) {
  T taint = query.taint();
  if (k <= short_list) {
    T* const list = lists.squares[warp];
    int* const list_indices = lists.indices[warp];
    taint += collect(query, y, m, k, list, list_indices);
    each_lane([&](int lane) {
      for (int p = lane; p < k; p += lanes) squares[p] = list[p] + taint, indices[p] = list_indices[p];
    });
  } else {
    taint += collect(query, y, m, k, squares, indices);
    each_lane([&](int lane) {
      for (int p = lane; p < k; p += lanes) squares[p] += taint;
    });
  }
}

// Writes the first k points of y (m, 3) with a squared distance to `query` of at most `bound` to indices (k), padded
// with -1.
template <class T>
PCGEN_DEVICE void ball_warp(const Point<T>& query, const T* y, int m, T bound, int k, int64_t* indices) {
  int found = 0;
  for (int first = 0; first < m && found < k; first += lanes) {
    const uint32_t inside = ballot([&](int lane) {
      return first + lane < m && query.squared_distance(Point<T>::load(y, first + lane)) <= bound;
    });
    each_lane([&](int lane) {
      const int place = found + count_bits(inside & ((uint32_t{1} << lane) - 1));
      if ((inside >> lane & 1) != 0 && place < k) indices[place] = first + lane;
    });
    found += count_bits(inside);
  }
  each_lane([&](int lane) {
    for (int p = found + lane; p < k; p += lanes) indices[p] = -1;
  });
}

template <class T>
struct Farthest {
  T square;
  int index;
};

template <class T>
PCGEN_DEVICE Farthest<T> farther(const Farthest<T>& a, const Farthest<T>& b) {
  return b.square > a.square || (b.square == a.square && b.index < a.index) ? b : a;
}

// Writes k points of x (n, 3), from `start` on, each the farthest from those before it, to indices (k). `least` (n) is
// memory for the squared distance of each point to the chosen ones. A point that is not finite is infinitely far from
// all points, also from itself.
template <class T>
PCGEN_DEVICE void farthest_block(const T* x, int n, int k, int64_t start, T* least, Farthest<T>* shared,
                                 int64_t* indices) {
  int next = start < 0 ? 0 : start < n ? static_cast<int>(start) : n - 1;  // the caller has checked it
  PerThread<Farthest<T>> own;
  for (int turn = 0;; ++turn) {
    const Point<T> chosen = Point<T>::load(x, next);
    step([&](int thread) {
      if (thread == 0) indices[turn] = next;
      own[thread] = {-1, n};
      for (int i = thread; i < n; i += threads) {
        const T d = chosen.squared_distance(Point<T>::load(x, i));
        const T before = turn == 0 ? static_cast<T>(INFINITY) : least[i];
        least[i] = d < before ? d : before;
        own[thread] = farther(own[thread], {least[i], i});
      }
    });
    if (turn + 1 == k) return;
    each_warp([&](int warp) {
      PerLane<Farthest<T>> values;
      each_lane([&](int lane) { values[lane] = own[warp * lanes + lane]; });
      const Farthest<T> best = reduce(values, [](const Farthest<T>& a, const Farthest<T>& b) { return farther(a, b); });
      each_lane([&](int lane) {
        if (lane == 0) shared[warp] = best;
      });
    });
    Farthest<T> best = shared[0];
    for (int warp = 1; warp < warps; ++warp) best = farther(best, shared[warp]);
    next = best.index;
  }
}

}  // namespace pcgen::cuda
