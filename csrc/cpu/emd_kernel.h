// The exact matching of two clouds of equal size under the Euclidean distance: auction, then shortest augmenting paths.
//
// Minimise the sum of D(i, m(i)) over one-to-one m, with the dual: maximise sum of u_i - p_j subject to u_i <= D_ij +
// p_j.
//   1. Auction with eps-scaling (Bertsekas 1988): free rows bid for the column of least D_ij + p_j and raise its price.
//      It is in rounded arithmetic, since its prices are only a starting point.
//   2. From these prices, in double: u_i = min_j (D_ij + p_j), then p_j = max_i (u_i - D_ij), as low as these allow.
//      Pairs that attain the minimum are kept; other rows are matched by shortest augmenting paths over reduced costs
//      D_ij + p_j - u_i >= 0 (Jonker and Volgenant 1987), which preserve all inequalities.
//   3. A last pass recomputes u, and with it the certificate: matched pairs attain the minimum, and the cost is the bound.
//   4. An auction may leave prices as large as the clouds, whose rounding hides the optimum of much smaller costs: if the
//      clouds are nearly equal, or share a point far from all others. Then all rows are matched along paths, from prices
//      of zero. The lengths of these paths add up to the cost, so no price exceeds it, and the rounding of prices is at
//      most a share n 2^-50 of it.
#pragma once

#include "cpu/emd_market.h"
#include "cpu/emd_paths.h"

namespace {

template <class Real>
class Solver {
 public:
  Solver(Problem& problem, Scratch& scratch)
      : problem_(problem),
        market_(problem, scratch),
        paths_(problem, market_, scratch),
        queue_(scratch.take<int>(problem.slots)) {}

  void solve();
  // The auction alone, to about the distance between neighbours, and its final profits.
  void rough(double* profit);
  // Profits for the given prices, none above the least value.
  void profits_below();

 private:
  // A profit may exceed the exact least value by this share, from the roundings of a distance and of a sum.
  static constexpr double kRounded = 0x1p-51;
  // A pair counts as tight within this times (4 + largest price); with prices from paths alone, within this share of its
  // distance + price.
  static constexpr double kTight = 0x1p-49, kTightShare = 0x1p-50;
  // Two are usual; a third is necessary only because of rounding.
  static constexpr int kRounds = 8;
  // Bids per row and phase, about fifty times the usual number; the exact stage accepts any prices.
  static constexpr int64_t kBids = 1000;
  // Chosen by measurement: the first eps from prices of zero, as a share of the clouds' size; the last, as a share of
  // the spacing; the last of the coarse problem; and about the factor between phases.
  static constexpr double kFirst = 0.05, kLast = 0.01, kLastCoarse = 0.1, kStep = 10.0;
  // After an auction, and with prices lowered, the mean slack of rows is about 0.25 eps.
  static constexpr double kGapEps = 3.2;
  // Parts of the cloud; at the start of a phase, rows are taken from all parts in turn.
  static constexpr int kApart = 256;
  // A smaller eps would be below the rounding of prices.
  static constexpr double kFinest = sizeof(Real) == 4 ? 0x1p-18 : 0x1p-46;

  void auctions(double first, double last);
  void auction(Real eps);
  double first_eps() const;
  double eps(double wanted) const;
  bool reach_gap(double first, double last);
  bool is_complete() const;
  bool is_within(double share) const { return problem_.cost - problem_.bound + rounding_ <= share * problem_.cost; }
  void sum_up();
  void find();
  void prove(double tight, double share, double reach);

