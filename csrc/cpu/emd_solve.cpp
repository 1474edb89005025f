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
  // The power of two that scales the common box's larger side to (1/2, 1], and its inverse, each as two factors, since
  // they may overflow; exact, unlike a translation.
  double scale[2], unit[2];
  double size, spacing;  // as in Problem, scaled
  bool is_fine = false;  // whether float cannot resolve the spacing

  Geometry(const Cloud& x, const Cloud& y) {
    double common = 0, own = 0;
    for (int a = 0; a < 3; ++a) {
      common = std::max(common, half(std::min(x.low(a), y.low(a)), std::max(x.high(a), y.high(a))));
      own = std::max({own, half(x.low(a), x.high(a)), half(y.low(a), y.high(a))});
    }
    int exponent = 0;
    std::frexp(common, &exponent);
    for (const int k : {0, 1}) {
      const int share = (exponent + 1 + k) >> 1;
      scale[k] = std::ldexp(1.0, -share), unit[k] = std::ldexp(1.0, share);
    }
    double apart[3];
    for (int a = 0; a < 3; ++a) apart[a] = scaled(middle(x.low(a), x.high(a))) - scaled(middle(y.low(a), y.high(a)));
    size = 2 * scaled(own);
    spacing = scaled(y.spacing());
    // If the clouds are far from each other, a step sideways changes a distance by a small share of it.
    if (size > 0) spacing *= size / (size + std::hypot(apart[0], apart[1], apart[2]));
    is_fine = spacing > 0 && spacing < 0x1p-12;
  }

  double scaled(double v) const { return v * scale[0] * scale[1]; }
  double in_units(double v) const { return v * unit[0] * unit[1]; }
};

// The problem's arrays and the kernel's memory in one piece.
class Workspace {
 public:
  Workspace(const Cloud& x, const Cloud& y, const Geometry& geometry, int64_t scratch)
      : slots_((x.size() + kBlock - 1) / kBlock * kBlock),
        arena_(8 * (8 * slots_ + 64) + 2 * (4 * slots_ + 64) + scratch) {
    problem.n = x.size(), problem.slots = static_cast<int>(slots_);
    problem.size = geometry.size, problem.spacing = geometry.spacing;
    bool is_exact = true;
    for (int a = 0; a < 3; ++a) {
      double *const px = arena_.take<double>(slots_), *const py = arena_.take<double>(slots_);
      for (int i = 0; i < x.size(); ++i) {
        px[i] = geometry.scaled(x.sorted(a)[i]), py[i] = geometry.scaled(y.sorted(a)[i]);
        is_exact &= geometry.in_units(px[i]) == x.sorted(a)[i] && geometry.in_units(py[i]) == y.sorted(a)[i];
      }
      problem.x[a] = px, problem.y[a] = py;
      // For clouds that float cannot resolve, a point of y, where most others are if a few are very far.
      const double between = middle(std::min(x.low(a), y.low(a)), std::max(x.high(a), y.high(a)));
      problem.centre[a] = geometry.is_fine ? py[y.size() / 2] : geometry.scaled(between);
    }
    // What is denormal in the clouds' unit too, no result could show.
    const double lost = is_exact ? 0 : x.size() * kLost;
    if (geometry.in_units(lost) >= std::numeric_limits<double>::min()) problem.lost = lost;
    problem.price = arena_.take<double>(slots_), problem.profit = arena_.take<double>(slots_);
    problem.column = arena_.take<int>(slots_), problem.row = arena_.take<int>(slots_);
    problem.memory = arena_.take<char>(scratch);
  }

  // Prices from duals. Only differences matter, and no optimum needs one above the diameter, which is below 4 here.
  void set_prices(const double* dual, const Cloud& columns, const Geometry& geometry) {
    const double highest = *std::max_element(dual, dual + problem.n);
    for (int j = 0; j < problem.n; ++j) {
      problem.price[j] = std::min(geometry.scaled(highest - dual[columns.order()[j]]), 4.0);
    }
    problem.first_eps = kFirstFromDuals * problem.spacing;
    if (problem.first_eps == 0) problem.first_eps = std::numeric_limits<double>::min();
  }

  Problem problem;

 private:
  static constexpr double kFirstFromDuals = 0.1;
  static constexpr double kLost = 0x1p-1070;  // what rounding to denormal coordinates may change in a distance

  int64_t slots_;
  Arena arena_;
};

}  // namespace

Value solve(const Cloud& x, const Cloud& y, double gap, const double* start, const Places& out) {
  const Geometry geometry(x, y);
  const Kernels& kernels = choose(units);
  const int n = x.size(), slots = (n + kBlock - 1) / kBlock * kBlock;
  Workspace space(x, y, geometry, (geometry.is_fine ? kernels.wide_bytes : kernels.single_bytes)(slots));
  Problem& problem = space.problem;
  problem.gap = gap;
  if (start != nullptr) space.set_prices(start, y, geometry);

  if (!solve_closed(problem)) (geometry.is_fine ? kernels.wide : kernels.single)(problem);
  if (!problem.solved) {
    std::ostringstream text;
    text << "gap: must be larger, since rounding hides a matching within it, got " << gap << "; give "
         << (gap == 0 ? "1e-6" : "ten times as much") << ", or drop the points that are far from all others";
    throw std::runtime_error(text.str());
  }

  for (int i = 0; i < n; ++i) {
    if (out.index != nullptr) out.index[x.order()[i]] = y.order()[problem.column[i]];
    if (out.x_dual != nullptr) out.x_dual[x.order()[i]] = geometry.in_units(problem.profit[i]);
    if (out.y_dual != nullptr) out.y_dual[y.order()[i]] = geometry.in_units(-problem.price[i]);
  }
  return {geometry.in_units(problem.cost / n), geometry.in_units(problem.bound / n)};
}

double lower_bound(const Cloud& x, const Cloud& y, const double* x_dual) {
  const Geometry geometry(x, y);
  const Kernels& kernels = choose(units);
  const int n = x.size(), slots = (n + kBlock - 1) / kBlock * kBlock;
  Workspace space(y, x, geometry, kernels.single_bytes(slots));  // the rows are y's points, whose duals follow
  space.set_prices(x_dual, x, geometry);
  kernels.profits(space.problem);
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += space.problem.profit[i] - space.problem.price[i];
  return geometry.in_units(sum / n);
}

}  // namespace pcgen::emd
