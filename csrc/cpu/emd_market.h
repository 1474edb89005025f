// The columns and their prices, and the search for columns whose distance from a row + price is below a limit.
//
// Two methods avoid a search over all columns. First, blocks of 16 neighbouring columns have a box and a least price,
// so that whole blocks are excluded by distance to box + least price. Second, a row has a shortlist of columns with a
// ceiling: every column that is not on the list has a value above the ceiling. This remains true when prices rise; when
// prices fall, the ceilings are lowered.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "cpu/emd_lanes.h"
#include "cpu/emd_problem.h"
#include "cpu/emd_scratch.h"

namespace {

using pcgen::emd::kBlock;
using pcgen::emd::Problem;
static_assert(kBlock == kLanes);

template <class Real>
class Market {
 public:
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static constexpr Real kFar = std::numeric_limits<Real>::infinity();
  static constexpr Real kFinite = std::numeric_limits<Real>::max();  // the columns beyond n cost more than this

  struct Bid {
    int column;
    Real best, second;
  };

  Market(Problem& problem, Scratch& scratch);
  void open();

  // The least value of row i, its column, and the least value of any other column, rounded.
  Bid best_two(int i);
  // The least value of a row at this position.
  Real lowest_value(double x, double y, double z) const;
  // Calls visit(j, value) for exactly the columns of row i whose value, in double, is at most limit, until it returns
  // false; columns with skip(j) are omitted.
  template <class Skip, class Visit>
  void visit_below(int i, double limit, const Skip& skip, const Visit& visit);

  double distance(int i, int j) const;
  double price(int j) const { return exact_[j].price; }
  Real rounded_price(int j) const { return price_[j]; }
  double highest_price() const { return highest_price_; }
  double rounding() const { return kError * (4.0 + highest_price_); }  // bounds the error of all rounded values
  // Bounds the error of row i's rounded values up to `most`, whose columns are near; small if the row is near the centre.
  double rounding(int i, double most) const { return kError * (away_[i] + most) + kLeast; }
  void raise(int j, Real price);        // the rounded price alone
  void set_price(int j, double price);  // both
  void expect_fallen(double most);      // to be called after prices have fallen, by at most `most`
  void settle();                        // sets the exact prices to the rounded ones

  // How far beyond the requested limit a refreshed shortlist extends.
  Real margin = Real(0.01);

 private:
  using Wide = Lanes<Real>;
  static constexpr int kShort = 64;
  // Distances are at most 2 sqrt 3; the total error of rounded coordinates, differences, root and price is less than
  // this times (4 + price). It is also less than this times the row's distance from the centre + the value, since the
  // column is at most as much farther from the centre as its distance; and kLeast where a root underflows.
  static constexpr double kError = sizeof(Real) == 4 ? 0x1p-20 : 0x1p-48;

  static constexpr double kLeast = sizeof(Real) == 4 ? 0x1p-40 : 0x1p-500;
  static constexpr double kTiny = 0x1p-960;  // squares from here on have all their digits

  struct Point {
    Wide x, y, z;
  };
  Point point(int i) const { return {Wide::all(x_[0][i]), Wide::all(x_[1][i]), Wide::all(x_[2][i])}; }
  Wide distances(const Point& p, int first) const;
  Wide bounds(const Point& p, int group) const;
  template <class Visit>
  void visit_blocks(const Point& p, Real limit, const Visit& visit) const;
  Real bound_second(const Point& p) const;
  Bid best_of(const Real* distance, const int* column, int count) const;
  void find(int i, Real limit);
  void shorten(int i, Real limit, Real found_limit);
  void drop_above(Real limit);
  void fill_up();

