// The blocks of the exact EMD run one after another on the CPU, for tests where there is no GPU.
//
// With PCGEN_WARPS_RACE this is a program that solves a few pairs by warps that race; it fails where a proof does.
#include "cuda/emd_program.h"

#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

using namespace pcgen::cuda;
using namespace pcgen::cuda::emd;

namespace {

// Aligned as the GPU's is.
class Memory {
 public:
  explicit Memory(int64_t bytes) : memory_(new(std::align_val_t{128}) char[bytes + 1]) {}
  ~Memory() { ::operator delete[](memory_, std::align_val_t{128}); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  char* data() const { return memory_; }

 private:
  char* memory_;
};

// A set of clouds made ready, and the memory that holds it.
template <class T>
class Prepared {
 public:
  Prepared(const T* points, int64_t count, int n) : memory_(bytes(count, n)), clouds(places(count, n)) {
    Pieces counted(nullptr);
    Tree<T>(points, n, counted);
    const Memory scratch(counted.used());
    auto shared = std::make_unique<CloudShared>();
    run_block([&] {
      for (int64_t c = 0; c < count; ++c) prepare_block(points, c, n, clouds, scratch.data(), *shared);
    });
  }

 private:
  static int64_t bytes(int64_t count, int n) {
    Pieces counted(nullptr);
    Clouds(count, n, counted);
    return counted.used();
  }
  Clouds places(int64_t count, int n) {
    Pieces pieces(memory_.data());
    return Clouds(count, n, pieces);
  }

  Memory memory_;

 public:
  Clouds clouds;
};

// f(solver) for a solver of one kind.
template <class Real, class F>
void with_solver(int n, const F& f) {
  auto shared = std::make_unique<Shared>();
  Pieces fast(nullptr), rest(nullptr);
  Solver<Real>(n, fast, rest, *shared);
  const Memory near(fast.used()), far(rest.used());
  Pieces fast_pieces(near.data()), rest_pieces(far.data());
  Solver<Real> solver(n, fast_pieces, rest_pieces, *shared);
  f(solver);
}

// f(pair, solver) for all pairs, by one solver after the other, as the kernels do.
template <class F>
void for_pairs(const Pairs& pairs, const F& f) {
  const auto all = [&](auto& solver) {
    run_block([&] {
      for (int64_t pair = 0; pair < pairs.count; ++pair) f(pair, solver);
    });
  };
  with_solver<float>(pairs.n, all);
  with_solver<double>(pairs.n, all);
}

template <class T>
void solve(const T* x, const T* y, int64_t rows, int64_t columns, int n, bool all, double gap, const double* start,
           const Results& out) {
  const Prepared<T> px(x, rows, n), py(y, columns, n);
  const Pairs pairs{px.clouds, py.clouds, n, all ? rows * columns : rows, all ? columns : 0};
  for_pairs(pairs, [&](int64_t pair, auto& solver) { match_block(pairs, pair, gap, start, out, solver); });
}

template <class T>
void bounds(const T* x, const T* y, int64_t batch, int n, const double* x_dual, double* bound) {
  const Prepared<T> px(x, batch, n), py(y, batch, n);
  const Pairs pairs{px.clouds, py.clouds, n, batch, 0};
  for_pairs(pairs, [&](int64_t pair, auto& solver) { bound_block(pairs, pair, x_dual, bound, solver); });
}

}  // namespace

extern "C" void set_order(uint64_t seed) { order_seed = seed; }

#define EXPORT(T)                                                                                                      \
  extern "C" void match_##T(const T* x, const T* y, int batch, int n, double gap, const double* start, int64_t* index, \
                            double* cost, double* bound, double* x_dual, double* y_dual, float* value) {               \
    solve(x, y, batch, batch, n, false, gap, start, {cost, value, bound, index, x_dual, y_dual});                      \
  }                                                                                                                    \
  extern "C" void matrix_##T(const T* a, const T* b, int rows, int columns, int n, double gap, double* cost) {         \
    solve(a, b, rows, columns, n, true, gap, nullptr, {cost, nullptr, nullptr, nullptr, nullptr, nullptr});            \
  }                                                                                                                    \
  extern "C" void lower_bound_##T(const T* x, const T* y, int batch, int n, const double* x_dual, double* bound) {     \
    bounds(x, y, batch, n, x_dual, bound);                                                                             \
  }                                                                                                                    \
  extern "C" void gradient_##T(const T* g, const T* x, const T* y, int batch, int n, const int64_t* index, T* gx,      \
                               T* gy) {                                                                                \
    run_block([&] {                                                                                                    \
      for (int b = 0; b < batch; ++b) gradient_block(b, n, g, x, y, index, gx, gy);                                    \
    });                                                                                                                \
  }
EXPORT(float)
EXPORT(double)

#ifdef PCGEN_WARPS_RACE

namespace {

template <class T>
bool proves(int n, int values, T apart, double gap, bool has_outlier = false) {
  constexpr int batch = 2;
  std::vector<T> x(batch * n * 3), y(x), gx(x), gy(x), g(batch, T(1));
  for (T& v : x) v = static_cast<T>(std::rand() % values) / static_cast<T>(values);
  for (T& v : y) v = static_cast<T>(std::rand() % values) / static_cast<T>(values) + apart;
  if (has_outlier) {
    for (int k = 0; k < batch * n * 3; k += n * 3) x[k] = y[k] = T(1e15);  // hides the optimum in the first try
  }
  std::vector<int64_t> index(batch * n);
  std::vector<double> cost(batch), bound(batch), u(batch * n), v(batch * n);
  const Results out{cost.data(), nullptr, bound.data(), index.data(), u.data(), v.data()};
  solve(x.data(), y.data(), batch, batch, n, false, gap, nullptr, out);
  solve(x.data(), y.data(), batch, batch, n, false, gap, v.data(), out);  // from the duals just found
  bool proved = true;
  for (int b = 0; b < batch; ++b) proved = proved && cost[b] - bound[b] <= (gap + 1e-12) * cost[b];
  bounds(x.data(), y.data(), batch, n, u.data(), bound.data());
  for (int b = 0; b < batch; ++b) proved = proved && bound[b] <= cost[b];
  run_block([&] {
    for (int b = 0; b < batch; ++b) {
      gradient_block(b, n, g.data(), x.data(), y.data(), index.data(), gx.data(), gy.data());
    }
  });
  return proved;
}

}  // namespace

int main() {
  bool proved = proves<float>(100, 1 << 20, 0, 0) && proves<float>(100, 1 << 20, 0, 0.05);
  proved = proves<float>(70, 3, 0, 0) && proved;            // many ties
  proved = proves<double>(70, 1 << 20, 1e5, 0) && proved;  // floats cannot tell distances apart
  proved = proves<float>(5, 1, 0, 0) && proved;            // one place
  proved = proves<double>(12, 1 << 20, 0, 0, true) && proved;
  return proved ? 0 : 1;
}

#endif
