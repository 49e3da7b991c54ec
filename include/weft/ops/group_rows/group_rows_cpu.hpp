// SPDX-License-Identifier: Apache-2.0
/// \file
/// `add_group_rows` on the CPU.
#pragma once

#include <algorithm>

#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/group_rows/group_rows_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct GroupRowsKernels<Cpu> {
  /// y[b, t] = base[b, t] + rows[b, row of t]; base may be null
  template <class T>
  static void forward(const GroupRowsSize& size, const T* base, const T* rows, T* y) {
    for_each_row(size, size.batch * size.tokens, [&](Index at) {
      const Index row = size.row_of(at);
      const T* added = row < 0 ? nullptr : rows + row * size.features;
      const T* old = base == nullptr ? nullptr : base + at * size.features;
      T* ys = y + at * size.features;
      kernels::for_each_vector<T>(size.features, [&](Index c, auto access) {
        const kernels::Vector<T> zero(T{0});
        access.store(ys + c, kernels::Vector<T>((old == nullptr ? zero : access.load(old + c)) +
                                                (added == nullptr ? zero : access.load(added + c))));
      });
    });
  }

  /// drows[b, n] = Σ dy[b, t] over the tokens of group n
  template <class T>
  static void backward_rows(const GroupRowsSize& size, const T* dy, GradientTarget<T> drows) {
    for_each_row(size, size.texts() * size.rows, [&](Index row) {
      const Index text = row / size.rows;
      const Index begin = size.packed.begin(text, size.tokens);
      T* slopes = drows.data + row * size.features;
      if (!drows.accumulate) std::fill_n(slopes, size.features, T{0});
      const Index first = begin + size.shift + row % size.rows * size.group_size;
      const Index end = std::min(begin + size.packed.length(text, size.tokens), first + size.group_size);
      for (Index at = first; at < end; ++at) {
        if (size.row_of(at) != row) continue;
        const T* dys = dy + at * size.features;
        kernels::for_each_vector<T>(size.features, [&](Index c, auto access) {
          access.store(slopes + c, kernels::Vector<T>(access.load(slopes + c) + access.load(dys + c)));
        });
      }
    });
  }

  /// target = values, or target += values
  template <class T>
  static void add(Index count, const T* values, GradientTarget<T> target) {
    kernels::add_to_gradient(count, values, target);
  }

 private:
  template <class Body>
  static void for_each_row(const GroupRowsSize& size, Index rows, Body&& body) {
    parallel_for(rows, kernels::rows_worth_a_thread(size.features), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) body(row);
    });
  }
};

}  // namespace weft