  Problem& problem_;
  const int n_, slots_, blocks_, groups_;
  double highest_price_ = 0.0;
  struct Exact {
    double x, y, z, price;
  };
  Exact* exact_;              // (slots) the columns in double, what is read together side by side
  double* away_;              // (slots) the rows' distances from the centre, by coordinates
  Real *x_[3], *y_[3];        // (slots) centred and rounded
  Real *low_[3], *high_[3];   // (groups * 16) boxes of the blocks of columns
  Real* floor_;               // (groups * 16) least price of each block
  Real* price_;               // (slots + 16); the slots beyond n are infinite
  Real* short_distance_;      // (slots, kShort)
  int* short_column_;         // (slots, kShort); filled up with the number of an infinite price
  int* short_count_;          // (slots)
  Real* ceiling_;             // (slots)
  Real *found_distance_, *found_value_;  // (slots + 16) what a refresh finds
  int* found_column_;
  int found_ = 0;
};

template <class Real>
Market<Real>::Market(Problem& problem, Scratch& scratch)
    : problem_(problem),
      n_(problem.n),
      slots_(problem.slots),
      blocks_(problem.slots / kBlock),
      groups_((blocks_ + kLanes - 1) / kLanes) {
  for (int a = 0; a < 3; ++a) {
    x_[a] = scratch.take<Real>(slots_), y_[a] = scratch.take<Real>(slots_);
    low_[a] = scratch.take<Real>(groups_ * kLanes), high_[a] = scratch.take<Real>(groups_ * kLanes);
  }
  away_ = scratch.take<double>(slots_);
  exact_ = scratch.take<Exact>(slots_);
  floor_ = scratch.take<Real>(groups_ * kLanes);
  price_ = scratch.take<Real>(slots_ + kLanes);
  short_distance_ = scratch.take<Real>(int64_t{slots_} * kShort);
  short_column_ = scratch.take<int>(int64_t{slots_} * kShort);
  short_count_ = scratch.take<int>(slots_);
  ceiling_ = scratch.take<Real>(slots_);
  found_distance_ = scratch.take<Real>(slots_ + kLanes);
  found_value_ = scratch.take<Real>(slots_ + kLanes);
  found_column_ = scratch.take<int>(slots_ + kLanes);
}

template <class Real>
void Market<Real>::open() {
  for (int a = 0; a < 3; ++a) {
    for (int i = 0; i < slots_; ++i) {
      x_[a][i] = i < n_ ? static_cast<Real>(problem_.x[a][i] - problem_.centre[a]) : Real(0);
      y_[a][i] = i < n_ ? static_cast<Real>(problem_.y[a][i] - problem_.centre[a]) : Real(0);
    }
    for (int b = 0; b < groups_ * kLanes; ++b) {
      Real low = 0, high = 0;
      for (int k = 0; k < kBlock && b * kBlock + k < n_; ++k) {
        const Real v = y_[a][b * kBlock + k];
        if (k == 0 || v < low) low = v;
        if (k == 0 || v > high) high = v;
      }
      low_[a][b] = low, high_[a][b] = high;
    }
  }
  for (int i = 0; i < n_; ++i) {
    away_[i] = 0.0;
    for (int a = 0; a < 3; ++a) away_[i] += __builtin_fabs(problem_.x[a][i] - problem_.centre[a]);
  }
  margin = static_cast<Real>(problem_.spacing);
  highest_price_ = 0.0;
  for (int b = 0; b < groups_ * kLanes; ++b) floor_[b] = kFar;
  for (int j = 0; j < slots_ + kLanes; ++j) price_[j] = kFar;
  for (int j = 0; j < slots_; ++j) {
    exact_[j] = {problem_.y[0][j], problem_.y[1][j], problem_.y[2][j], kInfinity};
    if (j < n_) set_price(j, problem_.first_eps > 0.0 ? problem_.price[j] : 0.0);
    else problem_.price[j] = kInfinity;
    short_count_[j] = 0;
    ceiling_[j] = -kFar;
  }
}

// The length of a vector whose square may be denormal.
inline double tiny_length(double a, double b, double c) {
  a *= 0x1p600, b *= 0x1p600, c *= 0x1p600;
  return std::sqrt(a * a + b * b + c * c) * 0x1p-600;
}

template <class Real>
inline double Market<Real>::distance(int i, int j) const {
  const Exact& column = exact_[j];
  const double a = problem_.x[0][i] - column.x, b = problem_.x[1][i] - column.y, c = problem_.x[2][i] - column.z;
  const double square = a * a + b * b + c * c;
  return square > kTiny ? std::sqrt(square) : tiny_length(a, b, c);
}

template <class Real>
inline void Market<Real>::raise(int j, Real price) {
  const int b = j / kBlock;
  const bool was_floor = price_[j] == floor_[b];
  price_[j] = price;
  if (was_floor) floor_[b] = lowest(Wide::load(price_ + b * kBlock));
}

template <class Real>
inline void Market<Real>::set_price(int j, double price) {
  problem_.price[j] = exact_[j].price = price;
  price_[j] = static_cast<Real>(price);
  floor_[j / kBlock] = lowest(Wide::load(price_ + j / kBlock * kBlock));
  if (price > highest_price_) highest_price_ = price;
}

template <class Real>
void Market<Real>::expect_fallen(double most) {
  const Real fall = static_cast<Real>(most + rounding());
  for (int i = 0; i < n_; ++i) ceiling_[i] -= fall;
}

template <class Real>
void Market<Real>::settle() {
  for (int j = 0; j < n_; ++j) set_price(j, static_cast<double>(price_[j]));
}

template <class Real>
inline Lanes<Real> Market<Real>::distances(const Point& p, int first) const {
  const Wide dx = p.x - Wide::load(y_[0] + first), dy = p.y - Wide::load(y_[1] + first);
  const Wide dz = p.z - Wide::load(y_[2] + first);
  return root(fused(dz, dz, fused(dy, dy, dx * dx)));
}

// Lower bounds on the values of all columns of sixteen blocks.
template <class Real>
inline Lanes<Real> Market<Real>::bounds(const Point& p, int group) const {
  const int b = group * kLanes;
  const Wide zero = Wide::all(Real(0));
  const Wide dx = most(zero, most(Wide::load(low_[0] + b) - p.x, p.x - Wide::load(high_[0] + b)));
  const Wide dy = most(zero, most(Wide::load(low_[1] + b) - p.y, p.y - Wide::load(high_[1] + b)));
  const Wide dz = most(zero, most(Wide::load(low_[2] + b) - p.z, p.z - Wide::load(high_[2] + b)));
  return root(fused(dz, dz, fused(dy, dy, dx * dx))) + Wide::load(floor_ + b);
}

// Calls visit(first column) for every block that may have a column of value at most limit.
template <class Real>
template <class Visit>
inline void Market<Real>::visit_blocks(const Point& p, Real limit, const Visit& visit) const {
  const Wide threshold = Wide::all(limit < kFinite ? limit : kFinite);
  for (int g = 0; g < groups_; g += 4) {
    uint64_t mask = 0;
    for (int k = 0; k < 4 && g + k < groups_; ++k) {
      mask |= static_cast<uint64_t>(bits(bounds(p, g + k) <= threshold)) << (kLanes * k);
    }
    for (; mask != 0; mask &= mask - 1) visit((g * kLanes + __builtin_ctzll(mask)) * kBlock);
  }
}

// A value that at least two columns do not exceed: the second least value in the most promising block.
template <class Real>
Real Market<Real>::bound_second(const Point& p) const {
  Real least_bound = kFar;
  int nearest = 0;
  for (int g = 0; g < groups_; ++g) {
    const Wide bound = bounds(p, g);
    const Real low = lowest(bound);
    if (low >= least_bound) continue;
    least_bound = low;
    nearest = g * kLanes + __builtin_ctz(bits(bound <= Wide::all(low)));
  }
  const int first = nearest * kBlock;
  const Wide values = distances(p, first) + Wide::load(price_ + first);
  const auto is_best = values <= Wide::all(lowest(values));
  const uint32_t best = bits(is_best);
  if ((best & (best - 1)) != 0) return lowest(values);
  return lowest(choose(is_best, Wide::all(kFar), values));
}

template <class Real>
Real Market<Real>::lowest_value(double x, double y, double z) const {
  const double* const c = problem_.centre;
  const auto rounded = [](double v) { return Wide::all(static_cast<Real>(v)); };
  const Point p{rounded(x - c[0]), rounded(y - c[1]), rounded(z - c[2])};
  Wide low = Wide::all(bound_second(p));
  visit_blocks(p, lowest(low), [&](int first) { low = least(low, distances(p, first) + Wide::load(price_ + first)); });
  return lowest(low);
}

// The two least values among listed columns; count is a multiple of 16.
template <class Real>
inline typename Market<Real>::Bid Market<Real>::best_of(const Real* distance, const int* column, int count) const {
  Wide first = Wide::all(kFar), second = first, at = Wide::all(Real(0));
  for (int k = 0; k < count; k += kLanes) {
    const Wide v = Wide::load(distance + k) + Wide::gather(price_, column + k);
    const auto better = v < first;
    second = least(second, most(first, v));
    at = choose(better, Wide::all(static_cast<Real>(k)), at);
    first = least(first, v);
  }
  const Real best = lowest(first);
  if (!(best < kFar)) return {-1, kFar, kFar};
  const auto is_best = first <= Wide::all(best);
  const uint32_t lanes = bits(is_best);
  const int lane = __builtin_ctz(lanes);
  alignas(64) Real where[kLanes];
  at.store(where);
  const int winner = column[static_cast<int>(where[lane]) + lane];
  const Real runner = (lanes & (lanes - 1)) != 0 ? best : lowest(choose(is_best, second, first));
  return {winner, best, runner};
}

}  // namespace

#include "cpu/emd_shortlist.h"
