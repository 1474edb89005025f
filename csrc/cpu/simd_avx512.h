// The vectors of simd_portable.h in AVX-512.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace pcgen::avx512 {

template <class T>
struct Vec;

template <>
struct Vec<float> {
  using Scalar = float;
  static constexpr int width = 16;
  static constexpr int unroll = 4;
  __m512 v;

  static Vec load(const float* from) { return {_mm512_loadu_ps(from)}; }
  static Vec broadcast(float value) { return {_mm512_set1_ps(value)}; }
  void store(float* to) const { _mm512_storeu_ps(to, v); }

  friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend Vec multiply_add(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  friend Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
  friend Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }

  friend Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
  // a * 2^n, given n + 1.5 * 2^23, whose lowest bits are n; factor and product must be normal numbers.
  friend Vec scale(Vec a, Vec shifted) {
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted.v), 23);
    return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a.v), exponent))};
  }

  float reduce_min() const { return _mm512_reduce_min_ps(v); }
  float reduce_max() const { return _mm512_reduce_max_ps(v); }
  friend uint32_t less(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
};

template <>
struct Vec<double> {
  using Scalar = double;
  static constexpr int width = 8;
  static constexpr int unroll = 4;
  __m512d v;

  static Vec load(const double* from) { return {_mm512_loadu_pd(from)}; }
  static Vec broadcast(double value) { return {_mm512_set1_pd(value)}; }
  void store(double* to) const { _mm512_storeu_pd(to, v); }

  friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_pd(a.v, b.v)}; }
  friend Vec operator+(Vec a, Vec b) { return {_mm512_add_pd(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_pd(a.v, b.v)}; }
  friend Vec multiply_add(Vec a, Vec b, Vec c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  friend Vec min(Vec a, Vec b) { return {_mm512_min_pd(a.v, b.v)}; }
  friend Vec max(Vec a, Vec b) { return {_mm512_max_pd(a.v, b.v)}; }

  double reduce_min() const { return _mm512_reduce_min_pd(v); }
  double reduce_max() const { return _mm512_reduce_max_pd(v); }
  friend uint32_t less(Vec a, Vec b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ); }
};

}  // namespace pcgen::avx512
