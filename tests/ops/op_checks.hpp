// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of operations compare: fast with naive, one thread with several.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "weft/tensor/parallel.hpp"
#include "weft/tensor/tensor.hpp"

namespace weft::testing {

/// Uses that many threads while it lives.
class ThreadsInScope {
 public:
  explicit ThreadsInScope(int count) : before_(thread_count()) { set_threads(count); }
  ~ThreadsInScope() { set_threads(before_); }
  ThreadsInScope(const ThreadsInScope&) = delete;
  ThreadsInScope& operator=(const ThreadsInScope&) = delete;

 private:
  int before_;
};

template <class X>
auto to_vector(const X& x) {
  using T = std::remove_const_t<typename X::Element>;
  return std::vector<T>(x.data(), x.data() + x.size());
}

/// Whether `compute()`, a std::vector, has the same bits with 1, 2 and 3 threads.
template <class Compute>
bool same_bits_for_any_thread_count(Compute&& compute) {
  const auto with = [&](int threads) {
    const ThreadsInScope scope(threads);
    return compute();
  };
  const auto one = with(1);
  for (int threads : {2, 3}) {
    const auto several = with(threads);
    if (several.size() != one.size()) return false;
    if (!one.empty() && std::memcmp(one.data(), several.data(), one.size() * sizeof(one[0])) != 0) return false;
  }
  return true;
}

/// The largest |found - expected|; NaN where either is.
template <class T, class U>
double largest_difference(const std::vector<T>& found, const std::vector<U>& expected) {
  if (found.size() != expected.size()) return std::nan("");
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double difference = std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    if (std::isnan(difference)) return difference;
    largest = std::max(largest, difference);
  }
  return largest;
}

}  // namespace weft::testing
