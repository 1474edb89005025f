// What a program for one block of threads may use, on the GPU and, for the tests, on the CPU: steps that all threads, warps
// or lanes take before any goes on, values that each keeps from step to step, and what the lanes of a warp tell each other.
//
// Between steps every thread of a block runs the same code on the same values: what it reads there of shared memory must
// not be written in the very next step, which faster threads may have begun.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define PCGEN_DEVICE __device__ __forceinline__
#else
#include <cmath>
#define PCGEN_DEVICE inline
#endif

namespace pcgen::cuda {

constexpr int threads = 256;
constexpr int lanes = 32;
constexpr int warps = threads / lanes;

#ifdef __CUDACC__

// f(thread) on every thread, then a barrier. Every thread of the block must come here.
template <class F>
PCGEN_DEVICE void step(const F& f) {
  f(static_cast<int>(threadIdx.x));
  __syncthreads();
}

// f(warp) on every warp, then a barrier of the block.
template <class F>
PCGEN_DEVICE void each_warp(const F& f) {
  f(static_cast<int>(threadIdx.x / lanes));
  __syncthreads();
}

// Within a warp's step: f(lane) on every lane, then a barrier of the warp.
template <class F>
PCGEN_DEVICE void each_lane(const F& f) {
  f(static_cast<int>(threadIdx.x % lanes));
  __syncwarp();
}

// One value for each thread, of which a thread touches its own alone: a register.
template <class T>
class PerThread {
 public:
  PCGEN_DEVICE T& operator[](int) { return value_; }

 private:
  T value_;
};

template <class T>
using PerLane = PerThread<T>;

// A bit for each lane of a warp.
template <class F>
PCGEN_DEVICE uint32_t ballot(const F& f) {
  return __ballot_sync(~0u, f(static_cast<int>(threadIdx.x % lanes)));
}

// The lanes' values made one by a rule that does not care for their order; every lane gets it.
template <class T, class F>
PCGEN_DEVICE T reduce(PerLane<T>& values, const F& rule) {
  static_assert(sizeof(T) % sizeof(int) == 0);
  constexpr int words = sizeof(T) / sizeof(int);
  T own = values[0];
#pragma unroll
  for (int distance = lanes / 2; distance > 0; distance /= 2) {
    int word[words];
    memcpy(word, &own, sizeof(T));
#pragma unroll
    for (int k = 0; k < words; ++k) word[k] = __shfl_xor_sync(~0u, word[k], distance);
    T other;
    memcpy(&other, word, sizeof(T));
    own = rule(own, other);
  }
  return own;
}

// What one lane has; every lane gets it.
PCGEN_DEVICE int from_lane(PerLane<int>& values, int lane) { return __shfl_sync(~0u, values[lane], lane); }

PCGEN_DEVICE int count_bits(uint32_t bits) { return __popc(bits); }
PCGEN_DEVICE int first_bit(uint32_t bits) { return __ffs(static_cast<int>(bits)) - 1; }

// Makes `count` places at the end of a list, and returns the first. In which order callers come is left to chance.
PCGEN_DEVICE int add_places(int& size, int count) { return atomicAdd(&size, count); }

PCGEN_DEVICE float fused(float a, float b, float c) { return fmaf(a, b, c); }
PCGEN_DEVICE double fused(double a, double b, double c) { return fma(a, b, c); }

// Within an ulp or two for floats.
PCGEN_DEVICE float root(float v) {
  float r;
  asm("sqrt.approx.f32 %0, %1;" : "=f"(r) : "f"(v));
  return r;
}
PCGEN_DEVICE double root(double v) { return sqrt(v); }

#else

// Not 0: steps run their threads in another order each time. No result may depend on it.
inline uint64_t order_seed = 0;

template <int count, class F>
void in_some_order(const F& f) {
  static_assert((count & (count - 1)) == 0);
  uint32_t stride = 1, begin = 0;
  if (order_seed != 0) {
    order_seed = order_seed * 6364136223846793005u + 1442695040888963407u;
    stride = static_cast<uint32_t>(order_seed >> 33) | 1, begin = static_cast<uint32_t>(order_seed >> 40);
  }
  for (uint32_t k = 0; k < count; ++k) f(static_cast<int>((begin + k * stride) % count));
}

template <class F>
void step(const F& f) {
  in_some_order<threads>(f);
}

template <class F>
void each_warp(const F& f) {
  in_some_order<warps>(f);
}

template <class F>
void each_lane(const F& f) {
  in_some_order<lanes>(f);
}

template <class T, int count>
class PerOne {
 public:
  T& operator[](int which) { return values_[which]; }

 private:
  T values_[count];
};

template <class T>
using PerThread = PerOne<T, threads>;
template <class T>
using PerLane = PerOne<T, lanes>;

template <class F>
uint32_t ballot(const F& f) {
  uint32_t bits = 0;
  in_some_order<lanes>([&](int lane) { bits |= static_cast<uint32_t>(f(lane)) << lane; });
  return bits;
}

template <class T, class F>
T reduce(PerLane<T>& values, const F& rule) {
  PerLane<T> own = values;
  for (int distance = lanes / 2; distance > 0; distance /= 2) {
    PerLane<T> before = own;
    for (int lane = 0; lane < lanes; ++lane) own[lane] = rule(before[lane], before[lane ^ distance]);
  }
  return own[0];
}

inline int from_lane(PerLane<int>& values, int lane) { return values[lane]; }

inline int count_bits(uint32_t bits) { return __builtin_popcount(bits); }
inline int first_bit(uint32_t bits) { return __builtin_ctz(bits); }

inline int add_places(int& size, int count) {
  size += count;
  return size - count;
}

template <class T>
T fused(T a, T b, T c) {
  return std::fma(a, b, c);
}
template <class T>
T root(T v) {
  return std::sqrt(v);
}

#endif

}  // namespace pcgen::cuda
