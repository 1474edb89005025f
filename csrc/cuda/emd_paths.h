// Shortest augmenting paths over reduced costs: matches one free row at a time, all warps together, and keeps the duals
// feasible (Jonker and Volgenant, 1987).
//
// A search is in rounds. The frontier has the columns whose depth decreased and is about the least. From the rows
// matched with them, every warp improves its own columns, those of every eighth group, so that no two warps write the
// same column. The final depth is the least over all paths, and of rows that reach a column with equal depth in the
// same round, the first is its parent, so the order of the frontier has no effect. Depths increase along paths, and
// only strict improvements of earlier rounds count, so parents never form a cycle.
#pragma once

#include "cuda/emd_state.h"

namespace pcgen::cuda::emd {

template <class Real>
class Paths {
 public:
  PCGEN_ANYWHERE Paths(Market<Real>& market, State& state, Shared& shared, Pieces& pieces)
      : market_(market), state_(state), shared_(shared) {
    const int slots = market.groups * group;
    depth_ = pieces.take<double>(slots), frontier_ = pieces.take<Entry>(slots);
    parent_ = pieces.take<int>(slots);
    fresh_ = pieces.take<uint32_t>(market.groups), pending_ = pieces.take<uint32_t>(market.groups);
  }

  // Matches every row of the queue; columns within `width` of the least depth are scanned together.
  PCGEN_DEVICE void match_all(double width);

 private:
  struct Entry {
    double depth;
    int row;
  };
  // A row of the frontier at a group of columns.
  struct Visit {
    double at[3], profit, depth;
    int row, group;
  };
  struct Target {
    double depth;
    int column;
  };

  PCGEN_DEVICE void open();
  PCGEN_DEVICE Target search(int root, double width);
  PCGEN_DEVICE void improve(int warp, const Entry* entries, int count, double reach, double rounding);
  PCGEN_DEVICE void relax(const Visit& visit, double reach, double rounding, PerLane<Target>& nearest);
  PCGEN_DEVICE void select(int warp, double reach, double last, int* size);
  PCGEN_DEVICE void raise(double length, int root);

  // The groups of a warp are its index and every eighth one after it.
  PCGEN_DEVICE int groups_of(int warp) const { return (market_.groups - warp + warps - 1) / warps; }
  static PCGEN_DEVICE Target nearer(const Target& a, const Target& b) {
    const bool is_b = comes_before(b.depth, b.column, a.depth, a.column);
    return {is_b ? b.depth : a.depth, is_b ? b.column : a.column};
  }

