// The interface of programs for one block of threads, on the GPU and, for the tests, on the CPU: steps that all
// threads, warps or lanes finish before the next one, values that each keeps between steps, and communication between
// the lanes of a warp.
//
// Between steps, every thread of a block runs the same code on the same values. Shared memory that is read there must
// not be written in the next step, which faster threads may have started.
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
