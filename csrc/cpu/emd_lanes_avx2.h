// Lanes in AVX2 registers.
#pragma once

#include <immintrin.h>

#include "cpu/emd_lanes.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header trips it wherever it is inlined
#endif

namespace {

template <>
struct Lanes<float> {
  __m256 a, b;

  using Mask = Lanes;
  static Lanes load(const float* p) { return {_mm256_load_ps(p), _mm256_load_ps(p + 8)}; }
  static Lanes all(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  void store(float* p) const { _mm256_store_ps(p, a), _mm256_store_ps(p + 8, b); }
  friend Lanes operator+(Lanes x, Lanes y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
  friend Lanes operator-(Lanes x, Lanes y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
  friend Lanes operator*(Lanes x, Lanes y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  friend Mask operator<(Lanes x, Lanes y) {
    return {_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)};
  }
  friend Mask operator<=(Lanes x, Lanes y) {
    return {_mm256_cmp_ps(x.a, y.a, _CMP_LE_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LE_OQ)};
  }
  friend Lanes fused(Lanes x, Lanes y, Lanes z) {
    return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
  }
  friend Lanes least(Lanes x, Lanes y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
  friend Lanes most(Lanes x, Lanes y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
  friend Lanes choose(Mask m, Lanes yes, Lanes no) {
    return {_mm256_blendv_ps(no.a, yes.a, m.a), _mm256_blendv_ps(no.b, yes.b, m.b)};
  }
  friend float lowest(Lanes x) {
    const __m256 m = _mm256_min_ps(x.a, x.b);
    __m128 q = _mm_min_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1));
    q = _mm_min_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_min_ss(q, _mm_shuffle_ps(q, q, 1)));
  }
  friend Lanes root(Lanes x) { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
  static Lanes gather(const float* p, const int* at) {
    const __m256i* const i = reinterpret_cast<const __m256i*>(at);
    return {_mm256_i32gather_ps(p, _mm256_load_si256(i), 4), _mm256_i32gather_ps(p, _mm256_load_si256(i + 1), 4)};
  }
  void compress(uint32_t m, float* p) const {
    alignas(64) float all[kLanes];
    store(all);
    for (; m != 0; m &= m - 1) *p++ = all[__builtin_ctz(m)];
  }
  friend uint32_t bits(Mask m) {
    return static_cast<uint32_t>(_mm256_movemask_ps(m.a)) | (static_cast<uint32_t>(_mm256_movemask_ps(m.b)) << 8);
  }
};

template <>
struct Lanes<double> {
  __m256d q[4];

  using Mask = Lanes;
  template <class Rule>
  static Lanes each(Rule rule) {
    return {{rule(0), rule(1), rule(2), rule(3)}};
  }
  static Lanes load(const double* p) {
    return each([&](int k) { return _mm256_load_pd(p + 4 * k); });
  }
  static Lanes all(double x) {
    return each([&](int) { return _mm256_set1_pd(x); });
  }
  void store(double* p) const {
    for (int k = 0; k < 4; ++k) _mm256_store_pd(p + 4 * k, q[k]);
  }
  friend Lanes operator+(Lanes x, Lanes y) {
    return each([&](int k) { return _mm256_add_pd(x.q[k], y.q[k]); });
  }
  friend Lanes operator-(Lanes x, Lanes y) {
    return each([&](int k) { return _mm256_sub_pd(x.q[k], y.q[k]); });
  }
  friend Lanes operator*(Lanes x, Lanes y) {
    return each([&](int k) { return _mm256_mul_pd(x.q[k], y.q[k]); });
  }
  friend Mask operator<(Lanes x, Lanes y) {
    return each([&](int k) { return _mm256_cmp_pd(x.q[k], y.q[k], _CMP_LT_OQ); });
  }
  friend Mask operator<=(Lanes x, Lanes y) {
    return each([&](int k) { return _mm256_cmp_pd(x.q[k], y.q[k], _CMP_LE_OQ); });
  }
  friend Lanes fused(Lanes x, Lanes y, Lanes z) {
    return each([&](int k) { return _mm256_fmadd_pd(x.q[k], y.q[k], z.q[k]); });
  }
  friend Lanes least(Lanes x, Lanes y) {
    return each([&](int k) { return _mm256_min_pd(x.q[k], y.q[k]); });
  }
  friend Lanes most(Lanes x, Lanes y) {
    return each([&](int k) { return _mm256_max_pd(x.q[k], y.q[k]); });
  }
  friend Lanes choose(Mask m, Lanes yes, Lanes no) {
    return each([&](int k) { return _mm256_blendv_pd(no.q[k], yes.q[k], m.q[k]); });
  }
  friend double lowest(Lanes x) {
    const __m256d m = _mm256_min_pd(_mm256_min_pd(x.q[0], x.q[1]), _mm256_min_pd(x.q[2], x.q[3]));
    const __m128d h = _mm_min_pd(_mm256_castpd256_pd128(m), _mm256_extractf128_pd(m, 1));
    return _mm_cvtsd_f64(_mm_min_sd(h, _mm_unpackhi_pd(h, h)));
  }
  friend Lanes root(Lanes x) {
    return each([&](int k) { return _mm256_sqrt_pd(x.q[k]); });
  }
  static Lanes gather(const double* p, const int* at) {
    return each([&](int k) {
      return _mm256_i32gather_pd(p, _mm_load_si128(reinterpret_cast<const __m128i*>(at + 4 * k)), 8);
    });
  }
  void compress(uint32_t m, double* p) const {
    alignas(64) double all[kLanes];
    store(all);
    for (; m != 0; m &= m - 1) *p++ = all[__builtin_ctz(m)];
  }
  friend uint32_t bits(Mask m) {
    uint32_t all = 0;
    for (int k = 0; k < 4; ++k) all |= static_cast<uint32_t>(_mm256_movemask_pd(m.q[k])) << (4 * k);
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
