// Allocation of a kernel's arrays from one piece of memory.
#pragma once

#include <cstdint>

namespace {

// Without memory it only counts, so the same code computes the required size.
class Scratch {
 public:
  explicit Scratch(char* memory) : memory_(reinterpret_cast<uintptr_t>(memory)) {}

  template <class T>
  T* take(int64_t count) {
    const uintptr_t piece = memory_ + static_cast<uintptr_t>(used_);
    used_ += (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return reinterpret_cast<T*>(piece);
  }

  int64_t used() const { return used_; }

 private:
  uintptr_t memory_;
  int64_t used_ = 0;
};

}  // namespace
