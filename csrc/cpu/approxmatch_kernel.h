// The kernel of approxmatch.h for any vector of floats V of simd_*.h.
#pragma once

#include <cstdint>

#include "cpu/approxmatch.h"

namespace pcgen {

template <class V>
struct Approxmatch {
  using Cloud = Coordinates<float>;
  static constexpr int unroll = 2;
  static constexpr int64_t stripe = V::width * unroll;  // points of a kept in registers

  // 2^t for -80 <= t <= 0, to 2e-7 relative, and 2^-80 for smaller t. This is negligible beside the 1e-9 that is added
  // to every sum, and far enough from subnormal numbers, whose products would take most of the time. Adding 1.5 * 2^23
  // rounds t to an integer in the lowest bits; the polynomial is 2^f on [-1/2, 1/2].
  static V power_of_two(V t) {
    const V shift = V::broadcast(12582912.0f), clamped = max(t, V::broadcast(-80.0f));
    const V shifted = clamped + shift, f = clamped - (shifted - shift);
    constexpr float coefficients[] = {8.9893397e-3f, 5.5826318e-2f, 2.4015361e-1f, 6.9315308e-1f, 9.9999994e-1f};
    V p = V::broadcast(1.8775767e-3f);
    for (int k = 0; k < 5; ++k) p = multiply_add(p, f, V::broadcast(coefficients[k]));
    return scale(p, shifted);
  }

  // sums[i] = sum over j of exp(-stiffness |a_i - b_j|^2) weight[j], also for the padded points of a. `with_cost`:
  // returns the sum over i and j of give[i] times these terms times the distance, squared or not.
  template <bool with_cost>
  static double sum(const Cloud& a, const Cloud& b, float stiffness, const float* weight, float* sums,
                    const float* give = nullptr, bool squared = false) {
    const V rate = V::broadcast(-1.44269504f * stiffness), zero = V::broadcast(0);
    double cost = 0;
    for (int64_t i = 0; i < a.padded; i += stripe) {
      V x[unroll], y[unroll], z[unroll], total[unroll], spent[unroll];
      for (int u = 0; u < unroll; ++u) {
        x[u] = V::load(a.x + i + u * V::width);
        y[u] = V::load(a.y + i + u * V::width);
        z[u] = V::load(a.z + i + u * V::width);
        total[u] = spent[u] = zero;
      }
      for (int64_t j = 0; j < b.size; ++j) {
        const V bx = V::broadcast(b.x[j]), by = V::broadcast(b.y[j]), bz = V::broadcast(b.z[j]);
        const V w = V::broadcast(weight[j]);
        for (int u = 0; u < unroll; ++u) {
          const V dx = x[u] - bx, dy = y[u] - by, dz = z[u] - bz;
          const V d = multiply_add(dz, dz, multiply_add(dy, dy, dx * dx));
          const V moved = w * power_of_two(rate * d);
          total[u] = total[u] + moved;
          if constexpr (with_cost) spent[u] = multiply_add(moved, squared ? d : sqrt(d), spent[u]);
        }
      }
      alignas(64) float row[stripe];
      for (int u = 0; u < unroll; ++u) {
        total[u].store(sums + i + u * V::width);
        spent[u].store(row + u * V::width);
      }
      if constexpr (with_cost)
        for (int64_t k = 0; k < stripe && i + k < a.size; ++k) cost += double{give[i + k]} * row[k];
    }
    return cost;
  }

  static double cost(const Cloud& x, const Cloud& y, bool last_level, bool squared, float* scratch) {
    constexpr float tiny = 1e-9f;
    // The remaining mass of each point, the share that it gives or takes for each unit of exp(...), and sums.
    float *const x_left = scratch, *const x_share = x_left + x.padded;
    float *const y_left = x_share + x.padded, *const y_share = y_left + y.padded, *const sums = y_share + y.padded;
    for (int64_t i = 0; i < x.padded; ++i) x_left[i] = 1;
    for (int64_t j = 0; j < y.padded; ++j) y_left[j] = 1;
    double total = 0;
    float stiffness = 16384;  // 4^7
    for (int level = 7; level >= (last_level ? -2 : -1); --level, stiffness /= 4) {
      if (level == -2) stiffness = 0;
      // Every point of x offers its remaining mass to the points of y, by their distance and remaining mass.
      sum<false>(x, y, stiffness, y_left, sums);
      for (int64_t i = 0; i < x.padded; ++i) x_share[i] = x_left[i] / (sums[i] + tiny);
      // Points of y whose offers exceed their remaining mass accept the same proportion of each.
      sum<false>(y, x, stiffness, x_share, sums);
      for (int64_t j = 0; j < y.padded; ++j) {
        const float offered = sums[j] * y_left[j], ratio = y_left[j] / (offered + tiny);
        y_share[j] = (ratio < 1 ? ratio : 1) * y_left[j];
        y_left[j] = y_left[j] > offered ? y_left[j] - offered : 0;
      }
      total += sum<true>(x, y, stiffness, y_share, sums, x_share, squared);
      for (int64_t i = 0; i < x.padded; ++i) {
        const float given = sums[i] * x_share[i];
        x_left[i] = x_left[i] > given ? x_left[i] - given : 0;
      }
    }
    return total / static_cast<double>(x.size);
  }
};

}  // namespace pcgen
