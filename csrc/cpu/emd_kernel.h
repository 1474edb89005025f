// The exact matching of two clouds of equal size under the Euclidean distance: auction, then shortest augmenting paths.
//
// Minimise the sum of D(i, m(i)) over one-to-one m, with the dual: maximise sum of u_i - p_j subject to u_i <= D_ij + p_j.
//   1. Auction with eps-scaling (Bertsekas 1988): free rows bid for the column of least D_ij + p_j and raise its price. Rounded
//      arithmetic; its prices are only a starting point.
//   2. From these prices, in double: u_i = min_j (D_ij + p_j); pairs that attain it stay, other rows are matched by shortest
//      augmenting paths over reduced costs D_ij + p_j - u_i >= 0 (Jonker and Volgenant 1987), which keep every inequality true.
//   3. A last pass over all pairs recomputes u, and with it the certificate: matched pairs attain the minimum.
// All three ask one question, "which columns have D_ij + p_j <= t?", and blocks of 16 neighbouring columns answer it without
// looking at most of them: nothing in block b is below distance(x_i, box_b) + min price in b.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "cpu/emd_lanes.h"
#include "cpu/emd_problem.h"

namespace {

using pcgen::emd::kBlock;
using pcgen::emd::Problem;
static_assert(kBlock == kLanes);

template <class Real>
class Solver {
 public:
  explicit Solver(Problem& problem) : problem_(problem), n_(problem.n), blocks_(problem.slots / kBlock) {
    groups_ = (blocks_ + kLanes - 1) / kLanes;
    lay_out();
  }

  void solve();

 private:
  using Wide = Lanes<Real>;
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static constexpr Real kFar = std::numeric_limits<Real>::infinity();
  static constexpr Real kFinite = std::numeric_limits<Real>::max();  // the columns beyond n cost more than this
  // Distances below are at most 2 sqrt 3; rounded coordinates, differences, root and price err by less than this times (4 + price).
  static constexpr double kRounding = sizeof(Real) == 4 ? 0x1p-20 : 0x1p-48;
  // A pair counts as tight within this times (4 + largest price).
  static constexpr double kTight = 0x1p-49;

  struct Bid {
    int column;
    Real best, second;
  };

  void lay_out();
  template <class T>
  T* take(int64_t count);

  void set_price(int j, double price);
  void refresh_floor(int b);
  double slack_of_rounding() const { return kRounding * (4.0 + highest_price_); }
  double tight() const { return kTight * (4.0 + highest_price_); }

  Real value(int i, int j) const;          // rounded D_ij + p_j
  double distance(int i, int j) const;     // exact to double
  Bid best_two(int i);
  template <class Visit>
  void columns_below(int i, double limit, Visit visit);

  void auction(Real eps, int64_t limit);
  void run_auction();
  double profit_of(int i, double start);
  int keep_tight();
  bool augment(int root, double reach);
  void search_row(int i, double depth);
  void push(int column, bool is_new);
  int pop();
  void finish();
  double certify();

