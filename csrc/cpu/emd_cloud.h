// A cloud made ready for matching: checked, widened to double, cut into blocks of neighbouring points.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace pcgen::emd {

class Cloud {
 public:
  Cloud() = default;

  // From points (n, 3). A coordinate that is NaN or infinite is an error that says `name` and `row`.
  template <class T>
  Cloud(const T* points, int64_t n, const char* name, int64_t row);

  int size() const { return static_cast<int>(order_.size()); }
  // Coordinate `axis` of the points in block order.
  const double* sorted(int axis) const { return sorted_.data() + axis * order_.size(); }
  // The place in the caller's cloud of each point in block order. It depends on the coordinates alone, not on the order
  // they come in: a permuted cloud is the same problem, number by number.
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
