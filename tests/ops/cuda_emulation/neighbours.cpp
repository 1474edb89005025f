// The neighbours' blocks run one after another on the CPU, in float and double, for tests where there is no GPU.
#include "cuda/neighbours_program.h"

#include <memory>

using namespace pcgen::cuda;

namespace {

// Call f(query, point, cloud of y, warp) as the warps of the grid do.
template <class T, class F>
void for_each_query(const T* x, const T* y, int batch, int n, int m, const F& f) {
  const int64_t count = int64_t{batch} * n;
  for (int64_t first = 0; first < count; first += warps)
    each_warp([&](int warp) {
      const int64_t query = first + warp;
      if (query >= count) return;
      const T* const p = x + 3 * query;
      f(query, Point<T>{p[0], p[1], p[2]}, y + query / n * m * 3, warp);
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
  for (int64_t b = 0; b < batch; ++b)
    farthest_block(x + b * n * 3, n, k, start[b], least.get(), shared, indices + b * k);
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
