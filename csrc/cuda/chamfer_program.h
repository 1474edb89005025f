// The programs of Chamfer's blocks. Nothing depends on the order of blocks, there are no atomics, and sums have a fixed
// order, so results repeat to the last bit.
#pragma once

#include <cstdint>

#include "cuda/block.h"

namespace pcgen::cuda {

constexpr int queries_per_thread = 4;
constexpr int queries_per_block = threads * queries_per_thread;

// A pair of clouds, x (n, 3) and y (m, 3), seen from one of them.
template <class T>
struct View {
  const T* x;
  const T* y;
  int n, m;
};

template <class T>
struct Shared {
  T x[threads], y[threads], z[threads];
  int index[threads];
  double sum[threads];
};

// The state of a thread's queries.
template <class T>
struct Queries {
  T x[queries_per_thread], y[queries_per_thread], z[queries_per_thread], least[queries_per_thread];
  int nearest[queries_per_thread];
};

template <class T>
PCGEN_DEVICE T squared(T dx, T dy, T dz) {
  return fma(dz, dz, fma(dy, dy, dx * dx));
}

// The least squared distance from each of the block's queries, points [first, first + queries_per_block) of x, to y;
// the nearest point is the first of several. A query that is not finite gets NaN. Every point is a query of one of the
// two sides, so such a point makes its pair's distance NaN; minima alone would ignore it.
template <class T>
PCGEN_DEVICE void find_nearest(const View<T>& view, int first, Shared<T>& shared, PerThread<Queries<T>>& queries) {
  step([&](int thread) {
    Queries<T>& q = queries[thread];
    for (int u = 0; u < queries_per_thread; ++u) {
      const int i = first + u * threads + thread;
      const T* const point = view.x + int64_t{3} * (i < view.n ? i : view.n - 1);
      q.x[u] = point[0], q.y[u] = point[1], q.z[u] = point[2];
      q.least[u] = static_cast<T>(INFINITY);
      q.nearest[u] = 0;
    }
  });
  for (int begin = 0; begin < view.m; begin += threads) {
    const int count = view.m - begin < threads ? view.m - begin : threads;
    step([&](int thread) {
      if (thread >= count) return;
      const T* const point = view.y + int64_t{3} * (begin + thread);
      shared.x[thread] = point[0], shared.y[thread] = point[1], shared.z[thread] = point[2];
    });
    step([&](int thread) {
      Queries<T>& q = queries[thread];
      for (int k = 0; k < count; ++k) {
        const T x = shared.x[k], y = shared.y[k], z = shared.z[k];
        for (int u = 0; u < queries_per_thread; ++u) {
          const T d = squared(q.x[u] - x, q.y[u] - y, q.z[u] - z);
          if (d < q.least[u]) q.least[u] = d, q.nearest[u] = begin + k;
        }
      }
    });
  }
  step([&](int thread) {
    Queries<T>& q = queries[thread];
    for (int u = 0; u < queries_per_thread; ++u) q.least[u] += 0 * q.x[u] + 0 * q.y[u] + 0 * q.z[u];
  });
}

// Write the results of find_nearest to least (n) and, unless null, nearest (n).
template <class T>
PCGEN_DEVICE void nearest_block(const View<T>& view, int first, Shared<T>& shared, T* least, int64_t* nearest) {
  PerThread<Queries<T>> queries;
  find_nearest(view, first, shared, queries);
  step([&](int thread) {
    const Queries<T>& q = queries[thread];
    for (int u = 0; u < queries_per_thread; ++u) {
      const int i = first + u * threads + thread;
      if (i >= view.n) continue;
      least[i] = q.least[u];
      if (nearest != nullptr) nearest[i] = q.nearest[u];
    }
  });
}

// The sum of a value over threads, in a fixed order.
template <class T>
PCGEN_DEVICE double sum_block(Shared<T>& shared, PerThread<double>& values) {
  step([&](int thread) { shared.sum[thread] = values[thread]; });
  for (int half = threads / 2; half > 0; half /= 2)
    step([&](int thread) {
      if (thread < half) shared.sum[thread] += shared.sum[thread + half];
    });
  const double total = shared.sum[0];
  step([](int) {});  // no thread overwrites the sums before all have read them
  return total;
}

template <class T>
PCGEN_DEVICE double mean_block(const T* values, int n, Shared<T>& shared) {
  PerThread<double> partial;
  step([&](int thread) {
    partial[thread] = 0;
    for (int i = thread; i < n; i += threads) partial[thread] += static_cast<double>(values[i]);
  });
  return sum_block(shared, partial) / n;
}

// The mean over x of the distance to the nearest point of y, squared or not, without storing the distances.
template <class T>
PCGEN_DEVICE double nearest_mean_block(const View<T>& view, bool squares, Shared<T>& shared) {
  PerThread<Queries<T>> queries;
  PerThread<double> partial;
  step([&](int thread) { partial[thread] = 0; });
  for (int first = 0; first < view.n; first += queries_per_block) {
    find_nearest(view, first, shared, queries);
    step([&](int thread) {
      for (int u = 0; u < queries_per_thread; ++u) {
        if (first + u * threads + thread >= view.n) continue;
        const double d = static_cast<double>(queries[thread].least[u]);
        partial[thread] += squares ? d : sqrt(d);
      }
    });
  }
  return sum_block(shared, partial) / view.n;
}

// The gradient of g * chamfer to the block's points [first, first + threads) of x: from each point's own nearest point,
// and from the points of y whose nearest point it is, in their order.
template <class T>
PCGEN_DEVICE void gradient_block(const View<T>& view, int first, T g, const int64_t* x_to_y, const int64_t* y_to_x,
                                 Shared<T>& shared, T* gradient) {
  struct Sum {
    T x, y, z, gx, gy, gz;
  };
  PerThread<Sum> sums;
  const T from_x = 2 * g / static_cast<T>(view.n), from_y = 2 * g / static_cast<T>(view.m);
  step([&](int thread) {
    const int i = first + thread < view.n ? first + thread : view.n - 1;
    const T *const p = view.x + int64_t{3} * i, *const q = view.y + 3 * x_to_y[i];
    sums[thread] = {p[0], p[1], p[2], from_x * (p[0] - q[0]), from_x * (p[1] - q[1]), from_x * (p[2] - q[2])};
  });
  for (int begin = 0; begin < view.m; begin += threads) {
    const int count = view.m - begin < threads ? view.m - begin : threads;
    step([&](int thread) {
      if (thread >= count) return;
      const T* const point = view.y + int64_t{3} * (begin + thread);
      shared.x[thread] = point[0], shared.y[thread] = point[1], shared.z[thread] = point[2];
      shared.index[thread] = static_cast<int>(y_to_x[begin + thread]);
    });
    step([&](int thread) {
      Sum& s = sums[thread];
      for (int k = 0; k < count; ++k) {
        if (shared.index[k] != first + thread) continue;
        s.gx += from_y * (s.x - shared.x[k]);
        s.gy += from_y * (s.y - shared.y[k]);
        s.gz += from_y * (s.z - shared.z[k]);
      }
    });
  }
  step([&](int thread) {
    if (first + thread >= view.n) return;
    T* const out = gradient + int64_t{3} * (first + thread);
    out[0] = sums[thread].gx, out[1] = sums[thread].gy, out[2] = sums[thread].gz;
  });
}

}  // namespace pcgen::cuda
