// A row's shortlist: its search, its refresh, and its use by bids and paths. The rest of class Market.
#pragma once

#include "cpu/emd_market.h"

namespace {

// Removes found columns with a value above the limit.
template <class Real>
void Market<Real>::drop_above(Real limit) {
  int count = 0;
  const Wide threshold = Wide::all(limit);
  for (int k = 0; k < found_; k += kLanes) {
    const Wide v = Wide::load(found_value_ + k);
    const uint32_t mask = bits(v <= threshold);
    Wide::load(found_distance_ + k).compress(mask, found_distance_ + count);
    compress_integers(mask, found_column_ + k, found_column_ + count);
    v.compress(mask, found_value_ + count);
    count += __builtin_popcount(mask);
  }
  found_ = count;
  fill_up();
}

// Pads the found columns to a multiple of sixteen with columns of infinite price.
template <class Real>
inline void Market<Real>::fill_up() {
  for (int k = found_; k % kLanes != 0; ++k) found_distance_[k] = 0, found_value_[k] = kFar, found_column_[k] = slots_;
}

// Finds every column of value at most `limit` plus the margin.
template <class Real>
void Market<Real>::find(int i, Real limit) {
  const Point p = point(i);
  const Real reach = limit + margin < kFinite ? limit + margin : kFinite;
  const Wide threshold = Wide::all(reach);
  // Local variables, which the compiler need not reload after each store.
  Real *const to_distance = found_distance_, *const to_value = found_value_;
  int *const to_column = found_column_, found = 0;
  visit_blocks(p, reach, [&](int first) {
    const Wide d = distances(p, first), v = d + Wide::load(price_ + first);
    const uint32_t mask = bits(v <= threshold);
    d.compress(mask, to_distance + found);
    v.compress(mask, to_value + found);
    compress_lanes(mask, first, to_column + found);
    found += __builtin_popcount(mask);
  });
  found_ = found;
  fill_up();
}

// Makes row i's shortlist from the found columns: all with a value at most `limit`, if they are few enough, and as many
// of the others as fit.
template <class Real>
void Market<Real>::shorten(int i, Real limit, Real found_limit) {
  Real top = found_limit + margin;
  if (found_ > kShort) {
    // Bisection for the highest ceiling with few enough columns below it.
    const auto below = [&](Real t) {
      int sum = 0;
      for (int k = 0; k < found_; k += kLanes) {
        sum += __builtin_popcount(bits(Wide::load(found_value_ + k) <= Wide::all(t)));
      }
      return sum;
    };
    Real too_high = top;
    top = -kFar;
    if (below(limit) <= kShort) {
      top = limit;
      for (int step = 0; step < 3; ++step) {
        const Real middle = (top + too_high) / 2;
        (below(middle) <= kShort ? top : too_high) = middle;
      }
      drop_above(top);
    }
    margin *= Real(0.95);
  } else if (2 * found_ < kShort) {
    margin *= Real(1.05);
  }
  ceiling_[i] = top;
  const int count = top > -kFar ? (found_ + kLanes - 1) / kLanes * kLanes : 0;
  short_count_[i] = count;
  Real* const distance = short_distance_ + int64_t{i} * kShort;
  int* const column = short_column_ + int64_t{i} * kShort;
  for (int k = 0; k < count; k += kLanes) {
    Wide::load(found_distance_ + k).store(distance + k);
    copy_integers(found_column_ + k, column + k);
  }
}

template <class Real>
typename Market<Real>::Bid Market<Real>::best_two(int i) {
  Bid bid = best_of(short_distance_ + int64_t{i} * kShort, short_column_ + int64_t{i} * kShort, short_count_[i]);
  if (bid.second <= ceiling_[i]) return bid;
  const Real limit = bid.second < kFar ? bid.second : bound_second(point(i));
  find(i, limit);
  bid = best_of(found_distance_, found_column_, (found_ + kLanes - 1) / kLanes * kLanes);
  shorten(i, bid.second, limit);
  return bid;
}

template <class Real>
template <class Skip, class Visit>
inline void Market<Real>::visit_below(int i, double limit, const Skip& skip, const Visit& visit) {
  const double loose = limit + rounding(i, limit);
  const Real bar = loose < kFinite ? static_cast<Real>(loose) : kFinite;
  const Wide threshold = Wide::all(bar);
  if (!(bar <= ceiling_[i])) find(i, bar), shorten(i, bar, bar);
  if (bar <= ceiling_[i]) {
    const Real* const distances = short_distance_ + int64_t{i} * kShort;
    const int* const column = short_column_ + int64_t{i} * kShort;
    for (int k = 0; k < short_count_[i]; k += kLanes) {
      const Wide v = Wide::load(distances + k) + Wide::gather(price_, column + k);
      for (uint32_t m = bits(v <= threshold); m != 0; m &= m - 1) {
        const int j = column[k + __builtin_ctz(m)];
        if (skip(j)) continue;
        const double exact = distance(i, j) + exact_[j].price;
        if (exact <= limit && !visit(j, exact)) return;
      }
    }
    return;
  }
  for (int k = 0; k < found_; ++k) {
    if (found_value_[k] > bar) continue;
    const int j = found_column_[k];
    if (skip(j)) continue;
    const double exact = distance(i, j) + exact_[j].price;
    if (exact <= limit && !visit(j, exact)) return;
  }
}

}  // namespace
