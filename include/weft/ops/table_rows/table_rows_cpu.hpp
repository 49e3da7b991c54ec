// SPDX-License-Identifier: Apache-2.0
/// \file
/// `table_rows` on the CPU.
#pragma once

#include <algorithm>

#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/table_rows/table_rows_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct TableRowsKernels<Cpu> {
  /// y[b, t] = x[b, t] + factor table[first + t]; x may be null
  template <class T>
  static void forward(const TableRowsSize& size, const T* x, const T* table, T factor, T* y) {
    const kernels::Vector<T> factors(factor);
    for_each_row(size, size.all_results(), [&](Index row) {
      const Index b = size.text_of(row), t = size.token_of(row);
      const Index at = size.token(b, t);
      const T* xs = x == nullptr || at < 0 ? nullptr : x + at * size.features;
      const T* entries = table + (size.first + t) * size.features;
      T* ys = y + row * size.features;
      kernels::for_each_vector<T>(size.features, [&](Index c, auto access) {
        const auto old = xs == nullptr ? kernels::Vector<T>(T{0}) : access.load(xs + c);
        access.store(ys + c, kernels::multiply_add<T>(factors, access.load(entries + c), old));
      });
    });
  }

  /// dx[b, t] = dy[b, t], 0 for the rows that were left out
  template <class T>
  static void backward_input(const TableRowsSize& size, const T* dy, GradientTarget<T> dx) {
    for_each_row(size, size.all_tokens(), [&](Index row) {
      const Index b = size.packed.text_of(row, size.tokens), t = row - size.packed.begin(b, size.tokens);
      if (t < size.rows) {
        store_row(size, dy + size.result(b, t) * size.features, dx, row);
      } else if (!dx.accumulate) {
        std::fill_n(dx.data + row * size.features, size.features, T{0});
      }
    });
  }

  /// dtable[first + t] = factor Σ_b dy[b, t], 0 for rows that were not asked for
  template <class T>
  static void backward_table(const TableRowsSize& size, const T* dy, T factor, GradientTarget<T> dtable) {
    const kernels::Vector<T> factors(factor);
    for_each_row(size, size.table_rows, [&](Index row) {
      if (!dtable.accumulate) std::fill_n(dtable.data + row * size.features, size.features, T{0});
      const Index t = row - size.first;
      if (t < 0 || t >= size.rows) return;
      T* slopes = dtable.data + row * size.features;
      for (Index b = 0; b < size.batch; ++b) {
        if (size.result(b, t) < 0) continue;
        const T* dys = dy + size.result(b, t) * size.features;
        kernels::for_each_vector<T>(size.features, [&](Index c, auto access) {
          access.store(slopes + c, kernels::multiply_add<T>(factors, access.load(dys + c), access.load(slopes + c)));
        });
      }
    });
  }

 private:
  template <class Body>
  static void for_each_row(const TableRowsSize& size, Index rows, Body&& body) {
    parallel_for(rows, kernels::rows_worth_a_thread(size.features), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) body(row);
    });
  }

  template <class T>
  static void store_row(const TableRowsSize& size, const T* values, GradientTarget<T> target, Index row) {
    kernels::for_each_vector<T>(size.features, [&](Index c, auto access) {
      kernels::store_gradient(target, row * size.features + c, kernels::Vector<T>(access.load(values + c)), access);
    });
  }
};

}  // namespace weft
