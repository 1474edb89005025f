// The common state of a matching's stages: the matched pairs, the queue of free rows, and values that the threads of
// the block exchange.
#pragma once

#include "cuda/emd_market.h"

namespace pcgen::cuda::emd {

// In shared memory.
struct Shared {
  // The round of bids, one per warp.
  int bidder[warps], wanted[warps];
  double offer[warps];
  int head, waiting;  // of the queue
  double highest;     // no price is above it
  // The round of a search: for each warp the nearest free column and the least pending depth.
  double nearest[warps], low[warps];
  int target[warps];
  int frontier[2];  // sizes, of this round's list and the next's
  // Sums, one per warp.
  double sum[warps], sum2[warps], sum3[warps];
  int count[warps];
};

struct State {
  PCGEN_ANYWHERE State(int n, Pieces& pieces) : n(n) {
    profit = pieces.take<double>(n);
    column = pieces.take<int>(n), row = pieces.take<int>(n), queue = pieces.take<int>(n);
  }

  int n;
  double* profit;  // (n) the dual of a row, min over columns of distance + price; that of a column is minus its price
  int* column;     // (n) the column of each row, or -1
  int* row;        // (n) the row of each column, or -1
  int* queue;      // (n) rows without a column, a ring
};

// Reduction of values that each warp has written to shared memory, in the order of warps; every thread of the block
// gets the result. The values must not be overwritten in the next step.
template <class T, class F>
PCGEN_DEVICE T gather(const T* shares, const F& rule) {
  T all = shares[0];
  for (int w = 1; w < warps; ++w) all = rule(all, shares[w]);
  return all;
}

struct Add {
  template <class T>
  PCGEN_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};

struct Least {
  template <class T>
  PCGEN_DEVICE T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};

struct Most {
  template <class T>
  PCGEN_DEVICE T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};

// f on one lane of a warp.
template <class F>
PCGEN_DEVICE void once(const F& f) {
  each_lane([&](int lane) {
    if (lane == 0) f();
  });
}

}  // namespace pcgen::cuda::emd
