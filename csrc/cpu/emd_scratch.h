// Memory for a kernel's arrays, handed out from one piece.
#pragma once

#include <cstdint>

namespace {

// Counts only, where it has no memory: the same code then says how much it will need.
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
