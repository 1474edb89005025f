// One pair of clouds, matched: scaling, the kernel of this machine, and the answer in the caller's order and units.
#pragma once

#include <cstdint>

#include "cpu/emd_cloud.h"
#include "cpu/emd_problem.h"

namespace pcgen::emd {

// What the caller wants written, each (n) or null.
struct Places {
  int64_t* index = nullptr;
  double* x_dual = nullptr;
  double* y_dual = nullptr;
};

struct Value {
  double cost, lower_bound;  // means over points
};

// Clouds of equal size. `start` holds duals of y's points to begin with, or is null.
Value solve(const Cloud& x, const Cloud& y, double gap, const double* start, const Places& out);

// A lower bound of the cost from duals of x's points alone: their mean, and that of what they leave to y's points.
double lower_bound(const Cloud& x, const Cloud& y, const double* x_dual);

}  // namespace pcgen::emd
