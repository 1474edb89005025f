#include "cpu/emd_closed.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace pcgen::emd {
namespace {

using Vector = std::array<double, 3>;

Vector at(const double* const* cloud, int i) { return {cloud[0][i], cloud[1][i], cloud[2][i]}; }
Vector operator-(const Vector& p, const Vector& q) { return {p[0] - q[0], p[1] - q[1], p[2] - q[2]}; }

bool is_one_place(const double* const* cloud, int n) {
  for (int a = 0; a < 3; ++a) {
    const auto [low, high] = std::minmax_element(cloud[a], cloud[a] + n);
    if (*low != *high) return false;
  }
  return true;
}

// Accurate also if squares are denormal.
double distance(const Problem& problem, int i, int j) {
  const Vector step = at(problem.x, i) - at(problem.y, j);
  return std::hypot(step[0], step[1], step[2]);
}

void pair(Problem& problem, int i, int j) { problem.column[i] = j, problem.row[j] = i; }

void sum_up(Problem& problem) {
  problem.cost = problem.bound = 0;
  for (int i = 0; i < problem.n; ++i) {
    problem.cost += distance(problem, i, problem.column[i]);
    problem.bound += problem.profit[i] - problem.price[problem.column[i]];
  }
  problem.solved = std::abs(problem.cost - problem.bound) + problem.lost <= kRounding * problem.cost;
}

// One cloud is a single place, so all matchings have the same cost. The duals of the other cloud are its distances to
// this place; those of the single place are zero.
void solve_one_place(Problem& problem, bool is_y) {
  for (int i = 0; i < problem.n; ++i) {
    pair(problem, i, i);
    const double away = distance(problem, i, i);
    problem.profit[i] = is_y ? away : 0;
    problem.price[i] = is_y ? 0 : -away;
  }
  sum_up(problem);
}

// The positions of both clouds' points on their common line.
class Line {
 public:
  // From a point in the middle of the order, which is not an outlier if there are few.
  explicit Line(const Problem& problem) : problem_(problem), base_(at(problem.x, problem.n / 2)) {
    double farthest = 0;
    for (const double* const* cloud : {problem.x, problem.y}) {
      for (int i = 0; i < problem.n; ++i) {
        const Vector step = at(cloud, i) - base_;
        const double most = std::max({std::abs(step[0]), std::abs(step[1]), std::abs(step[2])});
        if (most > farthest) farthest = most, direction_ = step;
      }
    }
    for (int a = 1; a < 3; ++a) axis_ = std::abs(direction_[a]) > std::abs(direction_[axis_]) ? a : axis_;
    unit_ = std::hypot(direction_[0], direction_[1], direction_[2]) / std::abs(direction_[axis_]);
  }

  // Exact for float32 without outliers: a difference then fits into half a double, and a product of two into a double.
  // With rounding it may say that points are on a line which are not; `sum_up` finds that the duals do not fit then.
  bool holds_all() const {
    for (const double* const* cloud : {problem_.x, problem_.y}) {
      for (int i = 0; i < problem_.n; ++i) {
        const Vector step = at(cloud, i) - base_;
        for (int a = 0; a < 3; ++a) {
          const int b = (a + 1) % 3;
          if (step[a] * direction_[b] != step[b] * direction_[a]) return false;
        }
      }
    }
    return true;
  }

  double place(const double* const* cloud, int i) const { return (cloud[axis_][i] - base_[axis_]) * unit_; }

  std::vector<int> sorted(const double* const* cloud) const {
    std::vector<int> order(problem_.n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return cloud[axis_][i] < cloud[axis_][j]; });
    return order;
  }

 private:
  const Problem& problem_;
  Vector base_, direction_{};
  int axis_ = 0;
  double unit_ = 1;
};

// Sorted points are matched in order. One potential f gives both duals, f(x_i) and -f(y_j). Its slope is -1 where more
// points of x than of y are before, so that mass moves forwards, and 1 where mass moves backwards.
void solve_line(Problem& problem, const Line& line) {
  const std::vector<int> rows = line.sorted(problem.x), columns = line.sorted(problem.y);
  for (int k = 0; k < problem.n; ++k) pair(problem, rows[k], columns[k]);

  double turn = 0, at_turn = 0;  // the last place where the slope changed, and f there
  int slope = 0;
  for (int r = 0, c = 0; r < problem.n || c < problem.n;) {
    const double x = r < problem.n ? line.place(problem.x, rows[r]) : INFINITY;
    const double y = c < problem.n ? line.place(problem.y, columns[c]) : INFINITY;
    const double place = std::min(x, y), f = at_turn + slope * (place - turn);
    if (x <= y) problem.profit[rows[r++]] = f;
    else problem.price[columns[c++]] = f;
    const int behind = r > c ? -1 : r < c ? 1 : 0;
    if (behind != slope) turn = place, at_turn = f, slope = behind;
  }
  sum_up(problem);
}

}  // namespace

bool solve_closed(Problem& problem) {
  if (is_one_place(problem.y, problem.n)) {
    solve_one_place(problem, true);
  } else if (is_one_place(problem.x, problem.n)) {
    solve_one_place(problem, false);
  } else if (const Line line(problem); line.holds_all()) {
    solve_line(problem, line);
  } else {
    return false;
  }
  if (!problem.solved) problem.first_eps = 0;  // initial prices, if there were any, are overwritten
  return problem.solved;
}

}  // namespace pcgen::emd
