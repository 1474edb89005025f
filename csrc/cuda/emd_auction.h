// Rounds of bids: free rows bid for the column of least distance + price and raise its price, one row per warp at once.
//
// With eps > 0 it is in rounded arithmetic (Bertsekas, 1988, The Auction Algorithm): prices are only a starting point.
// With eps = 0 it is in double (the row reduction of Jonker and Volgenant, 1987): matched rows have exactly their least
// value, and few rows remain free.
#pragma once

#include "cuda/emd_state.h"

namespace pcgen::cuda::emd {

template <class Real>
class Auction {
 public:
  PCGEN_DEVICE Auction(Market<Real>& market, State& state, Shared& shared)
      : market_(market), state_(state), shared_(shared) {}

  // Frees all rows, and bids until at most as many rows as warps are free, since these would take most of the rounds.
  PCGEN_DEVICE void from_scratch(Real eps);
  // Exact bids of the free rows, likewise; a row with two equally good columns may remain free.
  PCGEN_DEVICE void reduce_rows();
  // Makes the queue of free rows. Neighbours compete for the same columns, so they are far apart in the queue.
  PCGEN_DEVICE void queue_free();

 private:
  // Limits of rounds per row: a hundred times the usual number, since the exact stages accept any prices; and for exact
  // bids, which seldom need so many.
  static constexpr int64_t kRounds = 100, kExactRounds = 1;

  template <bool is_exact>
  PCGEN_DEVICE void bid(int warp, Real eps);
  template <bool is_exact>
  PCGEN_DEVICE void settle();
  template <bool is_exact>
  PCGEN_DEVICE void rounds(Real eps, int64_t limit);

  Market<Real>& market_;
  State& state_;
  Shared& shared_;
};

// The smallest number above the golden section of n that is coprime to n.
PCGEN_DEVICE int64_t golden_stride(int n) {
  for (int64_t stride = static_cast<int64_t>(0.6180339887 * n) + 1;; ++stride) {
    int64_t a = n, b = stride;
    while (b != 0) {
      const int64_t rest = a % b;
      a = b, b = rest;
    }
    if (a == 1) return stride;
  }
}

template <class Real>
PCGEN_DEVICE void Auction<Real>::queue_free() {
  const int n = state_.n;
  const int64_t stride = golden_stride(n);
  each_warp([&](int warp) {
    if (warp != 0) return;
    int waiting = 0;
    for (int first = 0; first < n; first += lanes) {
      const auto row = [&](int lane) { return static_cast<int>((first + lane) * stride % n); };
      const uint32_t is_free = ballot([&](int lane) { return first + lane < n && state_.column[row(lane)] < 0; });
      each_lane([&](int lane) {
        if ((is_free >> lane & 1) != 0) state_.queue[waiting + count_bits(is_free & ((1u << lane) - 1))] = row(lane);
      });
      waiting += count_bits(is_free);
    }
    once([&] { shared_.head = 0, shared_.waiting = waiting; });
  });
}

template <class Real>
template <bool is_exact>
PCGEN_DEVICE void Auction<Real>::bid(int warp, Real eps) {
  const int place = shared_.head + warp, i = state_.queue[place >= state_.n ? place - state_.n : place];
  const auto bid = market_.template best_two<is_exact>(i, shared_.highest);
  once([&] {
    using Value = decltype(bid.best);
    const int j = bid.column;
    const Value margin = bid.second - bid.best;
    bool bids = true;
    if constexpr (is_exact) {
      bids = margin > 0 || state_.row[j] < 0;
      shared_.offer[warp] = market_.price[j] + margin;
    } else {
      shared_.offer[warp] = static_cast<double>(market_.columns[j].price + margin + eps);
    }
    shared_.bidder[warp] = i, shared_.wanted[warp] = bids ? j : -1;
  });
}

// The highest bid for a column wins; of equal bids, that of the first warp. The other rows, and the previous row of the
// column, return to the queue.
template <class Real>
template <bool is_exact>
PCGEN_DEVICE void Auction<Real>::settle() {
  const int n = state_.n;
  PerLane<int> waits;
  PerLane<double> risen;
  each_lane([&](int lane) {
    waits[lane] = -1, risen[lane] = 0;
    if (lane >= warps) return;
    const int i = shared_.bidder[lane], j = shared_.wanted[lane];
    const double offer = shared_.offer[lane];
    if (j < 0) return;
    for (int other = 0; other < warps; ++other) {
      if (shared_.wanted[other] != j) continue;
      if (shared_.offer[other] > offer || (shared_.offer[other] == offer && other < lane)) waits[lane] = i;
    }
    if (waits[lane] >= 0) return;
    waits[lane] = state_.row[j];
    if (waits[lane] >= 0) state_.column[waits[lane]] = -1;
    state_.row[j] = i, state_.column[i] = j;
    if constexpr (is_exact) market_.price[j] = offer;
    market_.columns[j].price = static_cast<Real>(offer);
    risen[lane] = offer;
  });
  const uint32_t waiting = ballot([&](int lane) { return waits[lane] >= 0; });
  const double highest = reduce(risen, Most());
  const int end = shared_.head + shared_.waiting;
  each_lane([&](int lane) {
    if (waits[lane] < 0) return;
    const int place = (end + count_bits(waiting & ((1u << lane) - 1))) % n;
    state_.queue[place] = waits[lane];
  });
  once([&] {
    shared_.head = (shared_.head + warps) % n;
    shared_.waiting += count_bits(waiting) - warps;
    if (highest > shared_.highest) shared_.highest = highest;
  });
}

template <class Real>
template <bool is_exact>
PCGEN_DEVICE void Auction<Real>::rounds(Real eps, int64_t limit) {
  for (; limit > 0 && shared_.waiting > warps; --limit) {
    each_warp([&](int warp) { bid<is_exact>(warp, eps); });
    each_warp([&](int warp) {
      if (warp == 0) settle<is_exact>();
    });
    each_warp([&](int warp) {
      if (shared_.wanted[warp] < 0) return;
      const int g = shared_.wanted[warp] / group;
      for (int other = 0; other < warp; ++other) {
        if (shared_.wanted[other] >= 0 && shared_.wanted[other] / group == g) return;  // one lane per group is enough
      }
      market_.set_floor(g);
    });
  }
  step([](int) {});  // no thread changes the queue before all have read that it is done
}

template <class Real>
PCGEN_DEVICE void Auction<Real>::from_scratch(Real eps) {
  step([&](int thread) {
    for (int k = thread; k < state_.n; k += threads) state_.row[k] = state_.column[k] = -1;
  });
  queue_free();
  rounds<false>(eps, kRounds * state_.n);
}

template <class Real>
PCGEN_DEVICE void Auction<Real>::reduce_rows() {
  queue_free();
  rounds<true>(0, kExactRounds * state_.n);
}

}  // namespace pcgen::cuda::emd
