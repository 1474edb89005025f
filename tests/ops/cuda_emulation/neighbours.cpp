// The neighbours' blocks run one after another on the CPU, in float and double, for tests where there is no GPU.
#include "cuda/neighbours_program.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

using namespace pcgen::cuda;

namespace {

// Call f(query, point, cloud of y, warp) as the warps of the grid do.
template <class T, class F>
void for_each_query(const T* x, const T* y, int batch, int n, int m, const F& f) {
  const int64_t count = int64_t{batch} * n;
  run_block([&] {
    for (int64_t first = 0; first < count; first += warps)
      each_warp([&](int warp) {
        const int64_t query = first + warp;
        if (query >= count) return;
        const T* const p = x + 3 * query;
        f(query, Point<T>{p[0], p[1], p[2]}, y + query / n * m * 3, warp);
      });
  });
}

template <class T>
void knn(const T* x, const T* y, int batch, int n, int m, int k, T* squares, int64_t* indices) {
  auto lists = std::make_unique<Lists<T>>();
  for_each_query(x, y, batch, n, m, [&](int64_t query, const Point<T>& point, const T* cloud, int warp) {
    nearest_warp(point, cloud, m, k, warp, *lists, squares + query * k, indices + query * k);
  });
}

template <class T>
void ball_query(const T* x, const T* y, int batch, int n, int m, double radius, int k, int64_t* indices) {
  for_each_query(x, y, batch, n, m, [&](int64_t query, const Point<T>& point, const T* cloud, int) {
    ball_warp(point, cloud, m, static_cast<T>(radius * radius), k, indices + query * k);
  });
}

template <class T>
void farthest_points(const T* x, int batch, int n, int k, const int64_t* start, int64_t* indices) {
  const std::unique_ptr<T[]> least(new T[n]);
  Farthest<T> shared[warps];
  run_block([&] {
    for (int64_t b = 0; b < batch; ++b)
      farthest_block(x + b * n * 3, n, k, start[b], least.get(), shared, indices + b * k);
  });
}

}  // namespace

extern "C" void set_order(uint64_t seed) { order_seed = seed; }

#define EXPORT(T)                                                                                                      \
  extern "C" void knn_##T(const T* x, const T* y, int batch, int n, int m, int k, T* squares, int64_t* indices) {      \
    knn(x, y, batch, n, m, k, squares, indices);                                                                      \
  }                                                                                                                    \
  extern "C" void ball_query_##T(const T* x, const T* y, int batch, int n, int m, double radius, int k, int64_t* i) {  \
    ball_query(x, y, batch, n, m, radius, k, i);                                                                      \
  }                                                                                                                    \
  extern "C" void farthest_points_##T(const T* x, int batch, int n, int k, const int64_t* start, int64_t* indices) {   \
    farthest_points(x, batch, n, k, start, indices);                                                                  \
  }
EXPORT(float)
EXPORT(double)

#ifdef PCGEN_WARPS_RACE

// Whether a few clouds of a lattice, which is full of ties, have the neighbours that plain loops find.
int main() {
  constexpr int batch = 2, n = 300, m = 77, k = 70, count = 40;
  std::vector<float> x(batch * n * 3), y(batch * m * 3), squares(batch * n * k);
  for (float& v : x) v = static_cast<float>(std::rand() % 5);
  for (float& v : y) v = static_cast<float>(std::rand() % 5);
  std::vector<int64_t> nearest(batch * n * k), ball(nearest), chosen(batch * count), start{7, 299};
  knn(x.data(), y.data(), batch, n, m, k, squares.data(), nearest.data());
  ball_query(x.data(), y.data(), batch, n, m, 100.0, k, ball.data());
  farthest_points(x.data(), batch, n, count, start.data(), chosen.data());
  const auto squared = [](const float* p, const float* q) {
    return (p[0] - q[0]) * (p[0] - q[0]) + (p[1] - q[1]) * (p[1] - q[1]) + (p[2] - q[2]) * (p[2] - q[2]);
  };
  for (int query = 0; query < batch * n; ++query) {
    const float *const cloud = y.data() + query / n * m * 3, *const point = x.data() + 3 * query;
    std::vector<int64_t> order(m);
    for (int i = 0; i < m; ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
      return squared(point, cloud + 3 * i) < squared(point, cloud + 3 * j);
    });
    for (int p = 0; p < k; ++p)
      if (nearest[query * k + p] != order[p] || ball[query * k + p] != p) return 1;
  }
  for (int b = 0; b < batch; ++b) {
    std::vector<float> least(n, INFINITY);
    int64_t next = start[b];
    for (int turn = 0; turn < count; ++turn) {
      if (chosen[b * count + turn] != next) return 1;
      const float* const cloud = x.data() + b * n * 3;
      for (int i = 0; i < n; ++i) least[i] = std::min(least[i], squared(cloud + 3 * next, cloud + 3 * i));
      next = std::max_element(least.begin(), least.end()) - least.begin();
    }
  }
  return 0;
}

#endif