  Problem& problem_;
  Market<Real> market_;
  Paths<Real> paths_;
  int* queue_;             // (slots) free rows, a ring
  double rounding_ = 0.0;  // by how much the sums' bound may exceed the optimum
};

// One phase: bids until every row has a column with a value within eps of the row's least value, or until the limit of
// bids is reached.
template <class Real>
void Solver<Real>::auction(Real eps) {
  const int n = problem_.n;
  int64_t limit = kBids * n;
  for (int j = 0; j < n; ++j) problem_.row[j] = problem_.column[j] = -1;
  // Neighbours compete for the same columns, so start with rows that are far from each other.
  const int stride = (n + kApart - 1) / kApart;
  for (int first = 0, k = 0; first < stride; ++first) {
    for (int i = first; i < n; i += stride) queue_[k++] = i;
  }
  for (int head = 0, waiting = n; waiting > 0 && limit > 0; --limit) {
    const int i = queue_[head];
    head = head + 1 == n ? 0 : head + 1;
    --waiting;
    const auto bid = market_.best_two(i);
    const int j = bid.column;
    // With a single column there is no second value.
    const Real margin = bid.second < Market<Real>::kFar ? bid.second - bid.best : Real(0);
    market_.raise(j, market_.rounded_price(j) + margin + eps);
    const int loser = problem_.row[j];
    problem_.row[j] = i, problem_.column[i] = j;
    if (loser < 0) continue;
    problem_.column[loser] = -1;
    const int tail = head + waiting;
    queue_[tail >= n ? tail - n : tail] = loser;
    ++waiting;
  }
}

// Phases with eps from `first` to `last`, smaller by a constant factor each time.
template <class Real>
void Solver<Real>::auctions(double first, double last) {
  const int steps = first > last ? static_cast<int>(std::ceil(std::log(first / last) / std::log(kStep))) : 0;
  for (int k = 0; k <= steps; ++k) {
    auction(static_cast<Real>(steps == 0 ? last : first * std::pow(last / first, double(k) / steps)));
  }
}

template <class Real>
double Solver<Real>::first_eps() const {
  return problem_.first_eps > 0.0 ? problem_.first_eps : kFirst * problem_.size;
}

// At least the resolution of prices.
template <class Real>
double Solver<Real>::eps(double wanted) const {
  const double finest = kFinest * (1 + market_.highest_price());
  return wanted < finest ? finest : wanted;
}

template <class Real>
void Solver<Real>::rough(double* profit) {
  market_.open();
  auctions(first_eps(), eps(kLastCoarse * problem_.spacing));
  for (int i = 0; i < problem_.n; ++i) profit[i] = static_cast<double>(market_.best_two(i).best);
}

template <class Real>
void Solver<Real>::profits_below() {
  market_.open();
  for (int i = 0; i < problem_.n; ++i) {
    const Real lowest = market_.lowest_value(problem_.x[0][i], problem_.x[1][i], problem_.x[2][i]);
    problem_.profit[i] = static_cast<double>(lowest) - market_.rounding();
  }
}

template <class Real>
void Solver<Real>::sum_up() {
  problem_.cost = problem_.bound = 0.0, rounding_ = problem_.lost;
  for (int i = 0; i < problem_.n; ++i) {
    problem_.cost += market_.distance(i, problem_.column[i]);
    problem_.bound += problem_.profit[i] - problem_.price[problem_.column[i]];
    rounding_ += kRounded * problem_.profit[i];
  }
}

// Auctions with an eps that should just give the gap, until the certificate proves it, eps is at most `last`, or the
// limit of bids is reached. Exact prices are then those of the last auction.
template <class Real>
bool Solver<Real>::reach_gap(double first, double last) {
  double eps = first;
  auction(static_cast<Real>(eps));
  while (is_complete()) {
    market_.settle();
    double cost = 0.0;
    for (int i = 0; i < problem_.n; ++i) cost += market_.distance(i, problem_.column[i]);
    const double allowed = problem_.gap * cost / problem_.n;  // the mean slack
    if (eps < 8 * allowed) {
      paths_.set_profits();
      paths_.lower_prices();
      sum_up();
      if (is_within(problem_.gap)) return true;
    }
    if (eps <= last) return false;
    const double wanted = kGapEps * allowed > last ? kGapEps * allowed : last;
    const double steps = std::ceil(std::log(eps / wanted) / std::log(kStep));
    if (wanted > eps / 2) eps /= 2;
    else eps *= std::pow(wanted / eps, 1 / steps);
    if (eps < last) eps = last;
    auction(static_cast<Real>(eps));
  }
  market_.settle();  // the auction stopped at its limit of bids, which had raised rounded prices alone
  return false;
}

template <class Real>
bool Solver<Real>::is_complete() const {
  for (int i = 0; i < problem_.n; ++i) {
    if (problem_.column[i] < 0) return false;
  }
  return true;
}

// Rounds of paths, until the certificate proves the gap, or every pair is tight.
template <class Real>
void Solver<Real>::prove(double tight, double share, double reach) {
  for (int round = 0; round < kRounds; ++round) {
    paths_.set_profits();
    if (round == 0 && share == 0.0) paths_.lower_prices();
    const bool is_proved = is_complete() && (sum_up(), is_within(problem_.gap));
    problem_.solved = is_proved && problem_.gap > 0.0;
    if (problem_.solved) return;
    if (paths_.free_slack(tight * (4.0 + market_.highest_price()), share) == 0) {
      problem_.solved = is_proved || is_within(pcgen::emd::kRounding);
      return;
    }
    paths_.match_all(reach);
  }
}

template <class Real>
void Solver<Real>::solve() {
  find();
  // The bound of a gap's certificate is below the optimum also with rounding; that of an optimum equals the cost.
  if (problem_.gap > 0.0) problem_.bound -= rounding_;
}

template <class Real>
void Solver<Real>::find() {
  market_.open();
  const double last = eps(kLast * problem_.spacing);
  if (problem_.gap > 0.0) {
    problem_.solved = reach_gap(first_eps() > last ? first_eps() : last, last);
    if (problem_.solved) return;
  } else {
    auctions(first_eps(), last);
    market_.settle();
  }
  prove(kTight, 0.0, last);
  if (problem_.solved) return;
  problem_.first_eps = 0.0;
  market_.open();
  for (int j = 0; j < problem_.n; ++j) problem_.row[j] = problem_.column[j] = -1;
  const double near = kLast * problem_.spacing;
  prove(0.0, kTightShare, near > 0.0 ? near : last);
}

constexpr int kCoarser = 4, kFewest = 32;
constexpr double kFirstFromCoarse = 0.2;  // the first eps with prices of the coarse problem, as a share of the spacing

// Initial prices: those of the same problem with every fourth point, extended by p_j = max_i (u_i - D_ij).
template <class Real>
void start_prices(Problem& problem, char* memory) {
  const int n = problem.n, m = n / kCoarser;
  if (problem.first_eps > 0.0 || m < kFewest) return;
  Scratch scratch(memory);
  Problem few;
  few.n = m, few.slots = (m + kBlock - 1) / kBlock * kBlock;
  few.spacing = 2 * problem.spacing, few.size = problem.size;
  for (int a = 0; a < 3; ++a) {
    double *const x = scratch.take<double>(few.slots), *const y = scratch.take<double>(few.slots);
    for (int i = 0; i < m; ++i) {
      const int from = i * kCoarser + kCoarser / 2;
      x[i] = problem.x[a][from], y[i] = problem.y[a][from];
    }
    few.x[a] = x, few.y[a] = y, few.centre[a] = problem.centre[a];
  }
  few.price = scratch.take<double>(few.slots), few.profit = scratch.take<double>(few.slots);
  few.column = scratch.take<int>(few.slots), few.row = scratch.take<int>(few.slots);
  start_prices<Real>(few, memory + scratch.used());
  Scratch rest(memory + scratch.used());
  Solver<Real>(few, rest).rough(few.profit);

  // Rows and columns are exchanged: the price of a row is the highest profit minus its own.
  Problem rows = few;
  rows.first_eps = 1.0;  // any number above zero means that prices are given
  for (int a = 0; a < 3; ++a) rows.y[a] = few.x[a];
  double highest_profit = few.profit[0];
  for (int i = 1; i < m; ++i) highest_profit = few.profit[i] > highest_profit ? few.profit[i] : highest_profit;
  for (int i = 0; i < m; ++i) rows.price[i] = highest_profit - few.profit[i];
  Scratch again(memory + scratch.used());
  Market<Real> market(rows, again);
  market.open();
  double lowest_price = std::numeric_limits<double>::infinity();
  for (int j = 0; j < n; ++j) {
    problem.price[j] = -static_cast<double>(market.lowest_value(problem.y[0][j], problem.y[1][j], problem.y[2][j]));
    lowest_price = problem.price[j] < lowest_price ? problem.price[j] : lowest_price;
  }
  for (int j = 0; j < n; ++j) problem.price[j] -= lowest_price;
  problem.first_eps = kFirstFromCoarse * problem.spacing;
}

template <class Real>
void solve_as(Problem& problem) {
  start_prices<Real>(problem, problem.memory);
  Scratch scratch(problem.memory);
  Solver<Real>(problem, scratch).solve();
}

template <class Real>
void profits_as(Problem& problem) {
  Scratch scratch(problem.memory);
  Solver<Real>(problem, scratch).profits_below();
}

template <class Real>
int64_t scratch_for(int slots) {
  Scratch scratch(nullptr);
  Problem problem;
  problem.slots = slots;
  const Solver<Real> solver(problem, scratch);
  return scratch.used();
}

constexpr pcgen::emd::Kernels kernels_here{
    solve_as<float>, solve_as<double>, profits_as<float>, scratch_for<float>, scratch_for<double>};

}  // namespace
