// Matching of one pair of clouds: scaling, the kernel of this machine, and the result in the caller's order and units.
#pragma once

#include <cstdint>

#include "cpu/emd_cloud.h"
#include "cpu/emd_problem.h"

namespace pcgen::emd {

// The requested outputs, each (n) or null.
struct Places {
  int64_t* index = nullptr;
  double* x_dual = nullptr;
  double* y_dual = nullptr;
};

struct Value {
  double cost, lower_bound;  // means over points
};

// Clouds have equal size. `start` is the initial duals of y's points, or null.
Value solve(const Cloud& x, const Cloud& y, double gap, const double* start, const Places& out);

// A lower bound on the cost from duals of x's points: their mean, plus the mean of the best duals of y's points.
double lower_bound(const Cloud& x, const Cloud& y, const double* x_dual);

}  // namespace pcgen::emd
