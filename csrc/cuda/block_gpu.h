// A block of threads on the GPU.
#pragma once

#include <cstdint>
#include <cstring>

#include "cuda/block.h"

#define PCGEN_DEVICE __device__ __forceinline__

namespace pcgen::cuda {

// f(thread) on every thread, then a barrier. Every thread of the block must call it.
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

// One value per thread, which only this thread may use: a register.
template <class T>
class PerThread {
 public:
  PCGEN_DEVICE T& operator[](int) { return value_; }

 private:
  T value_;
};

template <class T>
using PerLane = PerThread<T>;

// One bit per lane of a warp.
template <class F>
PCGEN_DEVICE uint32_t ballot(const F& f) {
  return __ballot_sync(~0u, f(static_cast<int>(threadIdx.x % lanes)));
}

// Exchange of a value between lanes, word by word: exchange(word) for each of its words.
template <class T, class F>
PCGEN_DEVICE T exchanged(const T& value, const F& exchange) {
  static_assert(sizeof(T) % sizeof(int) == 0);
  constexpr int words = sizeof(T) / sizeof(int);
  int word[words];
  memcpy(word, &value, sizeof(T));
#pragma unroll
  for (int k = 0; k < words; ++k) word[k] = exchange(word[k]);
  T other;
  memcpy(&other, word, sizeof(T));
  return other;
}

// Reduction of the lanes' values by a rule that does not depend on their order; every lane gets the result.
template <class T, class F>
PCGEN_DEVICE T reduce(PerLane<T>& values, const F& rule) {
  T own = values[0];
#pragma unroll
  for (int distance = lanes / 2; distance > 0; distance /= 2) {
    own = rule(own, exchanged(own, [&](int word) { return __shfl_xor_sync(~0u, word, distance); }));
  }
  return own;
}

// The value of one lane, for every lane.
template <class T>
PCGEN_DEVICE T from_lane(PerLane<T>& values, int lane) {
  return exchanged(values[lane], [&](int word) { return __shfl_sync(~0u, word, lane); });
}

PCGEN_DEVICE int count_bits(uint32_t bits) { return __popc(bits); }
PCGEN_DEVICE int first_bit(uint32_t bits) { return __ffs(static_cast<int>(bits)) - 1; }

// Allocates `count` places at the end of a list, and returns the first. The order of callers is not determined.
PCGEN_DEVICE int add_places(int& size, int count) { return atomicAdd(&size, count); }

PCGEN_DEVICE float fused(float a, float b, float c) { return fmaf(a, b, c); }
PCGEN_DEVICE double fused(double a, double b, double c) { return fma(a, b, c); }

// The square root; for floats to one or two ulp, and 0 below 1e-38.
PCGEN_DEVICE float root(float v) {
  float r;
  asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
  return r;
}
PCGEN_DEVICE double root(double v) { return sqrt(v); }

}  // namespace pcgen::cuda
