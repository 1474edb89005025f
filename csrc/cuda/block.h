// What a program for one block of threads may use, on the GPU and, for the tests, on the CPU: steps that all threads,
// warps or lanes take before any goes on, values that each keeps from step to step, and what the lanes of a warp tell
// each other.
//
// Between steps every thread of a block runs the same code on the same values: what it reads there of shared memory
// must not be written in the very next step, which faster threads may have begun.
#pragma once

namespace pcgen::cuda {

constexpr int threads = 256;
constexpr int lanes = 32;
constexpr int warps = threads / lanes;

}  // namespace pcgen::cuda

#ifdef __CUDACC__
#include "cuda/block_gpu.h"
#else
#include "cuda/block_cpu.h"
#endif
