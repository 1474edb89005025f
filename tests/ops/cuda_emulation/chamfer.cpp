// Chamfer's blocks run one after another on the CPU, in float and double, for tests where there is no GPU.
#include "cuda/chamfer_program.h"

#include <memory>

using namespace pcgen::cuda;

namespace {

template <class T>
View<T> side(const T* x, const T* y, int n, int m, int64_t b, bool turned) {
  const T *const px = x + b * n * 3, *const py = y + b * m * 3;
  return turned ? View<T>{py, px, m, n} : View<T>{px, py, n, m};
}

template <class T>
void chamfer(const T* x, const T* y, int batch, int n, int m, T* out, int64_t* x_to_y, int64_t* y_to_x) {
  auto shared = std::make_unique<Shared<T>>();
  const std::unique_ptr<T[]> least(new T[n + m]);
  for (int64_t b = 0; b < batch; ++b) {
    for (const bool turned : {false, true}) {
      const View<T> view = side(x, y, n, m, b, turned);
      int64_t* const nearest = turned ? y_to_x + b * m : x_to_y + b * n;
      for (int first = 0; first < view.n; first += queries_per_block)
        nearest_block(view, first, *shared, least.get() + (turned ? n : 0), nearest);
    }
    out[b] = static_cast<T>(mean_block(least.get(), n, *shared) + mean_block(least.get() + n, m, *shared));
  }
}

template <class T>
void gradient(const T* g, const T* x, const T* y, int batch, int n, int m, const int64_t* x_to_y, const int64_t* y_to_x,
              T* x_gradient, T* y_gradient) {
  auto shared = std::make_unique<Shared<T>>();
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t *const forth = x_to_y + b * n, *const back = y_to_x + b * m;
    for (int first = 0; first < n; first += threads)
      gradient_block(side(x, y, n, m, b, false), first, g[b], forth, back, *shared, x_gradient + b * n * 3);
    for (int first = 0; first < m; first += threads)
      gradient_block(side(x, y, n, m, b, true), first, g[b], back, forth, *shared, y_gradient + b * m * 3);
  }
}

template <class T>
void matrix(const T* a, const T* b, int rows, int columns, int n, int m, bool squared, double* to_b, double* to_a) {
  auto shared = std::make_unique<Shared<T>>();
  for (int64_t pair = 0; pair < int64_t{rows} * columns; ++pair) {
    const T *const x = a + pair / columns * n * 3, *const y = b + pair % columns * m * 3;
    to_b[pair] = nearest_mean_block(View<T>{x, y, n, m}, squared, *shared);
    to_a[pair] = nearest_mean_block(View<T>{y, x, m, n}, squared, *shared);
  }
}

}  // namespace

#define EXPORT(T)                                                                                                        \
  extern "C" void chamfer_##T(const T* x, const T* y, int batch, int n, int m, T* out, int64_t* i, int64_t* j) {         \
    chamfer(x, y, batch, n, m, out, i, j);                                                                              \
  }                                                                                                                      \
  extern "C" void gradient_##T(const T* g, const T* x, const T* y, int batch, int n, int m, const int64_t* i,            \
                               const int64_t* j, T* gx, T* gy) {                                                         \
    gradient(g, x, y, batch, n, m, i, j, gx, gy);                                                                        \
  }                                                                                                                      \
  extern "C" void matrix_##T(const T* a, const T* b, int rows, int columns, int n, int m, bool squared, double* to_b,    \
                             double* to_a) {                                                                             \
    matrix(a, b, rows, columns, n, m, squared, to_b, to_a);                                                              \
  }
EXPORT(float)
EXPORT(double)
