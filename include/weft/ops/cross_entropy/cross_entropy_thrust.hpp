// SPDX-License-Identifier: Apache-2.0
/// \file
/// `cross_entropy` on Thrust devices: one thread a row for the losses, one an element for the derivative.
#pragma once

#include <cmath>

#include "weft/ops/cross_entropy/cross_entropy_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// The target of a row, if it is neither a column nor ignored.
template <class Target>
struct MisplacedInRow {
  CrossEntropySize size;
  const Target* targets;

  WEFT_HOST_DEVICE MisplacedTarget operator()(Index row) const {
    MisplacedTarget none;
    const Index position = target_position(size, row);
    if (position < 0 || targets[position] == size.ignore_index) return none;
    const Index target = targets[position];
    return target < 0 || target >= size.vocabulary ? MisplacedTarget{position, target} : none;
  }
};

struct FirstMisplaced {
  WEFT_HOST_DEVICE MisplacedTarget operator()(const MisplacedTarget& one, const MisplacedTarget& other) const {
    if (one.position < 0) return other;
    return other.position < 0 || one.position < other.position ? one : other;
  }
};

/// loss = log Σⱼ exp(logits[j]) - logits[target], with the largest logit taken out of the sum.
template <class T, class Target>
struct LossOfRow {
  CrossEntropySize size;
  const T* logits;
  const Target* targets;
  T* log_sum_exp;
  CrossEntropySum* losses;

  WEFT_HOST_DEVICE void operator()(Index row) const {
    losses[row] = CrossEntropySum{};
    const Index target = target_of_row(size, targets, row);
    if (target < 0) return;
    const T* values = logits + row * size.vocabulary;
    T largest = values[0];
    for (Index j = 1; j < size.vocabulary; ++j) largest = values[j] > largest ? values[j] : largest;
    double sum = 0;
    for (Index j = 0; j < size.vocabulary; ++j) sum += static_cast<double>(std::exp(values[j] - largest));
    const double log_sum = std::log(sum);
    if (log_sum_exp != nullptr) log_sum_exp[row] = static_cast<T>(static_cast<double>(largest) + log_sum);
    losses[row].sum = log_sum + (static_cast<double>(largest) - static_cast<double>(values[target]));
    losses[row].count = 1;
  }
};

struct AddLosses {
  WEFT_HOST_DEVICE CrossEntropySum operator()(const CrossEntropySum& one, const CrossEntropySum& other) const {
    CrossEntropySum both;
    both.sum = one.sum + other.sum;
    both.count = one.count + other.count;
    return both;
  }
};

/// dlogits = dloss / divisor (exp(logits - log_sum_exp) - one_hot(target)); 0 in rows that do not count
template <class T, class Target>
struct CrossEntropySlope {
  CrossEntropySize size;
  const T* logits;
  const Target* targets;
  const T* log_sum_exp;
  const T* dloss;
  double divisor;
  T* dlogits;
  bool accumulate;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    const Index row = i / size.vocabulary;
    const Index target = target_of_row(size, targets, row);
    T slope = 0;
    if (target >= 0) {
      const T scale = static_cast<T>(static_cast<double>(*dloss) / divisor);
      const T hit = i % size.vocabulary == target ? T{1} : T{0};
      slope = scale * (std::exp(logits[i] - log_sum_exp[row]) - hit);
    }
    contribute(dlogits, accumulate, i, slope);
  }
};

}  // namespace kernels

template <>
struct CrossEntropyKernels<Thrust> {
  template <class Target>
  static MisplacedTarget find_misplaced(const CrossEntropySize& size, const Target* targets) {
    auto* first = Thrust::scratch<CrossEntropyKernels, MisplacedTarget>(1);
    kernels::thrust_fold(size.rows, MisplacedTarget{}, kernels::MisplacedInRow<Target>{size, targets},
                         kernels::FirstMisplaced{}, first);
    return kernels::from_device(first);
  }

  template <class T, class Target>
  static CrossEntropySum sum(const CrossEntropySize& size, const T* logits, const Target* targets, T* log_sum_exp) {
    auto* losses = Thrust::scratch<CrossEntropyKernels, CrossEntropySum>(size.rows + 1);
    Thrust::for_each_index(size.rows, kernels::LossOfRow<T, Target>{size, logits, targets, log_sum_exp, losses + 1});
    kernels::thrust_fold(size.rows, CrossEntropySum{}, kernels::FoldedValue<CrossEntropySum>{losses + 1},
                         kernels::AddLosses{}, losses);
    return kernels::from_device(losses);
  }

  template <class T, class Target>
  static double forward(const CrossEntropySize& size, const T* logits, const Target* targets, double normaliser,
                        T* log_sum_exp, T* loss) {
    const CrossEntropySum result = sum(size, logits, targets, log_sum_exp);
    const double divisor = normaliser > 0 ? normaliser : static_cast<double>(result.count);
    const T mean = static_cast<T>(result.sum / divisor);
    Thrust::copy_to_device(loss, &mean, sizeof(T));
    return divisor;
  }

  template <class T, class Target>
  static void backward(const CrossEntropySize& size, const T* logits, const Target* targets, const T* log_sum_exp,
                       const T* dloss, double divisor, GradientTarget<T> dlogits) {
    Thrust::for_each_index(size.rows * size.vocabulary,
                           kernels::CrossEntropySlope<T, Target>{size, logits, targets, log_sum_exp, dloss, divisor,
                                                                 dlogits.data, dlogits.accumulate});
  }
};

}  // namespace weft
