// SPDX-License-Identifier: Apache-2.0
/// \file
/// Loops over arrays by vectors, written once for whole vectors and for the end of an array.
#pragma once

#include <array>

#include "weft/ops/matmul/matmul_simd.hpp"

namespace weft::kernels {

/// 0, 1, 2, ...: the number of each lane.
template <class T>
inline Vector<T> lane_numbers() {
  static constexpr auto numbers = [] {
    std::array<T, static_cast<std::size_t>(kLanes<T>)> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<T>(i);
    return all;
  }();
  return Vector<T>::load_unaligned(numbers.data());
}

/// How the body of `for_each_vector` reads and writes inside an array.
struct WholeVector {
  template <class T>
  Vector<T> load(const T* from) const {
    return Vector<T>::load_unaligned(from);
  }
  /// From storage of T, or from bf16 as float.
  template <class T, class Stored>
  Vector<T> load_widened(const Stored* from) const {
    return kernels::load_widened<T>(from);
  }
  template <class T>
  Vector<T> load_or(const T* from, T /*beyond*/) const {
    return load(from);
  }
  template <class T>
  void store(T* to, const Vector<T>& value) const {
    value.store_unaligned(to);
  }
};

/// How it does at the end, where fewer elements are left than a vector has: zeros are read beyond them, nothing is
/// written there.
struct PartialVector {
  Index count;

  template <class T>
  Vector<T> load(const T* from) const {
    return load_first(from, count);
  }
  template <class T, class Stored>
  Vector<T> load_widened(const Stored* from) const {
    return load_first_widened<T>(from, count);
  }
  /// Another value than 0 beyond the end: the neutral one of a maximum, for instance.
  template <class T>
  Vector<T> load_or(const T* from, T beyond) const {
    return xsimd::select(lane_numbers<T>() < Vector<T>(static_cast<T>(count)), load(from), Vector<T>(beyond));
  }
  template <class T>
  void store(T* to, const Vector<T>& value) const {
    store_first(to, value, count);
  }
};

/// Calls `body(position, access)` for every vector of `count` elements of T. Elements at the end go through the same
/// arithmetic as all others, so a value does not depend on where it lies.
template <class T, class Body>
inline void for_each_vector(Index count, Body&& body) {
  constexpr Index lanes = kLanes<T>;
  Index position = 0;
  for (; position + lanes <= count; position += lanes) body(position, WholeVector{});
  if (position < count) body(position, PartialVector{count - position});
}

/// Combines the lanes of a vector in pairs: log2(lanes) steps, the same order on every machine with as many lanes.
template <class T, class Combine>
inline T fold_lanes(const Vector<T>& value, Combine&& combine) {
  alignas(Vector<T>) T lanes[kLanes<T>];
  value.store_aligned(lanes);
#pragma GCC unroll 4
  for (Index half = kLanes<T> / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (Index i = 0; i < half; ++i) lanes[i] = combine(lanes[i], lanes[i + half]);
  }
  return lanes[0];
}

template <class T>
inline T sum_lanes(const Vector<T>& value) {
  return fold_lanes(value, [](T a, T b) { return a + b; });
}

template <class T>
inline T max_lanes(const Vector<T>& value) {
  return fold_lanes(value, [](T a, T b) { return a < b ? b : a; });
}

}  // namespace weft::kernels
