// SPDX-License-Identifier: Apache-2.0
/// \file
/// `shape_adjacency` on the CPU: all steps on one row at a time, which stays in the first-level cache.
#pragma once

#include <algorithm>

#include "weft/ops/graph_adjacency/graph_adjacency_kernels.hpp"
#include "weft/ops/graph_adjacency/graph_adjacency_row.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft {

template <>
struct GraphAdjacencyKernels<Cpu> {
  template <class T>
  static void forward(const GraphAdjacencyProblem<T>& problem, const T* weights, const T* additional, T* adjacency) {
    for_each_row(problem, [&](const kernels::GraphAdjacencyRow<T>& row) {
      T* to = adjacency + row.offset(problem.maps, row.map);
      row.combine(weights, to);
      row.scale_and_transform(to, to);
      for (Index j = 0; j < row.columns(); ++j) to[j] = row.keeps(j, to[j]) ? to[j] : T{0};
      std::fill(to + row.columns(), to + row.width(), T{0});
      if (additional == nullptr) return;
      const T* extra = additional + row.offset(problem.maps, row.map);
      for (Index j = 0; j < row.width(); ++j) to[j] += row.apart(j) ? T{0} : std::min(extra[j], T{1});
    });
  }

  /// d additional, and d weights with every step computed again.
  template <class T>
  static void backward(const GraphAdjacencyProblem<T>& problem, const T* weights, const T* additional,
                       const T* dadjacency, GradientTarget<T> dweights, GradientTarget<T> dadditional) {
    struct Combined;
    struct Transformed;
    for_each_row(problem, [&](const kernels::GraphAdjacencyRow<T>& row) {
      const Index at = row.offset(problem.maps, row.map);
      if (dadditional) {
        for (Index j = 0; j < row.width(); ++j)
          store(dadditional, at + j, additional[at + j] <= 1 && !row.apart(j) ? dadjacency[at + j] : 0);
      }
      if (!dweights) return;
      T* combined = thread_scratch<Combined, T>(row.width());
      T* slopes = thread_scratch<Transformed, T>(row.width());
      row.combine(weights, combined);
      row.scale_and_transform(combined, slopes);
      for (Index j = 0; j < row.columns(); ++j) {
        slopes[j] = row.keeps(j, slopes[j]) ? dadjacency[at + j] * slope_after_combining(row, j, slopes[j]) : T{0};
      }
      spread_over_heads(row, weights, combined, slopes, dweights);
    });
  }

 private:
  template <class T, class Body>
  static void for_each_row(const GraphAdjacencyProblem<T>& problem, Body&& body) {
    const Index rows = problem.batch * problem.maps * problem.tokens;
    const Index heads_of_a_row = problem.heads / problem.maps;
    const Index columns = problem.diagonal ? 1 : problem.mask.past + problem.tokens;
    parallel_for(rows, kernels::rows_worth_a_thread(8 * columns * heads_of_a_row), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        const Index pair = r / problem.tokens;
        body(kernels::GraphAdjacencyRow<T>{problem, pair / problem.maps, pair % problem.maps, r % problem.tokens});
      }
    });
  }

  template <class T>
  static void store(const GradientTarget<T>& target, Index at, T value) {
    target.data[at] = target.accumulate ? target.data[at] + value : value;
  }

  /// d (transformed value) / d (combined value); 0 where the pair is masked.
  template <class T>
  static T slope_after_combining(const kernels::GraphAdjacencyRow<T>& row, Index j, T value) {
    const auto& problem = row.problem;
    if (problem.mask.hides_something() && !row.sees(j)) return 0;
    const T alpha = static_cast<T>(problem.options.alpha);
    return row.distance_factor(j) * (alpha > 0 ? alpha * value * (1 - value) : T{1});
  }

  /// Step 1 backwards: `slopes` are those of the combined values.
  template <class T>
  static void spread_over_heads(const kernels::GraphAdjacencyRow<T>& row, const T* weights, const T* combined,
                                const T* slopes, const GradientTarget<T>& dweights) {
    const auto& problem = row.problem;
    const auto combine = problem.combine;
    const T steepness = static_cast<T>(1 / problem.options.tau);
    const bool one_head = combine == GraphAdjacencyCombine::keep || combine == GraphAdjacencyCombine::sigmoid;
    for (Index head = one_head ? row.map : 0; head < (one_head ? row.map + 1 : problem.heads); ++head) {
      const Index at = row.offset(problem.heads, head);
      for (Index j = 0; j < row.width(); ++j) {
        T value = j < row.columns() ? slopes[j] : T{0};
        if (value != 0) {
          if (combine == GraphAdjacencyCombine::mean) value /= static_cast<T>(problem.heads);
          if (combine == GraphAdjacencyCombine::sum && !passes_clamp(row, weights, j)) value = 0;
          if (combine == GraphAdjacencyCombine::any && head != first_largest(row, weights, j)) value = 0;
          if (combine == GraphAdjacencyCombine::any || combine == GraphAdjacencyCombine::sigmoid) {
            value *= steepness * combined[j] * (1 - combined[j]);
          }
        }
        store(dweights, at + j, value);
      }
    }
  }

  /// Whether min(sum, 1) is the sum; equality passes (quirk D12).
  template <class T>
  static bool passes_clamp(const kernels::GraphAdjacencyRow<T>& row, const T* weights, Index j) {
    T sum = 0;
    for (Index head = 0; head < row.problem.heads; ++head) sum += weights[row.offset(row.problem.heads, head) + j];
    return sum <= 1;
  }

  template <class T>
  static Index first_largest(const kernels::GraphAdjacencyRow<T>& row, const T* weights, Index j) {
    Index best = 0;
    for (Index head = 1; head < row.problem.heads; ++head) {
      if (weights[row.offset(row.problem.heads, head) + j] > weights[row.offset(row.problem.heads, best) + j]) {
        best = head;
      }
    }
    return best;
  }
};

}  // namespace weft
