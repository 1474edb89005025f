// Shortest augmenting paths over reduced costs: matches one free row at a time and keeps the duals feasible.
#pragma once

#include "cpu/emd_market.h"

namespace {

template <class Real>
class Paths {
 public:
  Paths(Problem& problem, Market<Real>& market, Scratch& scratch);

  // Sets every row's profit to its exact least value.
  void set_profits();
  // Lowers every matched column's price as far as the profits allow, to max_i (u_i - D_ij). The profits do not change,
  // and about half of the slack from an auction is removed. To be called after profits are set.
  void lower_prices();
  // Frees every row whose column's value exceeds its profit by more than `tight` and this share of the value; returns
  // the number of free rows.
  int free_slack(double tight, double share);
  // Matches every free row; `reach` is a length that most paths do not exceed.
  void match_all(double reach);

 private:
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  bool augment(int root, double reach);
  void relax_row(int i, double depth);
  void push(int column, bool is_new);
  int pop();

  Problem& problem_;
  Market<Real>& market_;
  double* depth_;  // (slots) length of the shortest path found to each column
  double* slack_;  // (slots) by how much the value of a freed row's column exceeded its profit
  int* parent_;    // (slots) row before each column
  int* touched_;   // (slots) columns whose depth is finite
  int* done_;      // (slots) columns scanned, in order
  int* heap_;      // (slots) columns waiting to be scanned, least depth first
  int* place_;     // (slots) where in the heap a column is
  int* place_of_;  // (slots) the first row at the same position
  int* seen_;      // (slots) by place, the last search that scanned a row there
  int search_ = 0, heap_size_ = 0, touched_count_ = 0, done_count_ = 0;
  double reach_ = 0.0;  // longer paths are ignored
  int target_ = -1;     // nearest free column found
};

template <class Real>
Paths<Real>::Paths(Problem& problem, Market<Real>& market, Scratch& scratch) : problem_(problem), market_(market) {
  depth_ = scratch.take<double>(problem.slots), slack_ = scratch.take<double>(problem.slots);
  parent_ = scratch.take<int>(problem.slots);
  touched_ = scratch.take<int>(problem.slots), done_ = scratch.take<int>(problem.slots);
  place_of_ = scratch.take<int>(problem.slots), seen_ = scratch.take<int>(problem.slots);
  heap_ = scratch.take<int>(problem.slots), place_ = scratch.take<int>(problem.slots);
}

template <class Real>
void Paths<Real>::set_profits() {
  for (int i = 0; i < problem_.n; ++i) {
    const int column = problem_.column[i];
    const double own = column < 0 ? kInfinity : market_.distance(i, column) + market_.price(column);
    double least = own;
    const double found = column < 0 ? market_.best_two(i).best : 0.0;
    const double limit = column < 0 ? found + 2 * market_.rounding(i, found) : own;
    market_.visit_below(i, limit, [](int) { return false; }, [&](int, double value) {
      least = value < least ? value : least;
      return true;
    });
    problem_.profit[i] = least;
    slack_[i] = own - least;
  }
}

template <class Real>
void Paths<Real>::lower_prices() {
  double* const fall = depth_;
  double highest = 0.0;
  for (int j = 0; j < problem_.n; ++j) {
    fall[j] = problem_.row[j] < 0 ? 0.0 : slack_[problem_.row[j]];
    highest = fall[j] > highest ? fall[j] : highest;
  }
  for (int i = 0; i < problem_.n; ++i) {
    const double profit = problem_.profit[i];
    const auto is_fixed = [&](int j) { return fall[j] <= 0.0; };
    market_.visit_below(i, profit + highest, is_fixed, [&](int j, double value) {
      const double room = value > profit ? value - profit : 0.0;
      fall[j] = room < fall[j] ? room : fall[j];
      return true;
    });
  }
  for (int j = 0; j < problem_.n; ++j) {
    if (fall[j] > 0.0) market_.set_price(j, market_.price(j) - fall[j]), slack_[problem_.row[j]] -= fall[j];
  }
  market_.expect_fallen(highest);
}

template <class Real>
int Paths<Real>::free_slack(double tight, double share) {
  int free_rows = 0;
  for (int i = 0; i < problem_.n; ++i) {
    int& column = problem_.column[i];
    const double most = tight + share * (problem_.profit[i] + slack_[i]);
    if (column >= 0 && slack_[i] > most) problem_.row[column] = -1, column = -1;
    free_rows += column < 0;
  }
  return free_rows;
}

template <class Real>
void Paths<Real>::match_all(double reach) {
  for (int j = 0; j < problem_.n; ++j) {
    depth_[j] = kInfinity;
    const bool same = j > 0 && problem_.x[0][j] == problem_.x[0][j - 1] && problem_.x[1][j] == problem_.x[1][j - 1] &&
                      problem_.x[2][j] == problem_.x[2][j - 1];
    place_of_[j] = same ? place_of_[j - 1] : j;
    seen_[j] = -1;
  }
  for (int i = 0; i < problem_.n; ++i) {
    if (problem_.column[i] >= 0) continue;
    for (double r = slack_[i] < reach ? slack_[i] : reach; !augment(i, r);) r *= 4;
  }
}

template <class Real>
inline void Paths<Real>::relax_row(int i, double depth) {
  // A row at the same position was scanned before, with the same result.
  if (seen_[place_of_[i]] == search_) return;
  seen_[place_of_[i]] = search_;
  const double profit = problem_.profit[i];
  const auto reached = [&](int j) { return depth_[j] <= depth; };
  market_.visit_below(i, profit + (reach_ - depth), reached, [&](int j, double value) {
    const double to = depth + (value > profit ? value - profit : 0.0);
    if (to >= depth_[j] || to > reach_) return true;
    const bool is_new = depth_[j] == kInfinity;
    if (is_new) touched_[touched_count_++] = j;
    depth_[j] = to;
    parent_[j] = i;
    if (problem_.row[j] < 0) target_ = j, reach_ = to;
    else push(j, is_new);
    return reach_ > depth;  // no column is nearer than a free column at distance 0
  });
}

// Matches the free row `root` along the shortest path no longer than reach; false when there is none.
template <class Real>
bool Paths<Real>::augment(int root, double reach) {
  ++search_, reach_ = reach, target_ = -1, heap_size_ = 0, touched_count_ = done_count_ = 0;
  relax_row(root, 0.0);
  while (heap_size_ > 0) {
    const int j = pop();
    if (target_ >= 0 && depth_[j] >= reach_) break;
    done_[done_count_++] = j;
    relax_row(problem_.row[j], depth_[j]);
  }
  if (target_ >= 0) {
    const double length = depth_[target_];
    problem_.profit[root] += length;
    for (int k = 0; k < done_count_; ++k) {
      const int j = done_[k];
      const double rise = length - depth_[j];
      if (rise <= 0.0) continue;
      market_.set_price(j, market_.price(j) + rise);
      problem_.profit[problem_.row[j]] += rise;
    }
    for (int j = target_, i = -1; i != root;) {
      i = parent_[j];
      const int next = problem_.column[i];
      problem_.column[i] = j, problem_.row[j] = i;
      j = next;
    }
  }
  for (int k = 0; k < touched_count_; ++k) depth_[touched_[k]] = kInfinity;
  return target_ >= 0;
}

// Inserts a column into the heap, or moves it up after its depth decreased.
template <class Real>
inline void Paths<Real>::push(int column, bool is_new) {
  int at = is_new ? heap_size_++ : place_[column];
  for (int up = (at - 1) / 2; at > 0 && depth_[heap_[up]] > depth_[column]; at = up, up = (at - 1) / 2) {
    heap_[at] = heap_[up];
    place_[heap_[at]] = at;
  }
  heap_[at] = column;
  place_[column] = at;
}

template <class Real>
inline int Paths<Real>::pop() {
  const int top = heap_[0], last = heap_[--heap_size_];
  int at = 0;
  while (true) {
    int child = 2 * at + 1;
    if (child >= heap_size_) break;
    if (child + 1 < heap_size_ && depth_[heap_[child + 1]] < depth_[heap_[child]]) ++child;
    if (depth_[heap_[child]] >= depth_[last]) break;
    heap_[at] = heap_[child];
    place_[heap_[at]] = at;
    at = child;
  }
  heap_[at] = last;
  place_[last] = at;
  return top;
}

}  // namespace
