// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of elementwise and row operations share: awkward sizes, misaligned arrays between canaries, and the
/// type in which the expected values are computed.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "weft/tensor/rng.hpp"
#include "weft/tensor/types.hpp"

namespace weft::testing {

/// Around multiples of 2, 4, 8 and 16, the numbers of lanes a vector may have.
inline constexpr Index kAwkwardSizes[] = {0, 1, 2, 3, 15, 16, 17, 31, 33, 64, 65, 127};

/// The type for expected values of T: twice the digits of float, eleven bits more than double.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;

template <class T>
inline constexpr double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

template <class T>
inline constexpr T infinity = std::numeric_limits<T>::infinity();

template <class T>
inline constexpr T not_a_number = std::numeric_limits<T>::quiet_NaN();

/// An array that starts `shift` elements after an allocation and has canaries around it.
template <class T>
class Guarded {
 public:
  explicit Guarded(Index count, Index shift = 0)
      : shift_(shift), count_(count), memory_(kMargin * 2 + shift + count, kCanary) {}

  T* data() { return memory_.data() + kMargin + shift_; }
  const T* data() const { return memory_.data() + kMargin + shift_; }
  T& operator[](Index i) { return data()[i]; }
  const T& operator[](Index i) const { return data()[i]; }
  Index size() const { return count_; }

  /// Whether nothing was written outside.
  bool intact() const {
    for (Index i = 0; i < static_cast<Index>(memory_.size()); ++i) {
      const bool inside = i >= kMargin + shift_ && i < kMargin + shift_ + count_;
      if (!inside && memory_[static_cast<std::size_t>(i)] != kCanary) return false;
    }
    return true;
  }

 private:
  static constexpr Index kMargin = 64;
  static constexpr T kCanary = static_cast<T>(-12345.5);
  Index shift_;
  Index count_;
  std::vector<T> memory_;
};

/// Standard normal values, misaligned by `shift` elements.
template <class T>
Guarded<T> random_guarded(Index count, std::uint64_t seed, Index shift = 0, double scale = 1) {
  Guarded<T> values(count, shift);
  const Rng rng(seed);
  for (Index i = 0; i < count; ++i) values[i] = static_cast<T>(scale * rng.normal(static_cast<std::uint64_t>(i)));
  return values;
}

template <class T>
std::vector<Wide<T>> widened(const Guarded<T>& values) {
  return std::vector<Wide<T>>(values.data(), values.data() + values.size());
}

/// The largest |found - expected| / scale(i), in units of T's epsilon; infinite where one is NaN.
template <class T, class Expected, class Scale>
double largest_error(const Guarded<T>& found, const Expected& expected, Scale&& scale) {
  double largest = 0;
  for (Index i = 0; i < found.size(); ++i) {
    const auto want = expected[static_cast<std::size_t>(i)];
    const double error = static_cast<double>(std::abs(static_cast<decltype(want)>(found[i]) - want));
    if (error == 0) continue;
    const double units = error / (epsilon<T> * static_cast<double>(scale(i)));
    if (!(units <= largest)) largest = std::isnan(units) ? std::numeric_limits<double>::infinity() : units;
  }
  return largest;
}

}  // namespace weft::testing
