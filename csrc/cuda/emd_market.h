// The columns and their prices, and the search for columns whose distance from a row + price is below a limit.
//
// Groups of 32 neighbouring columns have a box and a least price. A warp, with one group per lane, excludes most groups
// by distance to box + least price, and then searches the others, with one column per lane. With 2048 columns, a row
// visits 4 to 12 of 64 groups. Searches are in `Real`; decisions in double take its rounding into account.
#pragma once

#include "cuda/emd_cloud.h"

namespace pcgen::cuda::emd {

// The columns with the least and the second least value; ties by index.
template <class Value>
struct Bid {
  Value best, second;
  int column, next;
};

template <class Value>
PCGEN_DEVICE Bid<Value> no_bid() {
  return {static_cast<Value>(INFINITY), static_cast<Value>(INFINITY), INT_MAX, INT_MAX};
}

template <class Value>
PCGEN_DEVICE bool comes_before(Value v, int column, Value w, int other) {
  return v < w || (v == w && column < other);
}

// The two least values of two pairs.
template <class Value>
PCGEN_DEVICE Bid<Value> better(const Bid<Value>& p, const Bid<Value>& q) {
  const bool swap = comes_before(q.best, q.column, p.best, p.column);
  // Field by field, since a choice between whole structs would put them in memory.
  const Value best = swap ? q.best : p.best, loser = swap ? p.best : q.best, second = swap ? q.second : p.second;
  const int column = swap ? q.column : p.column, lost = swap ? p.column : q.column, next = swap ? q.next : p.next;
  const bool is_next = comes_before(loser, lost, second, next);
  return {best, is_next ? loser : second, column, is_next ? lost : next};
}

// Both clouds, scaled by a power of two such that their extent is at most one; this is exact, unlike a translation.
struct Sides {
  Cloud x, y;        // rows and columns
  int n;
  double scale;
  double centre[3];  // scaled; subtracted before coordinates are rounded
};

template <class Real>
struct Point {
  double exact[3];
  Real x, y, z;
};

template <class Real>
struct alignas(4 * sizeof(Real)) Column {
  Real x, y, z, price;
};

template <class Real>
struct Box {
  Real low[3], high[3], floor;  // floor: the least price
};

struct Hint {
  int first, second;  // two columns, or -1, which give an upper bound on the second least value
};

template <class Real>
class Market {
 public:
  // A smaller eps would be below the rounding of prices.
  static constexpr double finest = sizeof(Real) == 4 ? 0x1p-18 : 0x1p-46;

  // `fast` has the arrays that every search reads, `pieces` the others.
  PCGEN_ANYWHERE Market(int n, Pieces& fast, Pieces& pieces) : groups((n + group - 1) / group) {
    columns = fast.take<Column<Real>>(groups * group);
    boxes = fast.take<Box<Real>>(groups);
    price = pieces.take<double>(groups * group);
    hints = pieces.take<Hint>(groups * group);
  }

  PCGEN_DEVICE void open(const Sides& sides);
  PCGEN_DEVICE Point<Real> row(int i) const { return point(sides.x, i); }
  // A row from its exact coordinates.
  PCGEN_DEVICE Point<Real> rounded(const double* exact) const;
  // The distance between row and column, in double.
  PCGEN_DEVICE double distance(const Point<Real>& r, int j) const;
  // Distance + price, rounded.
  PCGEN_DEVICE Real value(const Point<Real>& r, int j) const;
  // A lower bound on the values of all columns of a group.
  PCGEN_DEVICE Real bound(const Point<Real>& r, int g) const;
  // A bound on the error of a rounded value if no price is above `highest`: distances are at most 2 sqrt 3, and the
  // total error of coordinates, differences, root, price and sum is less than this.
  PCGEN_DEVICE static double rounding(double highest) {
    return (sizeof(Real) == 4 ? 0x1p-20 : 0x1p-48) * (4.0 + highest);
  }

  // The following functions are for one warp, all lanes together.

  // visit(lane, j, rounded value) for every column j whose rounded value is at most `limit`; each lane visits its
  // columns in ascending order.
  template <class Visit>
  PCGEN_DEVICE void visit_below(const Point<Real>& r, Real limit, const Visit& visit) const;
  // The two best columns for row i: by rounded values, or (Value = double, Real = float) by exact ones.
  template <bool is_exact>
  PCGEN_DEVICE auto best_two(int i, double highest);
  // The least exact value of row i; `limit` is a known upper bound on it, or infinity.
  PCGEN_DEVICE double least_value(int i, double limit, double highest);
  PCGEN_DEVICE void set_floor(int g);