  Market<Real>& market_;
  State& state_;
  Shared& shared_;
  double* depth_;       // (slots) length of the shortest path found to each column
  Entry* frontier_;     // (slots) the rows from which the search continues
  int* parent_;         // (slots) row before each column
  uint32_t* fresh_;     // (groups) one bit per column: improved in this round
  uint32_t* pending_;   // (groups) one bit per column: its row must still be scanned
};

template <class Real>
PCGEN_DEVICE void Paths<Real>::open() {
  step([&](int thread) {
    for (int j = thread; j < market_.groups * group; j += threads) depth_[j] = static_cast<double>(INFINITY);
    for (int g = thread; g < market_.groups; g += threads) fresh_[g] = pending_[g] = 0;
  });
}

// Improves the columns of one group from a row that was reached at visit.depth.
template <class Real>
PCGEN_DEVICE void Paths<Real>::relax(const Visit& visit, double reach, double rounding, PerLane<Target>& nearest) {
  const Point<Real> r = market_.rounded(visit.at);
  const uint32_t fresh = fresh_[visit.group];
  const uint32_t improved = ballot([&](int lane) {
    const int j = visit.group * group + lane;
    if (j >= state_.n) return false;
    const double known = depth_[j], limit = visit.profit + ((known < reach ? known : reach) - visit.depth);
    if (!(market_.value(r, j) <= static_cast<Real>(limit + rounding))) return false;
    const double value = market_.distance(r, j) + market_.price[j];
    const double depth = visit.depth + (value > visit.profit ? value - visit.profit : 0.0);
    const bool ties = depth == known && (fresh >> lane & 1) != 0 && visit.row < parent_[j];
    if (!(depth < known || ties) || depth > reach) return false;
    depth_[j] = depth, parent_[j] = visit.row;
    if (state_.row[j] < 0) nearest[lane] = nearer(nearest[lane], {depth, j});
    return true;
  });
  once([&] { fresh_[visit.group] = fresh | improved; });
}

// Improves the warp's columns from the whole frontier; writes its nearest free column and the least pending depth.
template <class Real>
PCGEN_DEVICE void Paths<Real>::improve(int warp, const Entry* entries, int count, double reach, double rounding) {
  const double far = static_cast<double>(INFINITY);
  PerLane<Target> nearest;
  PerLane<double> low;
  each_lane([&](int lane) { nearest[lane] = {far, INT_MAX}, low[lane] = far; });
  // Each lane excludes pairs of a group and an entry of the frontier; all lanes together search the remaining pairs.
  const int own = groups_of(warp), pairs = own * count;
  for (int first = 0; first < pairs; first += lanes) {
    PerLane<Visit> visits;
    uint32_t near = ballot([&](int lane) {
      const int pair = first + lane;
      visits[lane] = {};
      if (pair >= pairs) return false;
      const Entry entry = entries[pair / own];
      const Point<Real> r = market_.row(entry.row);
      const double profit = state_.profit[entry.row];
      visits[lane] = {{r.exact[0], r.exact[1], r.exact[2]}, profit, entry.depth, entry.row, warp + pair % own * warps};
      return market_.bound(r, visits[lane].group) <= static_cast<Real>(profit + (reach - entry.depth) + rounding);
    });
    for (; near != 0; near &= near - 1) relax(from_lane(visits, first_bit(near)), reach, rounding, nearest);
  }
  for (int k = 0; k < own; ++k) {
    const int g = warp + k * warps;
    const uint32_t fresh = fresh_[g], before = pending_[g];
    if ((fresh | before) == 0) continue;
    const uint32_t pending = ballot([&](int lane) {
      const int j = g * group + lane;
      if (((fresh | before) >> lane & 1) == 0 || state_.row[j] < 0) return false;
      low[lane] = depth_[j] < low[lane] ? depth_[j] : low[lane];
      return true;
    });
    once([&] { fresh_[g] = 0, pending_[g] = pending; });
  }
  const Target target = reduce(nearest, nearer);
  const double least = reduce(low, Least());
  once([&] { shared_.nearest[warp] = target.depth, shared_.target[warp] = target.column, shared_.low[warp] = least; });
}

// Lists the warp's pending columns of depth at most `last`, and drops those that are not nearer than a free column.
template <class Real>
PCGEN_DEVICE void Paths<Real>::select(int warp, double reach, double last, int* size) {
  const int own = groups_of(warp);
  for (int k = 0; k < own; ++k) {
    const int g = warp + k * warps;
    const uint32_t before = pending_[g];
    if (before == 0) continue;
    const auto depth = [&](int lane) { return depth_[g * group + lane]; };
    const auto waits = [&](int lane) { return (before >> lane & 1) != 0 && depth(lane) < reach; };
    const uint32_t taken = ballot([&](int lane) { return waits(lane) && depth(lane) <= last; });
    const uint32_t left = ballot([&](int lane) { return waits(lane) && !(depth(lane) <= last); });
    PerLane<int> first;
    each_lane([&](int lane) {
      first[lane] = 0;
      if (lane != 0) return;
      pending_[g] = left;
      if (taken != 0) first[lane] = add_places(*size, count_bits(taken));
    });
    const int place = from_lane(first, 0);
    each_lane([&](int lane) {
      if ((taken >> lane & 1) == 0) return;
      frontier_[place + count_bits(taken & ((1u << lane) - 1))] = {depth(lane), state_.row[g * group + lane]};
    });
  }
}

// The nearest free column from `root`, and the depths of all columns that are nearer.
template <class Real>
PCGEN_DEVICE typename Paths<Real>::Target Paths<Real>::search(int root, double width) {
  const double rounding = Market<Real>::rounding(shared_.highest);
  Target target{static_cast<double>(INFINITY), INT_MAX};
  step([&](int thread) {
    if (thread == 0) frontier_[0] = {0.0, root}, shared_.frontier[0] = 1;
  });
  for (int now = 0;; now = 1 - now) {
    // One size is read, and reset to 0 two steps later, while the other grows.
    const int count = shared_.frontier[now];
    each_warp([&](int warp) {
      if (warp == 0) once([&] { shared_.frontier[1 - now] = 0; });
      improve(warp, frontier_, count, target.depth, rounding);
    });
    for (int w = 0; w < warps; ++w) target = nearer(target, {shared_.nearest[w], shared_.target[w]});
    const double low = gather(shared_.low, Least());
    if (!(low < target.depth)) return target;
    each_warp([&](int warp) { select(warp, target.depth, low + width, &shared_.frontier[1 - now]); });
  }
}

// Raises the duals of rows and columns nearer than `length`, and clears the search.
template <class Real>
PCGEN_DEVICE void Paths<Real>::raise(double length, int root) {
  each_warp([&](int warp) {
    double highest = 0;
    for (int g = warp; g < market_.groups; g += warps) {
      PerLane<double> risen;
      const uint32_t seen = ballot([&](int lane) {
        const int j = g * group + lane;
        const double depth = depth_[j], rise = length - depth;
        risen[lane] = 0;
        depth_[j] = static_cast<double>(INFINITY);
        if (!(rise > 0)) return depth < INFINITY;
        risen[lane] = market_.price[j] += rise;
        market_.columns[j].price = static_cast<Real>(risen[lane]);
        state_.profit[state_.row[j]] += rise;
        return true;
      });
      if (seen == 0) continue;
      once([&] { pending_[g] = 0; });
      market_.set_floor(g);
      const double most = reduce(risen, Most());
      highest = most > highest ? most : highest;
    }
    once([&] {
      shared_.sum[warp] = highest;
      if (warp == 0) state_.profit[root] += length;
    });
  });
}

template <class Real>
PCGEN_DEVICE void Paths<Real>::match_all(double width) {
  open();
  const int roots = shared_.waiting;
  for (int k = 0; k < roots; ++k) {
    const int root = state_.queue[k];
    const Target target = search(root, width);
    raise(target.depth, root);
    step([&](int thread) {
      if (thread != 0) return;
      shared_.highest = gather(shared_.sum, Most()) > shared_.highest ? gather(shared_.sum, Most()) : shared_.highest;
      for (int j = target.column, i = -1; i != root;) {
        i = parent_[j];
        const int next = state_.column[i];
        state_.column[i] = j, state_.row[j] = i;
        j = next;
      }
    });
  }
}

}  // namespace pcgen::cuda::emd
