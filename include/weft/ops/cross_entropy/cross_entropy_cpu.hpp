// SPDX-License-Identifier: Apache-2.0
/// \file
/// `cross_entropy` on the CPU: rows are shared out among threads, their losses are added in order.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "weft/autograd/gradient.hpp"
#include "weft/ops/cross_entropy/cross_entropy_kernels.hpp"
#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/elementwise/vector_math.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/parallel.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft {

namespace kernels {

/// Σⱼ exp(values[j] - offset): by vectors within pieces, the pieces in double, so that long rows stay exact.
template <class T>
double sum_of_exponentials(Index count, const T* values, T offset) {
  constexpr Index piece = 1024;
  double total = 0;
  for (Index begin = 0; begin < count; begin += piece) {
    Vector<T> sum(T(0));
    for_each_vector<T>(std::min(piece, count - begin), [&](Index i, auto access) {
      const auto value = access.load_or(values + begin + i, -std::numeric_limits<T>::infinity());
      sum += exp(Vector<T>(value - Vector<T>(offset)));
    });
    total += static_cast<double>(sum_lanes(sum));
  }
  return total;
}

}  // namespace kernels

template <>
struct CrossEntropyKernels<Cpu> {
  template <class Target>
  static MisplacedTarget find_misplaced(const CrossEntropySize& size, const Target* targets) {
    for (Index row = 0; row < size.rows; ++row) {
      const Index position = target_position(size, row);
      if (position < 0 || targets[position] == size.ignore_index) continue;
      const Index target = targets[position];
      if (target < 0 || target >= size.vocabulary) return {position, target};
    }
    return {};
  }

  /// The losses added up; `log_sum_exp`, one a row, is for `backward` and may be null.
  template <class T, class Target>
  static CrossEntropySum sum(const CrossEntropySize& size, const T* logits, const Target* targets, T* log_sum_exp) {
    double* losses = thread_scratch<CrossEntropyKernels, double>(size.rows);
    parallel_for(size.rows, rows_worth_a_thread(size), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        losses[row] = 0;
        const Index target = target_of_row(size, targets, row);
        if (target < 0) continue;
        const T* values = logits + row * size.vocabulary;
        const T largest = kernels::row_max(size.vocabulary, values);
        const double log_sum = std::log(kernels::sum_of_exponentials(size.vocabulary, values, largest));
        losses[row] = log_sum + (static_cast<double>(largest) - static_cast<double>(values[target]));
        if (log_sum_exp != nullptr) log_sum_exp[row] = static_cast<T>(static_cast<double>(largest) + log_sum);
      }
    });
    CrossEntropySum result;
    for (Index row = 0; row < size.rows; ++row) {
      result.sum += losses[row];
      result.count += target_of_row(size, targets, row) >= 0 ? 1 : 0;
    }
    return result;
  }

  /// *loss = sum / normaliser, or sum / count where the normaliser is 0. Returns what it divided by.
  template <class T, class Target>
  static double forward(const CrossEntropySize& size, const T* logits, const Target* targets, double normaliser,
                        T* log_sum_exp, T* loss) {
    const CrossEntropySum result = sum(size, logits, targets, log_sum_exp);
    const double divisor = normaliser > 0 ? normaliser : static_cast<double>(result.count);
    *loss = static_cast<T>(result.sum / divisor);
    return divisor;
  }

  /// dlogits = dloss / divisor (exp(logits - log_sum_exp) - one_hot(target)); 0 in rows that do not count.
  template <class T, class Target>
  static void backward(const CrossEntropySize& size, const T* logits, const Target* targets, const T* log_sum_exp,
                       const T* dloss, double divisor, GradientTarget<T> dlogits) {
    const T scale = static_cast<T>(static_cast<double>(*dloss) / divisor);
    parallel_for(size.rows, rows_worth_a_thread(size), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        const Index target = target_of_row(size, targets, row);
        T* out = dlogits.data + row * size.vocabulary;
        if (target >= 0) {
          add_probabilities(size.vocabulary, logits + row * size.vocabulary, log_sum_exp[row], scale, out,
                            dlogits.accumulate);
          out[target] -= scale;
        } else if (!dlogits.accumulate) {
          std::fill(out, out + size.vocabulary, T{0});
        }
      }
    });
  }

 private:
  static Index rows_worth_a_thread(const CrossEntropySize& size) { return 8192 / (size.vocabulary + 1) + 1; }

  template <class T>
  static void add_probabilities(Index count, const T* logits, T log_sum_exp, T scale, T* out, bool accumulate) {
    using kernels::Vector;
    const Vector<T> offset(log_sum_exp);
    const Vector<T> factor(scale);
    kernels::for_each_vector<T>(count, [&](Index i, auto access) {
      const Vector<T> probability = kernels::exp(Vector<T>(access.load(logits + i) - offset));
      const Vector<T> before = accumulate ? access.load(out + i) : Vector<T>(T(0));
      access.store(out + i, kernels::multiply_add(factor, probability, before));
    });
  }
};

}  // namespace weft
