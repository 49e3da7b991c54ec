// SPDX-License-Identifier: Apache-2.0
/// \file
/// The loss of classification and of language models (torch.nn.functional.cross_entropy).
#pragma once

#include <type_traits>
#include <utility>

#include "weft/autograd/operand.hpp"
#include "weft/ops/cross_entropy/cross_entropy_kernels.hpp"

namespace weft {

/// Which targets count, and what their sum is divided by. The default is the mean over every target but -100.
struct CrossEntropyOptions {
  Index ignore_index = -100;  ///< targets of this value do not count
  bool shift = false;     ///< logits at token t are for target t + 1 of the same sequence (Hugging Face's causal loss)
  double normaliser = 0;  ///< divides the sum in place of the number of targets that count (`num_items_in_batch`)
};

namespace detail {

/// dlogits = dloss / divisor (softmax(logits) - one_hot(target))
template <class T, class Target, class DeviceType>
struct CrossEntropyBackward {
  Operand<T> logits;
  const Target* targets;
  const T* log_sum_exp;
  Gradient* loss;
  CrossEntropySize size;
  double divisor;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto dlogits = tape.template target<T>(logits.gradient);
    CrossEntropyKernels<DeviceType>::backward(size, logits.data, targets, log_sum_exp, loss->values<T>(), divisor,
                                              dlogits);
  }
};

template <int Axis, class Logits, class Targets>
void expect_same_cross_entropy_axis(const Logits& logits, const Targets& targets) {
  WEFT_EXPECT_SAME_EXTENT(
      logits.shape(), Axis, targets.shape(), Axis,
      "cross_entropy(logits, targets): targets must have the shape of logits without its last axis");
}

/// Checks shapes, options and every target; returns what the kernels need to know.
template <class Logits, class Targets>
CrossEntropySize cross_entropy_size(const Logits& logits, const Targets& targets, const CrossEntropyOptions& options) {
  using Target = ElementOf<Targets>;
  constexpr int rank = ShapeOf<Targets>::rank;
  static_assert(std::is_same_v<Target, std::int32_t> || std::is_same_v<Target, std::int64_t>,
                "cross_entropy(logits, targets): targets must be std::int32_t or std::int64_t");
  static_assert(ShapeOf<Logits>::rank == rank + 1,
                "cross_entropy(logits, targets): targets must have the shape of logits without its last axis");
  [&]<int... Axis>(std::integer_sequence<int, Axis...>) {
    (expect_same_cross_entropy_axis<Axis>(logits, targets), ...);
  }
  (std::make_integer_sequence<int, rank>{});

  CrossEntropySize size{targets.size(), logits.extent(-1), 1, options.ignore_index, options.shift};
  if constexpr (rank > 0) {
    size.tokens = targets.extent(-1);
  } else if (options.shift) {
    fail("cross_entropy(logits, targets): shift needs targets with an axis of tokens");
  }
  const auto misplaced = CrossEntropyKernels<typename Logits::Device>::find_misplaced(size, targets.data());
  if (misplaced.position >= 0) {
    fail(concat("cross_entropy(logits, targets): the target at position ", misplaced.position, " is ", misplaced.target,
                ", neither in the vocabulary [0, ", size.vocabulary, ") nor the ignored ", size.ignore_index));
  }
  return size;
}

}  // namespace detail

/// The mean of -log softmax(logits)[target] over the targets that count. NaN when none does, as in torch; the gradient is
/// then 0. A target outside of the vocabulary is refused. One log-sum-exp a row is kept for the derivative.
///
/// \param logits   [..., vocabulary]
/// \param targets  [...], `std::int32_t` or `std::int64_t`; must outlive the step on a tape
/// \return         [] (a scalar)
template <class Context, class Logits, class Targets>
auto cross_entropy(Context& context, const Logits& logits, const Targets& targets,
                   const CrossEntropyOptions& options = {}) {
  using T = ElementOf<Logits>;
  using Device = typename Context::Device;
  if (!(options.normaliser >= 0)) {
    fail(concat("cross_entropy(logits, targets): normaliser must be positive, or 0 for the number of targets, found ",
                options.normaliser));
  }
  const auto ids = operand(context, targets);
  const auto values = operand(context, logits);
  const CrossEntropySize size = detail::cross_entropy_size(logits, targets, options);

  auto loss = context.template make<T>(Shape<>(), values.gradient != nullptr);
  T* log_sum_exp = nullptr;
  if constexpr (Context::records) {
    if (values.gradient != nullptr) log_sum_exp = context.workspace().template allocate<T>(size.rows);
  }
  [[maybe_unused]] const double divisor =
      CrossEntropyKernels<Device>::forward(size, values.data, ids.data, options.normaliser, log_sum_exp, loss.data());
  if constexpr (Context::records) {
    context.record(loss.gradient_slot(), detail::CrossEntropyBackward<T, ElementOf<Targets>, Device>{
                                             values, ids.data, log_sum_exp, loss.gradient_slot(), size, divisor});
  }
  return loss;
}

/// The losses of `cross_entropy` added up, and how many there are: for an evaluation over many batches. Takes the options
/// of `cross_entropy` but for the normaliser, which must be 0.
template <class Logits, class Targets>
CrossEntropySum cross_entropy_sum(const Logits& logits, const Targets& targets,
                                  const CrossEntropyOptions& options = {}) {
  if (options.normaliser != 0) fail("cross_entropy_sum(logits, targets): a sum takes no normaliser");
  const CrossEntropySize size = detail::cross_entropy_size(logits, targets, options);
  ElementOf<Logits>* const nothing_saved = nullptr;
  const ElementOf<Logits>* const values = logits.data();
  return CrossEntropyKernels<typename Logits::Device>::sum(size, values, targets.data(), nothing_saved);
}

}  // namespace weft