  Problem& problem_;
  int n_, blocks_, groups_;
  double highest_price_ = 0.0;
  Real* x_[3];                 // (slots) centred and rounded
  Real* y_[3];                 // (slots)
  Real* low_[3];               // (groups * 16) boxes of the blocks of columns
  Real* high_[3];
  Real* floor_;                // (groups * 16) least price of each block
  Real* price_;                // (slots)
  Real* block_bound_;          // (groups * 16)
  int* owner_;                 // (slots) row of each column, or -1
  int* queue_;                 // (slots) free rows, a ring
  int* hint_[2];               // (slots) the two best columns of a row when it last bid
  double* depth_;              // (slots) shortest path to each column
  int* parent_;                // (slots) row before each column
  int* touched_;               // (slots) columns whose depth is finite
  int* done_;                  // (slots) columns scanned, in order
  int* heap_;                  // (slots) columns waiting to be scanned, least depth first
  int* place_;                 // (slots) where in the heap a column is
  int heap_size_ = 0, touched_count_ = 0, done_count_ = 0;
  double reach_ = 0.0;         // paths longer than this are of no interest
  int target_ = -1;            // nearest free column found
  char* memory_;
};

template <class Real>
template <class T>
T* Solver<Real>::take(int64_t count) {
  T* start = reinterpret_cast<T*>(memory_);
  memory_ += (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
  return start;
}

template <class Real>
void Solver<Real>::lay_out() {
  memory_ = problem_.memory;
  const int64_t slots = problem_.slots, padded = static_cast<int64_t>(groups_) * kLanes;
  for (int a = 0; a < 3; ++a) {
    x_[a] = take<Real>(slots);
    y_[a] = take<Real>(slots);
    low_[a] = take<Real>(padded);
    high_[a] = take<Real>(padded);
  }
  floor_ = take<Real>(padded);
  block_bound_ = take<Real>(padded);
  price_ = take<Real>(slots);
  owner_ = take<int>(slots);
  queue_ = take<int>(slots);
  hint_[0] = take<int>(slots);
  hint_[1] = take<int>(slots);
  depth_ = take<double>(slots);
  parent_ = take<int>(slots);
  touched_ = take<int>(slots);
  done_ = take<int>(slots);
  heap_ = take<int>(slots);
  place_ = take<int>(slots);

  for (int a = 0; a < 3; ++a) {
    for (int i = 0; i < problem_.slots; ++i) {
      x_[a][i] = i < n_ ? static_cast<Real>(problem_.x[a][i] - problem_.centre[a]) : Real(0);
      y_[a][i] = i < n_ ? static_cast<Real>(problem_.y[a][i] - problem_.centre[a]) : Real(0);
    }
    for (int b = 0; b < padded; ++b) {
      Real low = 0, high = 0;
      for (int k = 0; k < kBlock && b * kBlock + k < n_; ++k) {
        const Real v = y_[a][b * kBlock + k];
        if (k == 0 || v < low) low = v;
        if (k == 0 || v > high) high = v;
      }
      low_[a][b] = low, high_[a][b] = high;
    }
  }
  for (int b = 0; b < padded; ++b) floor_[b] = kFar;
  for (int j = 0; j < problem_.slots; ++j) {
    const double start = problem_.warm ? problem_.price[j] : 0.0;
    problem_.price[j] = j < n_ ? start : kInfinity;
    price_[j] = static_cast<Real>(problem_.price[j]);
    owner_[j] = -1;
    problem_.column[j] = -1;
    hint_[0][j] = hint_[1][j] = -1;
    depth_[j] = kInfinity;
  }
  for (int b = 0; b < blocks_; ++b) refresh_floor(b);
}

template <class Real>
inline void Solver<Real>::refresh_floor(int b) {
  floor_[b] = lowest(Wide::load(price_ + b * kBlock));
}

template <class Real>
inline void Solver<Real>::set_price(int j, double price) {
  problem_.price[j] = price;
  price_[j] = static_cast<Real>(price);
  if (price > highest_price_) highest_price_ = price;
  refresh_floor(j / kBlock);
}

template <class Real>
inline Real Solver<Real>::value(int i, int j) const {
  const Real a = x_[0][i] - y_[0][j], b = x_[1][i] - y_[1][j], c = x_[2][i] - y_[2][j];
  return std::sqrt(a * a + b * b + c * c) + price_[j];
}

template <class Real>
inline double Solver<Real>::distance(int i, int j) const {
  const double a = problem_.x[0][i] - problem_.y[0][j];
  const double b = problem_.x[1][i] - problem_.y[1][j];
  const double c = problem_.x[2][i] - problem_.y[2][j];
  return std::sqrt(a * a + b * b + c * c);
}

// The two columns of least value for row i. The two best of the last bid bound the second best from above: prices rose since,
// and whatever their values are now, two columns have them.
template <class Real>
typename Solver<Real>::Bid Solver<Real>::best_two(int i) {
  const Wide px = Wide::all(x_[0][i]), py = Wide::all(x_[1][i]), pz = Wide::all(x_[2][i]);
  const Wide zero = Wide::all(Real(0));
  Real limit = kFar;
  if (hint_[1][i] >= 0) {
    const Real one = value(i, hint_[0][i]), two = value(i, hint_[1][i]);
    limit = (one < two ? two : one) * Real(1.00001);  // above the rounding of `value` against the lanes' own
  }
  Wide first = Wide::all(kFar), second = first, first_at = zero, second_at = zero;
  const auto visit = [&](int b) {
    const int j = b * kBlock;
    const Wide dx = px - Wide::load(y_[0] + j), dy = py - Wide::load(y_[1] + j), dz = pz - Wide::load(y_[2] + j);
    const Wide v = root(fused(dz, dz, fused(dy, dy, dx * dx))) + Wide::load(price_ + j);
    const Wide at = Wide::all(static_cast<Real>(b));
    const auto better = v < first;
    const Wide loser = choose(better, first, v), loser_at = choose(better, first_at, at);
    first = choose(better, v, first), first_at = choose(better, at, first_at);
    const auto runner = loser < second;
    second = choose(runner, loser, second), second_at = choose(runner, loser_at, second_at);
    ++problem_.work.visits;
  };
  int nearest = -1;
  if (limit == kFar) {
    Wide least_bound = Wide::all(kFar);
    for (int g = 0; g < groups_; ++g) {
      const int b = g * kLanes;
      const Wide dx = most(zero, most(Wide::load(low_[0] + b) - px, px - Wide::load(high_[0] + b)));
      const Wide dy = most(zero, most(Wide::load(low_[1] + b) - py, py - Wide::load(high_[1] + b)));
      const Wide dz = most(zero, most(Wide::load(low_[2] + b) - pz, pz - Wide::load(high_[2] + b)));
      const Wide bound = root(fused(dz, dz, fused(dy, dy, dx * dx))) + Wide::load(floor_ + b);
      bound.store(block_bound_ + b);
      least_bound = least(least_bound, bound);
    }
    const Real low = lowest(least_bound);
    nearest = 0;
    while (block_bound_[nearest] > low) ++nearest;
    visit(nearest);
    // The second least of one block bounds the second least of all.
    alignas(64) Real values[kLanes];
    first.store(values);
    Real one = kFar, two = kFar;
    for (int k = 0; k < kLanes; ++k) {
      if (values[k] < one) {
        two = one, one = values[k];
      } else if (values[k] < two) {
        two = values[k];
      }
    }
    limit = two;
  }
  const Wide threshold = Wide::all(limit < kFinite ? limit : kFinite);
  for (int g = 0; g < groups_; ++g) {
    const int b = g * kLanes;
    const Wide dx = most(zero, most(Wide::load(low_[0] + b) - px, px - Wide::load(high_[0] + b)));
    const Wide dy = most(zero, most(Wide::load(low_[1] + b) - py, py - Wide::load(high_[1] + b)));
    const Wide dz = most(zero, most(Wide::load(low_[2] + b) - pz, pz - Wide::load(high_[2] + b)));
    const Wide bound = root(fused(dz, dz, fused(dy, dy, dx * dx))) + Wide::load(floor_ + b);
    for (uint32_t m = bits(bound <= threshold); m != 0; m &= m - 1) {
      const int k = b + __builtin_ctz(m);
      if (k != nearest) visit(k);
    }
  }
  alignas(64) Real values[2][kLanes], where[2][kLanes];
  first.store(values[0]), second.store(values[1]);
  first_at.store(where[0]), second_at.store(where[1]);
  Bid bid{-1, kFar, kFar};
  int runner = -1;
  for (int k = 0; k < 2 * kLanes; ++k) {
    const Real v = values[k / kLanes][k % kLanes];
    if (v >= bid.second) continue;
    const int j = static_cast<int>(where[k / kLanes][k % kLanes]) * kBlock + k % kLanes;
    if (v < bid.best) {
      bid.second = bid.best, runner = bid.column;
      bid.best = v, bid.column = j;
    } else {
      bid.second = v, runner = j;
    }
  }
  hint_[0][i] = bid.column, hint_[1][i] = runner;
  return bid;
}

// Calls visit(j, D_ij + p_j) for every column whose value, in double, is at most limit (and for none above it).
template <class Real>
template <class Visit>
void Solver<Real>::columns_below(int i, double limit, Visit visit) {
  const Wide px = Wide::all(x_[0][i]), py = Wide::all(x_[1][i]), pz = Wide::all(x_[2][i]);
  const Wide zero = Wide::all(Real(0));
  const double loose = limit + slack_of_rounding();
  const Wide threshold = Wide::all(loose < kFinite ? static_cast<Real>(loose) : kFinite);
  for (int g = 0; g < groups_; ++g) {
    const int b = g * kLanes;
    const Wide dx = most(zero, most(Wide::load(low_[0] + b) - px, px - Wide::load(high_[0] + b)));
    const Wide dy = most(zero, most(Wide::load(low_[1] + b) - py, py - Wide::load(high_[1] + b)));
    const Wide dz = most(zero, most(Wide::load(low_[2] + b) - pz, pz - Wide::load(high_[2] + b)));
    const Wide bound = root(fused(dz, dz, fused(dy, dy, dx * dx))) + Wide::load(floor_ + b);
    for (uint32_t m = bits(bound <= threshold); m != 0; m &= m - 1) {
      const int j = (b + __builtin_ctz(m)) * kBlock;
      const Wide ex = px - Wide::load(y_[0] + j), ey = py - Wide::load(y_[1] + j), ez = pz - Wide::load(y_[2] + j);
      const Wide v = root(fused(ez, ez, fused(ey, ey, ex * ex))) + Wide::load(price_ + j);
      ++problem_.work.visits;
      for (uint32_t l = bits(v <= threshold); l != 0; l &= l - 1) {
        const int k = j + __builtin_ctz(l);
        const double exact = distance(i, k) + problem_.price[k];
        if (exact <= limit) visit(k, exact);
      }
    }
  }
}

// One phase: bids until every row has a column, each row's value within eps of its least.
template <class Real>
void Solver<Real>::auction(Real eps, int64_t limit) {
  for (int j = 0; j < n_; ++j) owner_[j] = -1, problem_.column[j] = -1, queue_[j] = j;
  int head = 0, waiting = n_;
  for (; waiting > 0 && limit > 0; --limit) {
    const int i = queue_[head];
    head = head + 1 == n_ ? 0 : head + 1;
    --waiting;
    const Bid bid = best_two(i);
    ++problem_.work.bids;
    const int j = bid.column;
    const Real margin = bid.second < kFar ? bid.second - bid.best : Real(0);  // a single column has no rival
    const Real raised = price_[j] + margin + eps;
    const bool was_floor = price_[j] == floor_[j / kBlock];
    price_[j] = raised;
    if (was_floor) refresh_floor(j / kBlock);
    const int loser = owner_[j];
    owner_[j] = i, problem_.column[i] = j;
    if (loser >= 0) {
      problem_.column[loser] = -1;
      int tail = head + waiting;
      if (tail >= n_) tail -= n_;
      queue_[tail] = loser;
      ++waiting;
    }
  }
}

#ifndef EPS0
#define EPS0 0.05
#define THETA 8
#define EPSF 0.002
#endif
template <class Real>
void Solver<Real>::run_auction() {
  for (double eps = EPS0; ; eps /= THETA) {
    if (eps < EPSF) eps = EPSF;
    auction(static_cast<Real>(eps), 1000LL * n_);
    if (eps == EPSF) break;
  }
  double lowest_price = kInfinity;
  for (int j = 0; j < n_; ++j) lowest_price = price_[j] < lowest_price ? price_[j] : lowest_price;
  for (int j = 0; j < n_; ++j) set_price(j, price_[j] - lowest_price);
}

template <class Real>
double Solver<Real>::profit_of(int i, double start) {
  double low = start;
  columns_below(i, start, [&](int, double v) { low = v < low ? v : low; });
  return low;
}

// Sets u to the exact minimum and frees the rows whose column does not attain it; returns how many are free.
template <class Real>
int Solver<Real>::keep_tight() {
  int free_rows = 0;
  for (int i = 0; i < n_; ++i) {
    const int j = problem_.column[i];
    double own = kInfinity;
    if (j >= 0) {
      own = distance(i, j) + problem_.price[j];
    } else {
      for (int h = 0; h < 2; ++h) {
        const int k = hint_[h][i];
        if (k >= 0) own = std::fmin(own, distance(i, k) + problem_.price[k]);
      }
      if (own == kInfinity) own = distance(i, 0) + problem_.price[0];
    }
    const double profit = profit_of(i, own);
    problem_.profit[i] = profit;
    if (j >= 0 && own - profit > tight()) owner_[j] = -1, problem_.column[i] = -1;
    free_rows += problem_.column[i] < 0;
  }
  return free_rows;
}

// Puts a column into the heap, or moves it up after its depth fell.
template <class Real>
inline void Solver<Real>::push(int column, bool is_new) {
  int at = is_new ? heap_size_++ : place_[column];
  for (int up = (at - 1) / 2; at > 0 && depth_[heap_[up]] > depth_[column]; at = up, up = (at - 1) / 2) {
    heap_[at] = heap_[up];
    place_[heap_[at]] = at;
  }
  heap_[at] = column;
  place_[column] = at;
}

template <class Real>
inline int Solver<Real>::pop() {
  const int top = heap_[0], last = heap_[--heap_size_];
  int at = 0;
  while (true) {
    int child = 2 * at + 1;
    if (child >= heap_size_) break;
    if (child + 1 < heap_size_ && depth_[heap_[child + 1]] < depth_[heap_[child]]) ++child;
    if (depth_[heap_[child]] >= depth_[last]) break;
    heap_[at] = heap_[child];
    place_[heap_[at]] = at;
    at = child;
  }
  heap_[at] = last;
  place_[last] = at;
  return top;
}

template <class Real>
void Solver<Real>::search_row(int i, double depth) {
  const double profit = problem_.profit[i];
  columns_below(i, profit + (reach_ - depth), [&](int j, double v) {
    const double reduced = v - profit;
    const double to = depth + (reduced > 0.0 ? reduced : 0.0);
    if (to >= depth_[j] || to > reach_) return;
    const bool is_new = depth_[j] == kInfinity;
    if (is_new) touched_[touched_count_++] = j;
    depth_[j] = to;
    parent_[j] = i;
    if (owner_[j] < 0) {
      if (target_ < 0 || to < depth_[target_] || target_ == j) target_ = j, reach_ = to;
    } else {
      push(j, is_new);
    }
  });
}

// Matches the free row `root` along the shortest path no longer than reach; false when there is none.
template <class Real>
bool Solver<Real>::augment(int root, double reach) {
  reach_ = reach, target_ = -1, heap_size_ = 0, touched_count_ = done_count_ = 0;
  search_row(root, 0.0);
  while (heap_size_ > 0) {
    const int j = pop();
    const double key = depth_[j];
    if (key >= reach_ && target_ >= 0) break;
    done_[done_count_++] = j;
    ++problem_.work.pops;
    search_row(owner_[j], key);
  }
  const bool found = target_ >= 0;
  if (found) {
    const double length = depth_[target_];
    problem_.profit[root] += length;
    for (int k = 0; k < done_count_; ++k) {
      const int j = done_[k];
      const double rise = length - depth_[j];
      if (rise <= 0.0) continue;
      set_price(j, problem_.price[j] + rise);
      problem_.profit[owner_[j]] += rise;
    }
    int j = target_;
    while (true) {
      const int i = parent_[j], next = problem_.column[i];
      problem_.column[i] = j, owner_[j] = i;
      if (i == root) break;
      j = next;
    }
  }
  for (int k = 0; k < touched_count_; ++k) depth_[touched_[k]] = kInfinity;
  return found;
}

template <class Real>
void Solver<Real>::finish() {
  double usual = EPSF;
  for (int i = 0; i < n_; ++i) {
    if (problem_.column[i] >= 0) continue;
    ++problem_.work.searches;
    double reach = usual;
    while (!augment(i, reach)) reach *= 4.0;
  }
}

template <class Real>
void Solver<Real>::solve() {
  run_auction();
  problem_.solved = false;
  for (int round = 0; round < 8; ++round) {
    ++problem_.work.rounds;
    if (keep_tight() == 0) {
      problem_.solved = true;
      break;
    }
    finish();
  }
  problem_.cost = problem_.bound = 0.0;
  for (int i = 0; i < n_; ++i) {
    const int j = problem_.column[i];
    if (j < 0) continue;
    problem_.cost += distance(i, j);
    problem_.bound += problem_.profit[i] - problem_.price[j];
  }
}

template <class Real>
void solve_as(Problem& problem) {
  Solver<Real>(problem).solve();
}

}  // namespace