  int groups;
  Sides sides;
  Column<Real>* columns;  // (groups * group) centred and rounded; beyond n, prices are infinite
  Box<Real>* boxes;       // (groups)
  double* price;          // (groups * group) exact prices, in the stages that use them
  Hint* hints;            // (rows)

 private:
  static PCGEN_DEVICE Real larger(Real a, Real b) { return a > b ? a : b; }
  PCGEN_DEVICE Point<Real> point(const Cloud& cloud, int i) const;
  PCGEN_DEVICE Real bound_second(const Point<Real>& r, int i) const;
};

template <class Real>
PCGEN_DEVICE Point<Real> Market<Real>::point(const Cloud& cloud, int i) const {
  const double* const at = cloud.at + i;
  const int64_t n = sides.n;
  const double exact[3] = {at[0] * sides.scale, at[n] * sides.scale, at[2 * n] * sides.scale};
  return rounded(exact);
}

template <class Real>
PCGEN_DEVICE Point<Real> Market<Real>::rounded(const double* exact) const {
  return {{exact[0], exact[1], exact[2]},
          static_cast<Real>(exact[0] - sides.centre[0]),
          static_cast<Real>(exact[1] - sides.centre[1]),
          static_cast<Real>(exact[2] - sides.centre[2])};
}

template <class Real>
PCGEN_DEVICE double Market<Real>::distance(const Point<Real>& r, int j) const {
  const double* const at = sides.y.at + j;
  const int64_t n = sides.n;
  // The product with a power of two is exact, so with or without fused operations, the difference is rounded once.
  const double a = r.exact[0] - sides.scale * at[0], b = r.exact[1] - sides.scale * at[n];
  const double c = r.exact[2] - sides.scale * at[2 * n];
  const double square = fused(c, c, fused(b, b, a * a));
  // A square may be denormal if the clouds share a point very far from all others.
  return square > 0x1p-960 ? sqrt(square) : hypot(hypot(a, b), c);
}

template <class Real>
PCGEN_DEVICE Real Market<Real>::value(const Point<Real>& r, int j) const {
  const Column<Real> column = columns[j];
  const Real a = r.x - column.x, b = r.y - column.y, c = r.z - column.z;
  return root(fused(c, c, fused(b, b, a * a))) + column.price;
}

template <class Real>
PCGEN_DEVICE Real Market<Real>::bound(const Point<Real>& r, int g) const {
  const Box<Real>& box = boxes[g];
  const Real a = larger(0, larger(box.low[0] - r.x, r.x - box.high[0]));
  const Real b = larger(0, larger(box.low[1] - r.y, r.y - box.high[1]));
  const Real c = larger(0, larger(box.low[2] - r.z, r.z - box.high[2]));
  return root(fused(c, c, fused(b, b, a * a))) + box.floor;
}

// Initialises columns and boxes, prices of zero, and no hints.
template <class Real>
PCGEN_DEVICE void Market<Real>::open(const Sides& both) {
  step([&](int thread) {
    if (thread == 0) sides = both;
  });
  step([&](int thread) {
    for (int j = thread; j < groups * group; j += threads) {
      const bool is_there = j < sides.n;
      const Point<Real> p = point(sides.y, is_there ? j : sides.n - 1);
      columns[j] = {p.x, p.y, p.z, is_there ? Real(0) : static_cast<Real>(INFINITY)};
      price[j] = is_there ? 0.0 : static_cast<double>(INFINITY);
      hints[j] = {-1, -1};
    }
  });
  step([&](int thread) {
    for (int g = thread; g < groups; g += threads) {
      const Column<Real> first = columns[g * group];
      Box<Real> box{{first.x, first.y, first.z}, {first.x, first.y, first.z}, 0};
      for (int k = 1; k < group; ++k) {  // the last group is padded with its last point
        const Column<Real> c = columns[g * group + k];
        const Real at[3] = {c.x, c.y, c.z};
        for (int a = 0; a < 3; ++a) {
          box.low[a] = at[a] < box.low[a] ? at[a] : box.low[a], box.high[a] = larger(at[a], box.high[a]);
        }
      }
      boxes[g] = box;
    }
  });
}

template <class Real>
template <class Visit>
PCGEN_DEVICE void Market<Real>::visit_below(const Point<Real>& r, Real limit, const Visit& visit) const {
  constexpr int together = 4;
  for (int first = 0; first < groups; first += lanes) {
    const uint32_t near = ballot([&](int lane) { return first + lane < groups && bound(r, first + lane) <= limit; });
    each_lane([&](int lane) {
      for (uint32_t left = near; left != 0;) {
        int j[together];
        Real v[together];  // computed together, since a root has a long latency
        for (int k = 0; k < together; ++k) {
          const bool is_there = left != 0;
          j[k] = is_there ? (first + first_bit(left)) * group + lane : lane;
          v[k] = is_there ? value(r, j[k]) : static_cast<Real>(INFINITY);
          left &= left - 1;
        }
        for (int k = 0; k < together; ++k) {
          if (v[k] <= limit && v[k] < INFINITY) visit(lane, j[k], v[k]);
        }
      }
    });
  }
}

// A rounded value that at least two columns do not exceed: those of the last bid, or the best two of a near group.
template <class Real>
PCGEN_DEVICE Real Market<Real>::bound_second(const Point<Real>& r, int i) const {
  const Hint hint = hints[i];
  if (hint.first >= 0) return larger(value(r, hint.first), value(r, hint.second));
  PerLane<Bid<Real>> nearest;
  each_lane([&](int lane) {
    nearest[lane] = no_bid<Real>();
    for (int g = lane; g < groups; g += lanes) {
      const Real low = bound(r, g);
      if (low < nearest[lane].best) nearest[lane].best = low, nearest[lane].column = g;
    }
  });
  const int g = reduce(nearest, better<Real>).column;
  PerLane<Bid<Real>> bids;
  each_lane([&](int lane) {
    bids[lane] = no_bid<Real>();
    bids[lane].best = value(r, g * group + lane), bids[lane].column = g * group + lane;
  });
  return reduce(bids, better<Real>).second;
}

template <bool is_exact, class Real>
struct ValueOf {
  using type = Real;
};
template <class Real>
struct ValueOf<true, Real> {
  using type = double;
};

template <class Real>
template <bool is_exact>
PCGEN_DEVICE auto Market<Real>::best_two(int i, double highest) {
  using Value = typename ValueOf<is_exact, Real>::type;
  const Point<Real> r = row(i);
  // Twice, since the values of both the known columns and the searched ones have rounding errors.
  const Real limit = static_cast<Real>(static_cast<double>(bound_second(r, i)) + 2 * rounding(highest));
  PerLane<Bid<Value>> bids;
  each_lane([&](int lane) { bids[lane] = no_bid<Value>(); });
  visit_below(r, limit, [&](int lane, int j, Real rounded) {
    Value v;
    if constexpr (is_exact) v = distance(r, j) + price[j];
    else v = rounded;
    Bid<Value>& bid = bids[lane];
    if (v < bid.best) bid.second = bid.best, bid.next = bid.column, bid.best = v, bid.column = j;
    else if (v < bid.second) bid.second = v, bid.next = j;
  });
  const Bid<Value> bid = reduce(bids, better<Value>);
  each_lane([&](int lane) {
    if (lane == 0 && bid.next != INT_MAX) hints[i] = {bid.column, bid.next};
  });
  return bid;
}

template <class Real>
PCGEN_DEVICE double Market<Real>::least_value(int i, double limit, double highest) {
  const Point<Real> r = row(i);
  const double known = limit < INFINITY ? limit + rounding(highest)
                                        : static_cast<double>(bound_second(r, i)) + 2 * rounding(highest);
  const Real bar = static_cast<Real>(known);
  PerLane<double> least;
  each_lane([&](int lane) { least[lane] = limit; });
  visit_below(r, bar, [&](int lane, int j, Real) {
    const double v = distance(r, j) + price[j];
    least[lane] = v < least[lane] ? v : least[lane];
  });
  return reduce(least, [](double a, double b) { return a < b ? a : b; });
}

template <class Real>
PCGEN_DEVICE void Market<Real>::set_floor(int g) {
  PerLane<Real> prices;
  each_lane([&](int lane) { prices[lane] = columns[g * group + lane].price; });
  const Real floor = reduce(prices, [](Real a, Real b) { return a < b ? a : b; });
  each_lane([&](int lane) {
    if (lane == 0) boxes[g].floor = floor;
  });
}

}  // namespace pcgen::cuda::emd
