// Lanes in memory.
#pragma once

#include "cpu/emd_lanes.h"

namespace {

// Plain loops over sixteen numbers, which compilers turn into whatever the machine has (SSE2, NEON).
template <class Real>
struct Lanes {
  Real v[kLanes];

  struct Mask {
    bool v[kLanes];
  };
  template <class Rule>
  static Lanes each(Rule rule) {
    Lanes out;
    for (int k = 0; k < kLanes; ++k) out.v[k] = rule(k);
    return out;
  }
  static Lanes load(const Real* p) {
    return each([&](int k) { return p[k]; });
  }
  static Lanes all(Real x) {
    return each([&](int) { return x; });
  }
  void store(Real* p) const {
    for (int k = 0; k < kLanes; ++k) p[k] = v[k];
  }
  friend Lanes operator+(const Lanes& x, const Lanes& y) {
    return each([&](int k) { return x.v[k] + y.v[k]; });
  }
  friend Lanes operator-(const Lanes& x, const Lanes& y) {
    return each([&](int k) { return x.v[k] - y.v[k]; });
  }
  friend Lanes operator*(const Lanes& x, const Lanes& y) {
    return each([&](int k) { return x.v[k] * y.v[k]; });
  }
  friend Mask operator<(const Lanes& x, const Lanes& y) {
    Mask m;
    for (int k = 0; k < kLanes; ++k) m.v[k] = x.v[k] < y.v[k];
    return m;
  }
  friend Mask operator<=(const Lanes& x, const Lanes& y) {
    Mask m;
    for (int k = 0; k < kLanes; ++k) m.v[k] = x.v[k] <= y.v[k];
    return m;
  }
  friend Lanes fused(const Lanes& x, const Lanes& y, const Lanes& z) {
    return each([&](int k) { return x.v[k] * y.v[k] + z.v[k]; });
  }
  friend Lanes least(const Lanes& x, const Lanes& y) {
    return each([&](int k) { return y.v[k] < x.v[k] ? y.v[k] : x.v[k]; });
  }
  friend Lanes most(const Lanes& x, const Lanes& y) {
    return each([&](int k) { return x.v[k] < y.v[k] ? y.v[k] : x.v[k]; });
  }
  friend Lanes choose(const Mask& m, const Lanes& yes, const Lanes& no) {
    return each([&](int k) { return m.v[k] ? yes.v[k] : no.v[k]; });
  }
  friend Real lowest(const Lanes& x) {
    Real low = x.v[0];
    for (int k = 1; k < kLanes; ++k) low = x.v[k] < low ? x.v[k] : low;
    return low;
  }
  friend Lanes root(const Lanes& x) {
    return each([&](int k) { return static_cast<Real>(__builtin_sqrt(static_cast<double>(x.v[k]))); });
  }
  static Lanes gather(const Real* p, const int* at) {
    return each([&](int k) { return p[at[k]]; });
  }
  void compress(uint32_t m, Real* p) const {
    for (; m != 0; m &= m - 1) *p++ = v[__builtin_ctz(m)];
  }
  friend uint32_t bits(const Mask& m) {
    uint32_t all = 0;
    for (int k = 0; k < kLanes; ++k) all |= static_cast<uint32_t>(m.v[k]) << k;
    return all;
  }
};

inline void compress_lanes(uint32_t m, int first, int* p) {
  for (; m != 0; m &= m - 1) *p++ = first + __builtin_ctz(m);
}
inline void compress_integers(uint32_t m, const int* from, int* p) {
  for (; m != 0; m &= m - 1) *p++ = from[__builtin_ctz(m)];
}

}  // namespace
