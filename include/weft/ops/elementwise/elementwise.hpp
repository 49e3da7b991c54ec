// SPDX-License-Identifier: Apache-2.0
/// \file
/// Loops of operations that treat every element alike: vectors, threads, and gradients that overwrite or add.
#pragma once

#include <algorithm>

#include "weft/autograd/gradient.hpp"
#include "weft/ops/vector_loop.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft::kernels {

/// Fewer elements than this are not worth waking another thread.
inline constexpr Index kElementsWorthAThread = 16384;

/// How many rows are.
inline Index rows_worth_a_thread(Index columns) { return kElementsWorthAThread / std::max<Index>(1, columns) + 1; }

/// `for_each_vector` on all threads; each thread's range starts at a multiple of a cache line.
template <class T, class Body>
inline void parallel_for_each_vector(Index count, Body&& body) {
  constexpr Index line = std::max(kLanes<T>, static_cast<Index>(64 / sizeof(T)));
  parallel_for((count + line - 1) / line, kElementsWorthAThread / line, [&](Index begin, Index end) {
    const Index first = begin * line;
    for_each_vector<T>(std::min(end * line, count) - first, [&](Index i, auto access) { body(first + i, access); });
  });
}

/// Writes a contribution to a gradient, or adds it to what is there.
template <class T, class Access>
inline void store_gradient(const GradientTarget<T>& target, Index i, const xsimd::batch<T>& value, Access access) {
  T* to = target.data + i;
  access.store(to, target.accumulate ? Vector<T>(access.load(to) + value) : value);
}

/// target = values, or target += values.
template <class T>
void add_to_gradient(Index count, const T* values, const GradientTarget<T>& target) {
  parallel_for_each_vector<T>(
      count, [&](Index i, auto access) { store_gradient(target, i, access.load(values + i), access); });
}

}  // namespace weft::kernels
