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

// The power of two that brings the larger side of both clouds' common box to (1/2, 1]. Exact, unlike a shift of the origin.
int exponent_of(const Cloud& x, const Cloud& y) {
  double half = 0;
  for (int a = 0; a < 3; ++a) {
    half = std::max(half, std::max(x.high(a), y.high(a)) / 2 - std::min(x.low(a), y.low(a)) / 2);
  }
  int exponent = 0;
  std::frexp(half, &exponent);
  return std::clamp(exponent + 1, -1000, 1000);  // beyond, the factor itself would leave the range of double
}

}  // namespace

int64_t scratch_bytes(int slots) {
  const int64_t padded = (slots / kBlock + kBlock - 1) / kBlock * kBlock;
  return 7 * (8LL * slots + 64) + 8 * (8 * padded + 64) + 10 * (4LL * slots + 64) + (8LL * slots + 64);
}

Value solve(const Cloud& x, const Cloud& y, double gap, const double* start, const Places& out) {
  const int n = x.size(), slots = (n + kBlock - 1) / kBlock * kBlock;
  const int exponent = exponent_of(x, y);
  const double scale = std::ldexp(1.0, -exponent), unit = std::ldexp(1.0, exponent);

  Arena arena(8 * (8LL * slots + 64) + 4LL * slots + 64 + scratch_bytes(slots));
  Problem problem;
  problem.n = n, problem.slots = slots, problem.gap = gap, problem.warm = start != nullptr;
  for (int a = 0; a < 3; ++a) {
    double *const px = arena.take<double>(slots), *const py = arena.take<double>(slots);
    for (int i = 0; i < n; ++i) px[i] = x.sorted(a)[i] * scale, py[i] = y.sorted(a)[i] * scale;
    problem.x[a] = px, problem.y[a] = py;
    problem.centre[a] = (std::min(x.low(a), y.low(a)) / 2 + std::max(x.high(a), y.high(a)) / 2) * scale;
  }
  problem.price = arena.take<double>(slots), problem.profit = arena.take<double>(slots);
  problem.column = arena.take<int>(slots);
  problem.memory = arena.take<char>(scratch_bytes(slots));
  if (start != nullptr) {
    // Only differences count, and no optimum needs one above the diameter, which is below 4 here.
    const double highest = *std::max_element(start, start + n);
    for (int j = 0; j < n; ++j) problem.price[j] = std::min((highest - start[y.order()[j]]) * scale, 4.0);
  }

  choose(units).single(problem);
  if (!problem.solved) throw std::runtime_error("match: no certified matching within the bound on the work");

  for (int i = 0; i < n; ++i) {
    if (out.index != nullptr) out.index[x.order()[i]] = y.order()[problem.column[i]];
    if (out.x_dual != nullptr) out.x_dual[x.order()[i]] = problem.profit[i] * unit;
    if (out.y_dual != nullptr) out.y_dual[y.order()[i]] = -problem.price[i] * unit;
  }
  return {problem.cost / n * unit, problem.bound / n * unit, problem.work};
}

}  // namespace pcgen::emd
