// Lanes in AVX-512 registers.
#pragma once

#include <immintrin.h>

#include "cpu/emd_lanes.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header trips it wherever it is inlined
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace {

template <>
struct Lanes<float> {
  __m512 v;

  using Mask = __mmask16;
  static Lanes load(const float* p) { return {_mm512_load_ps(p)}; }
  static Lanes all(float a) { return {_mm512_set1_ps(a)}; }
  void store(float* p) const { _mm512_store_ps(p, v); }
  friend Lanes operator+(Lanes a, Lanes b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend Lanes operator-(Lanes a, Lanes b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend Lanes operator*(Lanes a, Lanes b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend Mask operator<(Lanes a, Lanes b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
  friend Mask operator<=(Lanes a, Lanes b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ); }
  friend Lanes fused(Lanes a, Lanes b, Lanes c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  friend Lanes least(Lanes a, Lanes b) { return {_mm512_min_ps(a.v, b.v)}; }
  friend Lanes most(Lanes a, Lanes b) { return {_mm512_max_ps(a.v, b.v)}; }
  friend Lanes choose(Mask m, Lanes yes, Lanes no) { return {_mm512_mask_blend_ps(m, no.v, yes.v)}; }
  friend float lowest(Lanes a) { return _mm512_reduce_min_ps(a.v); }
  static Lanes gather(const float* p, const int* at) { return {_mm512_i32gather_ps(_mm512_load_si512(at), p, 4)}; }
  void compress(uint32_t m, float* p) const { _mm512_storeu_ps(p, _mm512_maskz_compress_ps(static_cast<Mask>(m), v)); }
  // Square root by the reciprocal's estimate and one Newton step: relative error below 2^-21, a fifth of the time of
  // the exact one.
  friend Lanes root(Lanes a) {
    const __m512 s = _mm512_max_ps(a.v, _mm512_set1_ps(1e-30f));
    const __m512 r = _mm512_rsqrt14_ps(s);
    const __m512 d = _mm512_mul_ps(s, r);
    const __m512 e = _mm512_fnmadd_ps(d, r, _mm512_set1_ps(1.0f));
    return {_mm512_fmadd_ps(_mm512_mul_ps(d, e), _mm512_set1_ps(0.5f), d)};
  }
};

template <>
struct Lanes<double> {
  __m512d a, b;

  using Mask = __mmask16;
  static Mask join(__mmask8 low, __mmask8 high) { return static_cast<Mask>(low | (static_cast<unsigned>(high) << 8)); }
  static Lanes load(const double* p) { return {_mm512_load_pd(p), _mm512_load_pd(p + 8)}; }
  static Lanes all(double x) { return {_mm512_set1_pd(x), _mm512_set1_pd(x)}; }
  void store(double* p) const { _mm512_store_pd(p, a), _mm512_store_pd(p + 8, b); }
  friend Lanes operator+(Lanes x, Lanes y) { return {_mm512_add_pd(x.a, y.a), _mm512_add_pd(x.b, y.b)}; }
  friend Lanes operator-(Lanes x, Lanes y) { return {_mm512_sub_pd(x.a, y.a), _mm512_sub_pd(x.b, y.b)}; }
  friend Lanes operator*(Lanes x, Lanes y) { return {_mm512_mul_pd(x.a, y.a), _mm512_mul_pd(x.b, y.b)}; }
  friend Mask operator<(Lanes x, Lanes y) {
    return join(_mm512_cmp_pd_mask(x.a, y.a, _CMP_LT_OQ), _mm512_cmp_pd_mask(x.b, y.b, _CMP_LT_OQ));
  }
  friend Mask operator<=(Lanes x, Lanes y) {
    return join(_mm512_cmp_pd_mask(x.a, y.a, _CMP_LE_OQ), _mm512_cmp_pd_mask(x.b, y.b, _CMP_LE_OQ));
  }
  friend Lanes fused(Lanes x, Lanes y, Lanes z) {
    return {_mm512_fmadd_pd(x.a, y.a, z.a), _mm512_fmadd_pd(x.b, y.b, z.b)};
  }
  friend Lanes least(Lanes x, Lanes y) { return {_mm512_min_pd(x.a, y.a), _mm512_min_pd(x.b, y.b)}; }
  friend Lanes most(Lanes x, Lanes y) { return {_mm512_max_pd(x.a, y.a), _mm512_max_pd(x.b, y.b)}; }
  friend Lanes choose(Mask m, Lanes yes, Lanes no) {
    return {_mm512_mask_blend_pd(static_cast<__mmask8>(m), no.a, yes.a),
        _mm512_mask_blend_pd(static_cast<__mmask8>(m >> 8), no.b, yes.b)};
  }
  friend double lowest(Lanes x) { return _mm512_reduce_min_pd(_mm512_min_pd(x.a, x.b)); }
  static Lanes gather(const double* p, const int* at) {
    const __m512i i = _mm512_load_si512(at);
    const __m256i low = _mm512_castsi512_si256(i), high = _mm512_extracti64x4_epi64(i, 1);
    return {_mm512_i32gather_pd(low, p, 8), _mm512_i32gather_pd(high, p, 8)};
  }
  void compress(uint32_t m, double* p) const {
    const __mmask8 low = static_cast<__mmask8>(m), high = static_cast<__mmask8>(m >> 8);
    _mm512_storeu_pd(p, _mm512_maskz_compress_pd(low, a));
    _mm512_storeu_pd(p + __builtin_popcount(low), _mm512_maskz_compress_pd(high, b));
  }
  friend Lanes root(Lanes x) { return {_mm512_sqrt_pd(x.a), _mm512_sqrt_pd(x.b)}; }
};

inline uint32_t bits(__mmask16 m) { return m; }
// Writes the numbers first + k of the lanes k in m, one after the other.
inline void compress_lanes(uint32_t m, int first, int* p) {
  const __m512i k = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i numbers = _mm512_add_epi32(k, _mm512_set1_epi32(first));
  _mm512_storeu_si512(p, _mm512_maskz_compress_epi32(static_cast<__mmask16>(m), numbers));
}
inline void compress_integers(uint32_t m, const int* from, int* p) {
  _mm512_storeu_si512(p, _mm512_maskz_compress_epi32(static_cast<__mmask16>(m), _mm512_load_si512(from)));
}

}  // namespace
