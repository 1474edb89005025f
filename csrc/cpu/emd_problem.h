// One matching problem as the kernels see it: plain arrays in a caller's memory, no torch, no allocation.
#pragma once

#include <cstdint>

namespace pcgen::emd {

// Points per block. Every cloud is cut into blocks of neighbouring points, each with a bounding box.
constexpr int kBlock = 16;

// Rows are the points of x, columns those of y; both are in block order. `slots` is n rounded up to whole blocks; the
// arrays of that length hold zeros beyond n, and infinite prices there.
struct Problem {
  int n = 0, slots = 0;
  const double* x[3] = {};  // (slots) exact coordinates, times a power of two that makes the union's extent at most one
  const double* y[3] = {};  // (slots)
  double centre[3] = {};    // subtracted from both wherever coordinates are rounded
  double gap = 0.0;         // certified (cost - bound) / cost at which to stop; 0: optimal
  double first_eps = 0.0;   // where eps begins when `price` holds prices to start from; 0 where it does not
  double size = 0.0;        // the larger side of the larger cloud's box
  double spacing = 0.0;     // by about how much the distances of neighbouring columns from a row differ
  double* price = nullptr;  // (slots) in: warm prices; out: the dual of a column is minus its price
  double* profit = nullptr; // (slots) out: the dual of a row, min over columns of distance + price
  int* column = nullptr;    // (slots) out: the column of each row, or -1
  int* row = nullptr;       // (slots) out: the row of each column, or -1
  char* memory = nullptr;   // what the kernel asks for, aligned to 64
  double cost = 0.0, bound = 0.0;  // out: sums over rows
  bool solved = false;             // out: whether the certificate shows what was asked for
};

// Kernels of one instruction set. `single` searches with float filters, `wide` with double ones, for clouds that floats
// cannot tell apart: two that are far from each other. Both decide in double. `profits` only sets profits, from below
// and rounded, for the prices given; it needs the memory of `single`.
struct Kernels {
  void (*single)(Problem&);
  void (*wide)(Problem&);
  void (*profits)(Problem&);
  int64_t (*single_bytes)(int slots);
  int64_t (*wide_bytes)(int slots);
};

}  // namespace pcgen::emd
