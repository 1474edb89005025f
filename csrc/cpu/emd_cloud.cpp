#include "cpu/emd_cloud.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cpu/emd_problem.h"
#include "cpu/finite.h"

namespace pcgen::emd {
namespace {

constexpr double kMostOfMedian = 8;  // blocks of clouds without outliers are hardly ever so large

// Lexicographic order that begins with one axis; ties by index.
struct Before {
  const double* points;  // (n, 3)
  int axis;

  bool operator()(int i, int j) const {
    for (int a = axis; a < axis + 3; ++a) {
      const double p = points[3 * i + a % 3], q = points[3 * j + a % 3];
      if (p != q) return p < q;
    }
    return i < j;
  }
};

}  // namespace

template <class T>
Cloud::Cloud(const T* points, int64_t n, const char* name, int64_t row) : sorted_(3 * n), order_(n) {
  check_finite(points, n, name, row);
  const std::vector<double> wide(points, points + 3 * n);
  std::iota(order_.begin(), order_.end(), 0);
  split(wide.data(), 0, size());
  for (int a = 0; a < 3; ++a) {
    double* const out = sorted_.data() + a * n;
    for (int64_t i = 0; i < n; ++i) out[i] = wide[3 * order_[i] + a];
    const auto [low, high] = std::minmax_element(out, out + n);
    low_[a] = *low, high_[a] = *high;
  }
  measure();
}

// The extent of sixteen neighbours is about five times the distance between two of them, on a surface or in a volume. A
// block with an outlier counts as several times the median, since otherwise it could exceed all others together.
void Cloud::measure() {
  const int n = size(), blocks = (n + kBlock - 1) / kBlock;
  std::vector<double> extents, wide;
  for (int first = 0; first < n; first += kBlock) {
    double side[3];
    for (int a = 0; a < 3; ++a) {
      const auto [low, high] = std::minmax_element(sorted(a) + first, sorted(a) + std::min(first + kBlock, n));
      side[a] = *high / 2 - *low / 2;
    }
    extents.push_back(std::hypot(side[0], side[1], side[2]));
    if (extents.back() > 0) wide.push_back(extents.back());
  }
  if (wide.empty()) return;
  const auto median = wide.begin() + (wide.size() - 1) / 2;
  std::nth_element(wide.begin(), median, wide.end());
  for (const double extent : extents) spacing_ += std::min(extent, kMostOfMedian * *median) / (2.5 * blocks);
}

// Divide [begin, end) into cells of a balanced k-d tree, down to single blocks.
void Cloud::split(const double* points, int begin, int end) {
  const auto at = [this](int k) { return order_.begin() + k; };
  if (end - begin <= kBlock) {
    std::sort(at(begin), at(end), Before{points, 0});
    return;
  }
  int widest = 0;
  double width = -1;
  for (int a = 0; a < 3; ++a) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (int k = begin; k < end; ++k) {
      const double v = points[3 * order_[k] + a];
      low = std::min(low, v), high = std::max(high, v);
    }
    if (high / 2 - low / 2 > width) width = high / 2 - low / 2, widest = a;
  }
  const int blocks = (end - begin + kBlock - 1) / kBlock, middle = begin + blocks / 2 * kBlock;
  std::nth_element(at(begin), at(middle), at(end), Before{points, widest});
  split(points, begin, middle);
  split(points, middle, end);
}

template Cloud::Cloud(const float*, int64_t, const char*, int64_t);
template Cloud::Cloud(const double*, int64_t, const char*, int64_t);

}  // namespace pcgen::emd
