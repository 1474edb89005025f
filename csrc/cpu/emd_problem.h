// The data of one matching problem for the kernels: plain arrays in the caller's memory, no torch, no allocation.
#pragma once

#include <cstdint>

namespace pcgen::emd {

// Points per block. Every cloud is divided into blocks of neighbouring points, each with a bounding box.
constexpr int kBlock = 16;

// A matching whose cost exceeds its bound by at most this share is called optimal: a thousand times what is usual, and
// what the sums of a million points may reach.
constexpr double kRounding = 0x1p-30;

// Rows are the points of x, columns those of y; both are in block order. `slots` is n rounded up to whole blocks;
// beyond n, arrays of this length are zero, and prices are infinite.
struct Problem {
  int n = 0, slots = 0;
  const double* x[3] = {};  // (slots) exact coordinates, times a power of two that makes the union's extent at most one
  const double* y[3] = {};  // (slots)
  double centre[3] = {};    // subtracted from both before coordinates are rounded
  double gap = 0.0;         // certified (cost - bound) / cost at which to stop; 0: optimal
  double first_eps = 0.0;   // the first eps if `price` has initial prices; 0 if it has none
  double size = 0.0;        // the larger side of the larger cloud's box
  double lost = 0.0;        // by how much the scaling may have changed the cost: 0 unless it made coordinates denormal
  double spacing = 0.0;     // approximate difference between the distances of neighbouring columns from a row
  double* price = nullptr;  // (slots) in: warm prices; out: the dual of a column is minus its price
  double* profit = nullptr; // (slots) out: the dual of a row, min over columns of distance + price
  int* column = nullptr;    // (slots) out: the column of each row, or -1
  int* row = nullptr;       // (slots) out: the row of each column, or -1
  char* memory = nullptr;   // memory for the kernel, aligned to 64 bytes
  double cost = 0.0, bound = 0.0;  // out: sums over rows
  bool solved = false;             // out: whether the certificate proves the larger of `gap` and kRounding
};

// Kernels of one instruction set. `single` searches with float filters, `wide` with double ones, for clouds that float
// cannot resolve because they are far from each other. Both decide in double. `profits` only sets profits for the given
// prices, rounded down; it needs the memory of `single`.
struct Kernels {
  void (*single)(Problem&);
  void (*wide)(Problem&);
  void (*profits)(Problem&);
  int64_t (*single_bytes)(int slots);
  int64_t (*wide_bytes)(int slots);
};

}  // namespace pcgen::emd
