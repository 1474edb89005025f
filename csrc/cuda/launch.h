// Common code of all kernel launches: stream, and errors of CUDA.
#pragma once

#include <stdexcept>
#include <string>

#include <cuda_runtime.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/tensor.h>

namespace pcgen::cuda {

// The caller's stream on the tensor's device.
inline cudaStream_t current_stream(const torch::stable::Tensor& t) {
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(t.get_device_index(), &stream));
  return static_cast<cudaStream_t>(stream);
}

// Raises an error with the name of the op if a CUDA call failed.
inline void check_cuda(const char* op, cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(std::string(op) + ": CUDA failed: " + cudaGetErrorString(error));
}

// To be called after every launch.
inline void check_launch(const char* op) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw std::runtime_error(std::string(op) + ": launch failed: " + cudaGetErrorString(error));
}

}  // namespace pcgen::cuda
