// The exact matching of two clouds of equal size under the Euclidean distance, by one block: auction, then shortest
// augmenting paths, then a certificate.
//
// Minimise the sum of D(i, m(i)) over one-to-one m, with the dual: maximise sum of u_i - p_j subject to u_i <= D_ij +
// p_j.
//   1. Auctions in rounded arithmetic, from a coarse eps to a fine one. Each ends while a few rows are still free.
//   2. From these prices, in double: u_i = min_j (D_ij + p_j); pairs that attain it are kept, free rows bid with
//      eps = 0, and the remaining rows are matched along shortest paths.
//   3. A last pass recomputes u, and with it the certificate: matched pairs attain the minimum, and the cost is the bound.
//   4. If rounding of the auctions' prices hides the optimum, since it is much smaller than the clouds, all rows are
//      matched along paths from prices of zero, which no path raises above the cost.
//
// Counted cost for n = 2048 (cubes / spheres / chairs of different shape): 3,100 / 3,600 / 6,700 rounds of eight
// rounded bids and 500 / 1,400 / 2,000 of exact ones, with 6 / 4 / 11 groups of columns per bid; 8 / 8 / 33 rows remain
// for paths, which need 1,000 / 2,200 / 2,100 rounds and visit 37,000 / 38,000 / 123,000 groups. A round is a chain of
// about 1,500 cycles (load a row, bounds, a few batches of roots, 20 shuffles, three barriers), mostly latency. This
// gives 5 to 14 million cycles per pair. Three blocks share a multiprocessor, so the estimate is 3 to 8 ms for one
// pair, and 8 to 20 us per pair in a large batch on 132 multiprocessors.
#pragma once

#include "cuda/emd_auction.h"
#include "cuda/emd_paths.h"

namespace pcgen::cuda::emd {

// The scale of the problem, from the sizes of two clouds.
struct Geometry {
  int exponent;    // of the power of two that scales the common box's larger side to (1/2, 1]
  double scale;    // its inverse
  double size;     // the larger side of the larger cloud's box, scaled
  double spacing;  // approximate difference between the distances of neighbouring columns from a row, scaled
  bool is_fine;    // whether float cannot resolve the spacing
};

PCGEN_DEVICE Geometry geometry_of(const Facts& x, const Facts& y) {
  const Extent ex{{x.low[0], x.low[1], x.low[2]}, {x.high[0], x.high[1], x.high[2]}};
  const Extent ey{{y.low[0], y.low[1], y.low[2]}, {y.high[0], y.high[1], y.high[2]}};
  const Extent both = united(ex, ey);
  double common = 0, own = 0;
  for (int a = 0; a < 3; ++a) {
    common = Most()(common, half_side(both, a));
    own = Most()(own, Most()(half_side(ex, a), half_side(ey, a)));
  }
  Geometry g;
  frexp(common, &g.exponent);
  // Beyond these limits, the factor itself would overflow double.
  g.exponent = g.exponent + 1 < -1000 ? -1000 : g.exponent + 1 > 1000 ? 1000 : g.exponent + 1;
  g.scale = ldexp(1.0, -g.exponent);
  double apart[3];
  for (int a = 0; a < 3; ++a) {
    apart[a] = (x.low[a] / 2 + x.high[a] / 2 - (y.low[a] / 2 + y.high[a] / 2)) * g.scale;
  }
  g.size = 2 * (own * g.scale);
  g.spacing = y.spacing * g.scale;
  // If the clouds are far from each other, a step sideways changes a distance by a small share of it.
  if (g.size > 0) g.spacing *= g.size / (g.size + hypot(hypot(apart[0], apart[1]), apart[2]));
  g.is_fine = g.spacing > 0 && g.spacing < 0x1p-12;
  return g;
}

PCGEN_DEVICE Sides sides_of(const Cloud& x, const Cloud& y, int n, double scale) {
  Sides sides{x, y, n, scale, {}};
  for (int a = 0; a < 3; ++a) {
    const double low = Least()(x.facts->low[a], y.facts->low[a]), high = Most()(x.facts->high[a], y.facts->high[a]);
    sides.centre[a] = (low / 2 + high / 2) * scale;
  }
  return sides;
}

// On the GPU the object is in shared memory: all threads of a block use the same one.
template <class Real>
class Solver {
 public:
  PCGEN_ANYWHERE Solver(int n, Pieces& fast, Pieces& pieces, Shared& shared)
      : market(n, fast, pieces), state(n, pieces), paths_(market, state, shared, pieces), shared_(shared) {}

  // Prices of zero.
  PCGEN_DEVICE void open(const Cloud& x, const Cloud& y, const Geometry& geometry);
  // Prices from duals of the columns, in the order of the caller's cloud. False if one is not finite.
  PCGEN_DEVICE bool set_prices(const double* dual, double scale);
  // Whether the certificate proves (cost - bound) <= gap * cost, or for a gap of 0 that every pair is tight.
  PCGEN_DEVICE bool solve(double gap, const Geometry& geometry, bool from_duals);
  // Rows' profits for the current prices, and `bound`.
  PCGEN_DEVICE void price_rows();

