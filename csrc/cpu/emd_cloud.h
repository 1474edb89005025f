// A cloud prepared for matching: checked, converted to double, divided into blocks of neighbouring points.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace pcgen::emd {

class Cloud {
 public:
  Cloud() = default;

  // From points (n, 3). A coordinate that is NaN or infinite gives an error with `name` and `row`.
  template <class T>
  Cloud(const T* points, int64_t n, const char* name, int64_t row);

  int size() const { return static_cast<int>(order_.size()); }
  // Coordinate `axis` of the points in block order.
  const double* sorted(int axis) const { return sorted_.data() + axis * order_.size(); }
  // The index in the caller's cloud of each point in block order. The block order depends only on the coordinates, not
  // on the order of the points: a permuted cloud gives exactly the same problem.
  const std::vector<int>& order() const { return order_; }
  double low(int axis) const { return low_[axis]; }
  double high(int axis) const { return high_[axis]; }
  // About the distance between neighbouring points.
  double spacing() const { return spacing_; }

 private:
  void measure();
  void split(const double* points, int begin, int end);

  std::vector<double> sorted_;
  std::vector<int> order_;
  double low_[3] = {}, high_[3] = {}, spacing_ = 0;
};

}  // namespace pcgen::emd
