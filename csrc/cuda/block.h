// What a program for one block of threads may use, on the GPU and, for the tests, on the CPU: steps that all threads take
// before any goes on, and values that each thread keeps from step to step.
#pragma once

#ifdef __CUDACC__
#define PCGEN_DEVICE __device__ __forceinline__
#else
#include <cmath>
#define PCGEN_DEVICE inline
#endif

namespace pcgen::cuda {

constexpr int threads = 256;

#ifdef __CUDACC__

// f(thread) on every thread, then a barrier. Every thread of the block must come here.
template <class F>
PCGEN_DEVICE void step(const F& f) {
  f(static_cast<int>(threadIdx.x));
  __syncthreads();
}

// One value for each thread, of which a thread touches its own alone: a register.
template <class T>
class PerThread {
 public:
  PCGEN_DEVICE T& operator[](int) { return value_; }

 private:
  T value_;
};

#else

template <class F>
void step(const F& f) {
  for (int thread = 0; thread < threads; ++thread) f(thread);
}

template <class T>
class PerThread {
 public:
  T& operator[](int thread) { return values_[thread]; }

 private:
  T values_[threads];
};

#endif

}  // namespace pcgen::cuda
