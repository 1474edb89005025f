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
  Work work;
};

// Clouds of equal size. `start` holds duals of y's points to begin with, or is null.
Value solve(const Cloud& x, const Cloud& y, double gap, const double* start, const Places& out);

}  // namespace pcgen::emd
