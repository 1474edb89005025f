// Sixteen real numbers side by side: the one vocabulary in which the matching kernel is written.
//
// `Lanes<float>` and `Lanes<double>` hold a block of sixteen points' worth of one quantity. Which registers carry it is
// decided by the instruction set this header is compiled for; everything lives in an unnamed namespace, so that units
// compiled for different instruction sets never share a symbol.
#pragma once

#include <cstdint>

namespace {

constexpr int kLanes = 16;

template <class Real>
struct Lanes;

inline void copy_integers(const int* from, int* to) {
  for (int k = 0; k < kLanes; ++k) to[k] = from[k];
}

}  // namespace

#if defined(__AVX512F__)
#include "cpu/emd_lanes_avx512.h"
#elif defined(__AVX2__)
#include "cpu/emd_lanes_avx2.h"
#else
#include "cpu/emd_lanes_portable.h"
#endif
