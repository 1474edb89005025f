#include "cpu/emd_solve.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <sstream>
#include <stdexcept>

#include "cpu/emd_closed.h"
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

// Zeroed memory, divided into pieces that begin on a cache line.
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

// The scale of the problem, from the sizes of two clouds.
struct Geometry {
  // Exponent of the power of two that scales the common box's larger side to (1/2, 1]; exact, unlike a translation.
  int exponent = 0;
  double size, spacing;  // as in Problem, times that power
  bool is_fine = false;  // whether float cannot resolve the spacing

  Geometry(const Cloud& x, const Cloud& y) {
    double common = 0, own = 0;
    for (int a = 0; a < 3; ++a) {
      common = std::max(common, half(std::min(x.low(a), y.low(a)), std::max(x.high(a), y.high(a))));
      own = std::max({own, half(x.low(a), x.high(a)), half(y.low(a), y.high(a))});
    }
    std::frexp(common, &exponent);
    exponent = std::clamp(exponent + 1, -1000, 1000);  // beyond it, the factor itself would overflow double
    const double scale = std::ldexp(1.0, -exponent);
    double apart[3];
    for (int a = 0; a < 3; ++a) apart[a] = (middle(x.low(a), x.high(a)) - middle(y.low(a), y.high(a))) * scale;
    size = 2 * (own * scale);
    spacing = y.spacing() * scale;
    // If the clouds are far from each other, a step sideways changes a distance by a small share of it.
    if (size > 0) spacing *= size / (size + std::hypot(apart[0], apart[1], apart[2]));
    is_fine = spacing > 0 && spacing < 0x1p-12;
  }
};

// The problem's arrays and the kernel's memory in one piece.
class Workspace {
 public:
  Workspace(const Cloud& x, const Cloud& y, const Geometry& geometry, int64_t scratch)
      : slots_((x.size() + kBlock - 1) / kBlock * kBlock),
        arena_(8 * (8 * slots_ + 64) + 2 * (4 * slots_ + 64) + scratch) {
    problem.n = x.size(), problem.slots = static_cast<int>(slots_);
    problem.size = geometry.size, problem.spacing = geometry.spacing;
    const double scale = std::ldexp(1.0, -geometry.exponent);
    for (int a = 0; a < 3; ++a) {
      double *const px = arena_.take<double>(slots_), *const py = arena_.take<double>(slots_);
      for (int i = 0; i < x.size(); ++i) px[i] = x.sorted(a)[i] * scale, py[i] = y.sorted(a)[i] * scale;
      problem.x[a] = px, problem.y[a] = py;
      problem.centre[a] = middle(std::min(x.low(a), y.low(a)), std::max(x.high(a), y.high(a))) * scale;
    }
    problem.price = arena_.take<double>(slots_), problem.profit = arena_.take<double>(slots_);
    problem.column = arena_.take<int>(slots_), problem.row = arena_.take<int>(slots_);
    problem.memory = arena_.take<char>(scratch);
  }

  // Prices from duals. Only differences matter, and no optimum needs one above the diameter, which is below 4 here.
  void set_prices(const double* dual, const Cloud& columns, double scale) {
    const double highest = *std::max_element(dual, dual + problem.n);
    for (int j = 0; j < problem.n; ++j) {
      problem.price[j] = std::min((highest - dual[columns.order()[j]]) * scale, 4.0);
    }
    problem.first_eps = kFirstFromDuals * problem.spacing;
    if (problem.first_eps == 0) problem.first_eps = std::numeric_limits<double>::min();
  }

  Problem problem;

 private:
  static constexpr double kFirstFromDuals = 0.1;

  int64_t slots_;
  Arena arena_;
};

}  // namespace

Value solve(const Cloud& x, const Cloud& y, double gap, const double* start, const Places& out) {
  const Geometry geometry(x, y);
  const double scale = std::ldexp(1.0, -geometry.exponent), unit = std::ldexp(1.0, geometry.exponent);
  const Kernels& kernels = choose(units);
  const int n = x.size(), slots = (n + kBlock - 1) / kBlock * kBlock;
  Workspace space(x, y, geometry, (geometry.is_fine ? kernels.wide_bytes : kernels.single_bytes)(slots));
  Problem& problem = space.problem;
  problem.gap = gap;
  if (start != nullptr) space.set_prices(start, y, scale);

  if (!solve_closed(problem)) (geometry.is_fine ? kernels.wide : kernels.single)(problem);
  if (!problem.solved) {
    if (gap == 0) throw std::runtime_error("gap: must be above 0, since rounding hides the optimum, got 0; give 1e-9");
    std::ostringstream text;
    text << "gap: must be larger, since rounding hides a matching within it, got " << gap << "; give ten times as much";
    throw std::runtime_error(text.str());
  }

  for (int i = 0; i < n; ++i) {
    if (out.index != nullptr) out.index[x.order()[i]] = y.order()[problem.column[i]];
    if (out.x_dual != nullptr) out.x_dual[x.order()[i]] = problem.profit[i] * unit;
    if (out.y_dual != nullptr) out.y_dual[y.order()[i]] = -problem.price[i] * unit;
  }
  return {problem.cost / n * unit, problem.bound / n * unit};
}

double lower_bound(const Cloud& x, const Cloud& y, const double* x_dual) {
  const Geometry geometry(x, y);
  const double scale = std::ldexp(1.0, -geometry.exponent), unit = std::ldexp(1.0, geometry.exponent);
  const Kernels& kernels = choose(units);
  const int n = x.size(), slots = (n + kBlock - 1) / kBlock * kBlock;
  Workspace space(y, x, geometry, kernels.single_bytes(slots));  // the rows are y's points, whose duals follow
  space.set_prices(x_dual, x, scale);
  kernels.profits(space.problem);
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += space.problem.profit[i] - space.problem.price[i];
  return sum / n * unit;
}

}  // namespace pcgen::emd
