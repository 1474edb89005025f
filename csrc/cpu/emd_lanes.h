// Sixteen real numbers side by side: the one vocabulary in which the matching kernel is written.
//
// `Lanes<float>` and `Lanes<double>` hold a block of sixteen points' worth of one quantity. Which registers carry it is
// decided by the instruction set this header is compiled for; everything lives in an unnamed namespace, so that units
// compiled for different instruction sets never share a symbol.
#pragma once

#include <cstdint>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own AVX-512 header trips it wherever it is inlined
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#endif

namespace {

constexpr int kLanes = 16;

template <class Real>
struct Lanes;

#if defined(__AVX512F__)

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

#elif defined(__AVX2__)

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

#else

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

#endif

inline void copy_integers(const int* from, int* to) {
  for (int k = 0; k < kLanes; ++k) to[k] = from[k];
}

#if !defined(__AVX512F__)
inline void compress_lanes(uint32_t m, int first, int* p) {
  for (; m != 0; m &= m - 1) *p++ = first + __builtin_ctz(m);
}
inline void compress_integers(uint32_t m, const int* from, int* p) {
  for (; m != 0; m &= m - 1) *p++ = from[__builtin_ctz(m)];
}
#endif

}  // namespace
