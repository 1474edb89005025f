// Vectors of 16 bytes by the common extension of GCC and Clang: SSE2, NEON, or other instructions of the machine.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace pcgen::portable {

template <class T>
struct Vec {
  using Scalar = T;
  static constexpr int width = 16 / sizeof(T);
  static constexpr int unroll = 4;

  using Native __attribute__((vector_size(16))) = T;
  Native v;

  static Vec load(const T* from) {
    Vec out;
    std::memcpy(&out.v, from, sizeof(out.v));
    return out;
  }
  static Vec broadcast(T value) { return {value - Native{}}; }  // GCC generates slow code for a loop over the lanes
  void store(T* to) const { std::memcpy(to, &v, sizeof(v)); }

  friend Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
  friend Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
  friend Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
  // a * b + c, rounded once or twice: the same everywhere within one instruction set.
  friend Vec multiply_add(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
  friend Vec min(Vec a, Vec b) { return {a.v < b.v ? a.v : b.v}; }
  friend Vec max(Vec a, Vec b) { return {a.v > b.v ? a.v : b.v}; }

  friend Vec sqrt(Vec a) {
    for (int i = 0; i < width; ++i) a.v[i] = std::sqrt(a.v[i]);
    return a;
  }
  // a * 2^n, given n + 1.5 * 2^23, whose lowest bits are n; factor and product must be normal numbers.
  friend Vec scale(Vec a, Vec shifted) {
    static_assert(sizeof(T) == 4);
    using Bits __attribute__((vector_size(16))) = uint32_t;
    return {reinterpret_cast<Native>(reinterpret_cast<Bits>(a.v) + (reinterpret_cast<Bits>(shifted.v) << 23))};
  }

  T reduce_min() const {
    T least = v[0];
    for (int i = 1; i < width; ++i) least = v[i] < least ? v[i] : least;
    return least;
  }
  T reduce_max() const {
    T most = v[0];
    for (int i = 1; i < width; ++i) most = v[i] > most ? v[i] : most;
    return most;
  }
  // Bit i is set if a[i] < b[i].
  friend uint32_t less(Vec a, Vec b) {
    uint32_t mask = 0;
    for (int i = 0; i < width; ++i) mask |= static_cast<uint32_t>(a.v[i] < b.v[i]) << i;
    return mask;
  }
};

}  // namespace pcgen::portable
