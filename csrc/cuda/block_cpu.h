// A block of threads on the CPU, one thread after another, for the tests.
#pragma once

#include <atomic>
#include <barrier>
#include <cmath>
#include <cstdint>
#include <thread>
#include <vector>

#include "cuda/block.h"

#define PCGEN_DEVICE inline

namespace pcgen::cuda {

// If it is not 0, steps run their threads in a random order. No result may depend on it.
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

#ifdef PCGEN_WARPS_RACE

// Every warp is a thread of the CPU that runs the whole program, synchronised only by these barriers, so a tool that
// finds data races finds missing barriers.
inline thread_local int own_warp = 0;
inline std::barrier<> barrier(warps);

// One block's program.
template <class F>
void run_block(const F& f) {
  std::vector<std::thread> all;
  for (int warp = 0; warp < warps; ++warp) {
    all.emplace_back([&f, warp] {
      own_warp = warp;
      f();
    });
  }
  for (std::thread& each : all) each.join();
}

template <class F>
void step(const F& f) {
  for (int lane = 0; lane < lanes; ++lane) f(own_warp * lanes + lane);
  barrier.arrive_and_wait();
}

template <class F>
void each_warp(const F& f) {
  f(own_warp);
  barrier.arrive_and_wait();
}

#else

template <class F>
void run_block(const F& f) {
  f();
}

template <class F>
void step(const F& f) {
  in_some_order<threads>(f);
}

template <class F>
void each_warp(const F& f) {
  in_some_order<warps>(f);
}

#endif

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

template <class T>
T from_lane(PerLane<T>& values, int lane) {
  return values[lane];
}

inline int count_bits(uint32_t bits) { return __builtin_popcount(bits); }
inline int first_bit(uint32_t bits) { return __builtin_ctz(bits); }

inline int add_places(int& size, int count) { return std::atomic_ref<int>(size).fetch_add(count); }

template <class T>
T fused(T a, T b, T c) {
  return std::fma(a, b, c);
}
template <class T>
T root(T v) {
  return std::sqrt(v);
}

}  // namespace pcgen::cuda
