// SPDX-License-Identifier: Apache-2.0
/// \file
/// `embedding` on the CPU: rows are copied, and added where they came from.
#pragma once

#include <algorithm>

#include "weft/autograd/gradient.hpp"
#include "weft/ops/embedding/embedding_kernels.hpp"
#include "weft/ops/vector_loop.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft {

template <>
struct EmbeddingKernels<Cpu> {
  template <class Id>
  static MisplacedId find_misplaced(const EmbeddingSize& size, const Id* ids) {
    for (Index row = 0; row < size.rows; ++row) {
      const Index id = ids[row];
      if (id < 0 || id >= size.vocabulary) return {row, id};
    }
    return {};
  }

  /// y[row] = weight[ids[row]]
  template <class T, class Weight, class Id>
  static void forward(const EmbeddingSize& size, const Id* ids, const Weight* weight, T* y) {
    parallel_for(size.rows, rows_worth_a_thread(size.features), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        const Weight* from = weight + static_cast<Index>(ids[row]) * size.features;
        std::copy(from, from + size.features, y + row * size.features);
      }
    });
  }

  /// dweight[ids[row]] += dy[row], but for the padding. Ids repeat, so threads share out the columns: each element is
  /// summed by one thread, from the first row to the last.
  template <class T, class Id>
  static void backward_weight(const EmbeddingSize& size, const Id* ids, const T* dy, GradientTarget<T> dweight) {
    if (!dweight.accumulate) {
      const Index count = size.vocabulary * size.features;
      parallel_for(count, kWorthAThread,
                   [&](Index begin, Index end) { std::fill(dweight.data + begin, dweight.data + end, T{0}); });
    }
    constexpr Index line = 64 / sizeof(T);  // threads do not share cache lines of the gradient
    const Index grain = kWorthAThread / std::max<Index>(1, size.rows * line) + 1;
    parallel_for((size.features + line - 1) / line, grain, [&](Index begin, Index end) {
      const Index first = begin * line;
      const Index count = std::min(end * line, size.features) - first;
      for (Index row = 0; row < size.rows; ++row) {
        const auto id = static_cast<Index>(ids[row]);
        if (id == size.padding_id) continue;
        add(count, dy + row * size.features + first, dweight.data + id * size.features + first);
      }
    });
  }

 private:
  static constexpr Index kWorthAThread = 16384;

  static Index rows_worth_a_thread(Index features) { return kWorthAThread / std::max<Index>(1, features) + 1; }

  template <class T>
  static void add(Index count, const T* from, T* to) {
    kernels::for_each_vector<T>(count, [&](Index i, auto access) {
      access.store(to + i, kernels::Vector<T>(access.load(to + i) + access.load(from + i)));
    });
  }
};

}  // namespace weft