  Market<Real> market;
  State state;
  double cost, bound;  // sums over rows
  double rounding;     // by how much `bound` may exceed the optimum

 private:
  // A profit may exceed the exact least value by this share, from the roundings of a distance and of a sum.
  static constexpr double kRounded = 0x1p-51;
  // A pair counts as tight within this times (4 + largest price); with prices from paths alone, within this share of its
  // distance + price.
  static constexpr double kTight = 0x1p-49, kTightShare = 0x1p-50;
  // A matching whose cost exceeds its bound by at most this share is called optimal.
  static constexpr double kRounding = 0x1p-30;
  // Two are usual; a third is necessary only because of rounding.
  static constexpr int kCertificates = 8;
  // Chosen by counting bids and rounds: the first eps from prices of zero, as a share of the clouds' size; the first
  // from duals, and the last, as a share of the spacing; and the factor between phases.
  static constexpr double kFirst = 0.05, kFirstFromDuals = 0.1, kLast = 0.01, kStep = 6.0;
  // Width of a search's round beyond the least depth, as a share of the last eps.
  static constexpr double kWidth = 0.1;
  // The matching of an auction, with its last rows matched along paths, has a mean slack of about 0.6 eps.
  static constexpr double kGapEps = 1.5;

  PCGEN_DEVICE bool auctions(double gap, double first, double last);
  PCGEN_DEVICE bool reaches(double gap, double width);
  PCGEN_DEVICE void begin(const Sides& sides);
  PCGEN_DEVICE int set_profits(double tight, double share = 0);
  PCGEN_DEVICE double matched_cost();
  PCGEN_DEVICE void sum_up();
  PCGEN_DEVICE void settle_prices();
  PCGEN_DEVICE bool is_within(double share) const { return cost - bound + rounding <= share * cost; }
  PCGEN_DEVICE double tight() const { return kTight * (4.0 + shared_.highest); }

