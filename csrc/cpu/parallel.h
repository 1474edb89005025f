// Loops over independent items on torch's threads.
#pragma once

#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>

#include <torch/csrc/stable/ops.h>

namespace pcgen {

// Call f(begin, end) on consecutive parts of [0, count), at least `grain` long each, on torch's threads. The caller
// gets the exception of the first part that throws, unchanged (torch's ABI would convert it to a RuntimeError).
template <class F>
void parallel_for(int64_t count, int64_t grain, const F& f) {
  std::mutex mutex;
  std::exception_ptr error;
  int64_t error_at = std::numeric_limits<int64_t>::max();
  torch::stable::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    try {
      f(begin, end);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (begin < error_at) error = std::current_exception(), error_at = begin;
    }
  });
  if (error) std::rethrow_exception(error);
}

// Call f(item) for each item of [0, count) on torch's threads, at least `grain` items on each.
template <class F>
void parallel_for_each(int64_t count, const F& f, int64_t grain = 1) {
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) f(item);
  });
}

// The grain of loops with little work for each of `points` points per item: waking a thread takes as long as several
// thousand such points.
inline int64_t light_grain(int64_t points) { return points < 16384 ? 16384 / points : 1; }

}  // namespace pcgen
