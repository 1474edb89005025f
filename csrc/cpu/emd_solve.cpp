#include "cpu/emd_solve.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <stdexcept>

#include "cpu/instruction_set.h"

namespace pcgen {
namespace portable {
extern const emd::Kernels emd_kernels;
}
namespace avx2 {
extern const emd::Kernels emd_kernels;
}
namespace avx512 {
extern const emd::Kernels emd_kernels;
}
}  // namespace pcgen

namespace pcgen::emd {
namespace {

constexpr const Kernels* units[] = PCGEN_UNITS(emd_kernels);

// Zeroed memory, handed out in pieces that begin on a cache line.
class Arena {
 public:
  explicit Arena(int64_t bytes) : memory_(new(std::align_val_t{64}) char[bytes]()), next_(memory_) {}
  ~Arena() { ::operator delete[](memory_, std::align_val_t{64}); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  template <class T>
  T* take(int64_t count) {
    T* const piece = reinterpret_cast<T*>(next_);
    next_ += (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return piece;
  }

 private:
  char* memory_;
  char* next_;
};

double middle(double low, double high) { return low / 2 + high / 2; }
double half(double low, double high) { return high / 2 - low / 2; }

// What the sizes of two clouds say about the problem.
struct Geometry {
  int exponent = 0;             // of the power of two that brings the common box's larger side to (1/2, 1]: exact, unlike a shift
  double size, spacing;         // as in Problem, times that power
  bool is_fine = false;         // whether float cannot resolve it

  Geometry(const Cloud& x, const Cloud& y) {
    double common = 0, own = 0;
    for (int a = 0; a < 3; ++a) {
      common = std::max(common, half(std::min(x.low(a), y.low(a)), std::max(x.high(a), y.high(a))));
      own = std::max({own, half(x.low(a), x.high(a)), half(y.low(a), y.high(a))});
    }
    std::frexp(common, &exponent);
    exponent = std::clamp(exponent + 1, -1000, 1000);  // beyond, the factor itself would leave the range of double
    const double scale = std::ldexp(1.0, -exponent);
    double apart[3];
    for (int a = 0; a < 3; ++a) apart[a] = (middle(x.low(a), x.high(a)) - middle(y.low(a), y.high(a))) * scale;
    size = 2 * (own * scale);
    spacing = y.spacing() * scale;
    // Seen from afar, a step sideways changes a distance by a small share of it.
    if (size > 0) spacing *= size / (size + std::hypot(apart[0], apart[1], apart[2]));
    is_fine = spacing > 0 && spacing < 0x1p-12;
  }
};

}  // namespace

Value solve(const Cloud& x, const Cloud& y, double gap, const double* start, const Places& out) {
  const int n = x.size(), slots = (n + kBlock - 1) / kBlock * kBlock;
  const Geometry geometry(x, y);
  const double scale = std::ldexp(1.0, -geometry.exponent), unit = std::ldexp(1.0, geometry.exponent);

  const Kernels& kernels = choose(units);
  const int64_t scratch = (geometry.is_fine ? kernels.wide_bytes : kernels.single_bytes)(slots);
  Arena arena(8 * (8LL * slots + 64) + 2 * (4LL * slots + 64) + scratch);
  Problem problem;
  problem.size = geometry.size, problem.spacing = geometry.spacing;
  problem.n = n, problem.slots = slots, problem.gap = gap, problem.warm = start != nullptr;
  for (int a = 0; a < 3; ++a) {
    double *const px = arena.take<double>(slots), *const py = arena.take<double>(slots);
    for (int i = 0; i < n; ++i) px[i] = x.sorted(a)[i] * scale, py[i] = y.sorted(a)[i] * scale;
    problem.x[a] = px, problem.y[a] = py;
    problem.centre[a] = (std::min(x.low(a), y.low(a)) / 2 + std::max(x.high(a), y.high(a)) / 2) * scale;
  }
  problem.price = arena.take<double>(slots), problem.profit = arena.take<double>(slots);
  problem.column = arena.take<int>(slots), problem.row = arena.take<int>(slots);
  problem.memory = arena.take<char>(scratch);
  if (start != nullptr) {
    // Only differences count, and no optimum needs one above the diameter, which is below 4 here.
    const double highest = *std::max_element(start, start + n);
    for (int j = 0; j < n; ++j) problem.price[j] = std::min((highest - start[y.order()[j]]) * scale, 4.0);
  }

  (geometry.is_fine ? kernels.wide : kernels.single)(problem);
  if (!problem.solved) throw std::runtime_error("match: no certified matching within the bound on the work");

  for (int i = 0; i < n; ++i) {
    if (out.index != nullptr) out.index[x.order()[i]] = y.order()[problem.column[i]];
    if (out.x_dual != nullptr) out.x_dual[x.order()[i]] = problem.profit[i] * unit;
    if (out.y_dual != nullptr) out.y_dual[y.order()[i]] = -problem.price[i] * unit;
  }
  return {problem.cost / n * unit, problem.bound / n * unit, problem.work};
}

}  // namespace pcgen::emd