  Paths<Real> paths_;
  Shared& shared_;
};

template <class Real>
PCGEN_DEVICE void Solver<Real>::open(const Cloud& x, const Cloud& y, const Geometry& geometry) {
  begin(sides_of(x, y, state.n, geometry.scale));
}

// Prices of zero, and all rows free.
template <class Real>
PCGEN_DEVICE void Solver<Real>::begin(const Sides& sides) {
  market.open(sides);
  step([&](int thread) {
    for (int k = thread; k < state.n; k += threads) state.row[k] = state.column[k] = -1;
    if (thread == 0) shared_.highest = 0;
  });
}

// Only differences of prices matter, and no optimum needs one above the diameter, which is below 4 here.
template <class Real>
PCGEN_DEVICE bool Solver<Real>::set_prices(const double* dual, double scale) {
  const int* const order = market.sides.y.order;
  each_warp([&](int warp) {
    PerLane<double> high;
    each_lane([&](int lane) {
      high[lane] = -static_cast<double>(INFINITY);
      for (int j = warp * lanes + lane; j < state.n; j += threads) high[lane] = Most()(high[lane], dual[order[j]]);
    });
    const uint32_t bad = ballot([&](int lane) {
      bool is_finite = true;
      for (int j = warp * lanes + lane; j < state.n; j += threads) is_finite = is_finite && 0 * dual[order[j]] == 0;
      return !is_finite;
    });
    const double highest = reduce(high, Most());
    once([&] { shared_.sum[warp] = highest, shared_.count[warp] = bad != 0; });
  });
  const double highest = gather(shared_.sum, Most());
  if (gather(shared_.count, Add()) != 0) return false;
  step([&](int thread) {
    for (int j = thread; j < state.n; j += threads) {
      market.price[j] = Least()((highest - dual[order[j]]) * scale, 4.0);
      market.columns[j].price = static_cast<Real>(market.price[j]);
    }
    if (thread == 0) shared_.highest = 4.0;
  });
  each_warp([&](int warp) {
    for (int g = warp; g < market.groups; g += warps) market.set_floor(g);
  });
  return true;
}

// Sets every row's profit to its least value, and frees rows whose column exceeds it by more than `tight` and this share
// of the column's value; returns the number of free rows.
template <class Real>
PCGEN_DEVICE int Solver<Real>::set_profits(double tight, double share) {
  each_warp([&](int warp) {
    int free_rows = 0;
    for (int i = warp; i < state.n; i += warps) {
      const int column = state.column[i];
      double own = static_cast<double>(INFINITY);
      if (column >= 0) own = market.distance(market.row(i), column) + market.price[column];
      const double least = market.least_value(i, own, shared_.highest);
      const bool is_free = column < 0 || own - least > tight + share * own;
      free_rows += is_free;
      once([&] {
        state.profit[i] = least;
        if (is_free && column >= 0) state.row[column] = -1, state.column[i] = -1;
      });
    }
    once([&] { shared_.count[warp] = free_rows; });
  });
  const int free_rows = gather(shared_.count, Add());
  step([](int) {});
  return free_rows;
}

template <class Real>
PCGEN_DEVICE void Solver<Real>::settle_prices() {
  step([&](int thread) {
    for (int j = thread; j < state.n; j += threads) market.price[j] = static_cast<double>(market.columns[j].price);
  });
}

// The cost of the matched rows.
template <class Real>
PCGEN_DEVICE double Solver<Real>::matched_cost() {
  each_warp([&](int warp) {
    PerLane<double> sum;
    each_lane([&](int lane) {
      sum[lane] = 0;
      for (int i = warp * lanes + lane; i < state.n; i += threads) {
        if (state.column[i] >= 0) sum[lane] += market.distance(market.row(i), state.column[i]);
      }
    });
    const double total = reduce(sum, Add());
    once([&] { shared_.sum[warp] = total; });
  });
  const double total = gather(shared_.sum, Add());
  step([](int) {});
  return total;
}

template <class Real>
PCGEN_DEVICE void Solver<Real>::sum_up() {
  const double all = matched_cost();
  each_warp([&](int warp) {
    PerLane<double> sum, profits;
    each_lane([&](int lane) {
      sum[lane] = profits[lane] = 0;
      for (int i = warp * lanes + lane; i < state.n; i += threads) {
        const int j = state.column[i] < 0 ? i : state.column[i];
        sum[lane] += state.profit[i] - market.price[j];
        profits[lane] += state.profit[i];
      }
    });
    const double total = reduce(sum, Add()), size = reduce(profits, Add());
    once([&] { shared_.sum2[warp] = total, shared_.sum3[warp] = size; });
  });
  step([&](int thread) {
    if (thread == 0) {
      cost = all, bound = gather(shared_.sum2, Add()), rounding = kRounded * gather(shared_.sum3, Add());
    }
  });
}

template <class Real>
PCGEN_DEVICE void Solver<Real>::price_rows() {
  set_profits(0);
  sum_up();
}

// Whether the matching of an auction, with its free rows matched along paths, is within the gap. Pairs need not be
// tight: the paths are shortest in the problem where the cost of every matched pair is reduced by its slack, and duals
// that are feasible there are feasible in the original problem.
template <class Real>
PCGEN_DEVICE bool Solver<Real>::reaches(double gap, double width) {
  settle_prices();
  set_profits(static_cast<double>(INFINITY));
  Auction<Real>(market, state, shared_).queue_free();
  paths_.match_all(width);
  set_profits(static_cast<double>(INFINITY));
  sum_up();
  return is_within(gap);
}

// Phases with eps from `first` to `last`, smaller by a constant factor each time. True if a gap is requested and
// proved.
template <class Real>
PCGEN_DEVICE bool Solver<Real>::auctions(double gap, double first, double last) {
  Auction<Real> auction(market, state, shared_);
  for (double eps = first > last ? first : last;;) {
    auction.from_scratch(static_cast<Real>(eps));
    // The mean slack that the gap allows.
    const double allowed = gap > 0 ? gap * matched_cost() / state.n : 0;
    if (gap > 0 && eps < 4 * allowed && reaches(gap, kWidth * last)) return true;
    if (eps <= last) return false;
    double next = eps / kStep;
    // No smaller than necessary for the gap.
    if (kGapEps * allowed > next) next = kGapEps * allowed < eps / 2 ? kGapEps * allowed : eps / 2;
    eps = next > last ? next : last;
  }
}

template <class Real>
PCGEN_DEVICE bool Solver<Real>::solve(double gap, const Geometry& geometry, bool from_duals) {
  const double first = from_duals ? kFirstFromDuals * geometry.spacing : kFirst * geometry.size;
  const double finest = Market<Real>::finest * (1 + shared_.highest);
  const double last = kLast * geometry.spacing > finest ? kLast * geometry.spacing : finest;
  if (auctions(gap, first, last)) return true;
  settle_prices();
  Auction<Real> auction(market, state, shared_);
  bool starts_anew = false;
  for (int round = 0;; ++round) {
    const bool is_done = set_profits(starts_anew ? 0 : tight(), starts_anew ? kTightShare : 0) == 0;
    if (is_done) {
      sum_up();
      if (is_within(gap > kRounding ? gap : kRounding)) return true;
    }
    if (is_done || round == kCertificates) {
      if (starts_anew) return false;
      starts_anew = true, round = -1;
      const Sides sides = market.sides;
      step([](int) {});  // no thread writes before all have read
      begin(sides);
      continue;
    }
    if (!starts_anew) {
      auction.reduce_rows();
      set_profits(tight());
    }
    auction.queue_free();
    paths_.match_all(kWidth * last);
  }
}

}  // namespace pcgen::cuda::emd
