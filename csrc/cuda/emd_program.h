// The programs of the exact EMD's blocks: preparation of clouds, matching of pairs, lower bounds from duals, gradients.
//
// Each pair belongs to one block from start to end, and nothing depends on the order of blocks, warps or lanes, so
// results repeat to the last bit. All decisions use the points in an order that depends only on coordinates, so the
// value of a pair does not depend on the order of its points.
#pragma once

#include "cuda/emd_solve.h"

namespace pcgen::cuda::emd {

// A set of prepared clouds: (count, 3, n), (count, n), (count).
struct Clouds {
  double* at;
  int* order;
  Facts* facts;

  PCGEN_ANYWHERE Clouds(int64_t count, int n, Pieces& pieces) {
    at = pieces.take<double>(count * 3 * n), order = pieces.take<int>(count * n), facts = pieces.take<Facts>(count);
  }
  PCGEN_DEVICE CloudPlaces places(int64_t c, int n) const { return {at + c * 3 * n, order + c * n, facts + c}; }
  PCGEN_DEVICE Cloud cloud(int64_t c, int n) const { return {at + c * 3 * n, order + c * n, facts + c}; }
};

// The pairs of a launch: the clouds x_p and y_p, or, if `columns` is not 0, all pairs of the two sets, row by row.
struct Pairs {
  Clouds x, y;
  int n;
  int64_t count, columns;

  PCGEN_DEVICE Cloud x_of(int64_t pair) const { return x.cloud(columns == 0 ? pair : pair / columns, n); }
  PCGEN_DEVICE Cloud y_of(int64_t pair) const { return y.cloud(columns == 0 ? pair : pair % columns, n); }
};

// The outputs for each pair; an output that is not requested is null. Means are over points. If a pair cannot be
// solved, because a coordinate or an initial dual is not finite, or because rounding hides its optimum, the outputs are
// NaN and the index -1.
struct Results {
  double* cost;      // (pairs)
  float* value;      // (pairs) the cost rounded
  double* bound;     // (pairs)
  int64_t* index;    // (pairs, n)
  double* x_dual;    // (pairs, n)
  double* y_dual;    // (pairs, n)
};

template <class T>
PCGEN_DEVICE void prepare_block(const T* points, int64_t cloud, int n, const Clouds& clouds, char* memory,
                                CloudShared& shared) {
  Pieces pieces(memory);
  Tree<T>(points + cloud * 3 * n, n, pieces).build(clouds.places(cloud, n), shared);
}

// Matches a pair, if it is for this solver: the solver in float is for clouds that float resolves, and for those that
// are not finite; the solver in double is for the others.
template <class Real>
PCGEN_DEVICE void match_block(const Pairs& pairs, int64_t pair, double gap, const double* start, const Results& out,
                              Solver<Real>& solver) {
  const Cloud x = pairs.x_of(pair), y = pairs.y_of(pair);
  const bool is_finite = x.facts->is_finite != 0 && y.facts->is_finite != 0;
  const Geometry geometry = geometry_of(*x.facts, *y.facts);
  if ((is_finite && geometry.is_fine) != (sizeof(Real) == 8)) return;
  const int n = pairs.n;
  bool solved = is_finite;
  if (solved) {
    solver.open(x, y, geometry);
    if (start != nullptr) solved = solver.set_prices(start + pair * n, geometry.scale);
  }
  if (solved) solved = solver.solve(gap, geometry, start != nullptr);
  const double none = static_cast<double>(NAN), unit = ldexp(1.0, geometry.exponent);
  step([&](int thread) {
    if (thread == 0) {
      const double cost = solved ? solver.cost / n * unit : none;
      if (out.cost != nullptr) out.cost[pair] = cost;
      if (out.value != nullptr) out.value[pair] = static_cast<float>(cost);
      // The bound of a gap's certificate is below the optimum also with rounding; that of an optimum equals the cost.
      const double bound = solver.bound - (gap > 0 ? solver.rounding : 0);
      if (out.bound != nullptr) out.bound[pair] = solved ? bound / n * unit : none;
    }
    for (int k = thread; k < n; k += threads) {
      const int64_t to_x = pair * n + (solved ? x.order[k] : k), to_y = pair * n + (solved ? y.order[k] : k);
      if (out.index != nullptr) out.index[to_x] = solved ? y.order[solver.state.column[k]] : -1;
      if (out.x_dual != nullptr) out.x_dual[to_x] = solved ? solver.state.profit[k] * unit : none;
      if (out.y_dual != nullptr) out.y_dual[to_y] = solved ? -solver.market.price[k] * unit : none;
    }
  });
}

// The mean of x's duals, plus the mean of the best duals of y's points; y's points are the rows here.
template <class Real>
PCGEN_DEVICE void bound_block(const Pairs& pairs, int64_t pair, const double* x_dual, double* bound,
                              Solver<Real>& solver) {
  const Cloud x = pairs.x_of(pair), y = pairs.y_of(pair);
  bool is_finite = x.facts->is_finite != 0 && y.facts->is_finite != 0;
  const Geometry geometry = geometry_of(*y.facts, *x.facts);
  if ((is_finite && geometry.is_fine) != (sizeof(Real) == 8)) return;
  if (is_finite) {
    solver.open(y, x, geometry);
    is_finite = solver.set_prices(x_dual + pair * pairs.n, geometry.scale);
  }
  if (is_finite) solver.price_rows();
  step([&](int thread) {
    if (thread != 0) return;
    const double unit = ldexp(1.0, geometry.exponent);
    // At most the cost, also with rounding.
    bound[pair] = is_finite ? (solver.bound / pairs.n - 0x1p-48) * unit : static_cast<double>(NAN);
  });
}

// The gradient of |x_i - y_j| is the unit vector between the points, with opposite signs; 0 if they coincide. A point
// without a partner, in either cloud, gets NaN.
template <class T>
PCGEN_DEVICE void gradient_block(int64_t pair, int n, const T* gradient, const T* x, const T* y, const int64_t* index,
                                 T* x_gradient, T* y_gradient) {
  const double force = static_cast<double>(gradient[pair]) / n;
  const int64_t first = pair * n;
  step([&](int thread) {
    for (int k = thread; k < 3 * n; k += threads) y_gradient[3 * first + k] = static_cast<T>(NAN);
  });
  step([&](int thread) {
    for (int k = thread; k < n; k += threads) {
      const int64_t i = first + k, partner = index[i];
      const bool is_matched = partner >= 0 && partner < n;
      const int64_t j = first + (is_matched ? partner : 0);
      double d[3];
      for (int a = 0; a < 3; ++a) d[a] = static_cast<double>(x[3 * i + a]) - static_cast<double>(y[3 * j + a]);
      const double length = hypot(hypot(d[0], d[1]), d[2]);
      for (int a = 0; a < 3; ++a) {
        const double pull = length == 0 ? 0.0 : force * (d[a] / length);
        x_gradient[3 * i + a] = is_matched ? static_cast<T>(pull) : static_cast<T>(NAN);
        if (is_matched) y_gradient[3 * j + a] = static_cast<T>(-pull);
      }
    }
  });
}

}  // namespace pcgen::cuda::emd
