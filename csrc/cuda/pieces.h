// Allocation of a program's arrays from one piece of memory.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define PCGEN_ANYWHERE __host__ __device__ __forceinline__
#else
#define PCGEN_ANYWHERE inline
#endif

namespace pcgen::cuda {

// Without memory it only counts, so the same code computes the required size.
class Pieces {
 public:
  PCGEN_ANYWHERE explicit Pieces(char* memory) : memory_(memory) {}

  template <class T>
  PCGEN_ANYWHERE T* take(int64_t count) {
    char* const piece = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (count * static_cast<int64_t>(sizeof(T)) + 127) / 128 * 128;
    return reinterpret_cast<T*>(piece);
  }

  PCGEN_ANYWHERE int64_t used() const { return used_; }

 private:
  char* memory_;
  int64_t used_ = 0;
};

}  // namespace pcgen::cuda
