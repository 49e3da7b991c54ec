// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the operations on processed adjacencies share: their options, their arguments, and where gradients go.
#pragma once

#include <algorithm>
#include <limits>

#include "weft/ops/adjacency/adjacency_kernels.hpp"
#include "weft/ops/attention/attention_options.hpp"

namespace weft {

/// What a processed adjacency needs to know beside its tensors. What the mask points to must outlive the step on a tape.
template <class T>
struct AdjacencyOptions {
  AttentionOptions<T> attention;
  AdjacencyRules rules = {};
  double threshold = 0.2;  ///< of the threshold mode, where none is learned

  /// What `attention.mask.causal` adds to the score of a later key where such keys are not simply skipped: raw scores in mode
  /// `none` or `top_k`.
  T later = std::numeric_limits<T>::lowest();
};

/// Rows [batch, tokens, width] of a tensor, or of a cache that has room for more; and where their gradient goes.
template <class T>
struct RowsOperand {
  kernels::AttentionRows<const T> rows;
  Gradient* gradient = nullptr;
  Index batch = 0;
  Index tokens = 0;
  Index width = 0;
};

/// The rows of a tensor [batch, tokens, width].
template <class Context, class X>
RowsOperand<ElementOf<X>> rows_operand(const Context& context, const X& x) {
  static_assert(ShapeOf<X>::rank == 3, "rows_operand(x): x must be [batch, tokens, features]");
  const auto xs = operand(context, x);
  return {detail::attention_rows(xs.data, x.extent(1), x.extent(2)), xs.gradient, x.extent(0), x.extent(1),
          x.extent(2)};
}

namespace detail {

/// A target that holds something: zeros where nothing has arrived yet. For kernels that only add.
template <class T, class Tape>
T* adding_target(Tape& tape, Gradient* gradient) {
  const GradientTarget<T> target = tape.template target<T>(gradient);
  if (target && !target.accumulate) std::fill_n(target.data, gradient->bytes / sizeof(T), T{0});
  return target.data;
}

/// The same for rows that lie as `rows` do.
template <class T, class Tape>
kernels::AttentionRows<T> adding_rows(Tape& tape, Gradient* gradient, const kernels::AttentionRows<const T>& rows) {
  return {adding_target<T>(tape, gradient), rows.batch_stride, rows.row_stride};
}

/// Adds the gradient of a number.
template <class T, class Tape>
void add_number(Tape& tape, Gradient* gradient, double value) {
  if (gradient != nullptr) *adding_target<T>(tape, gradient) += static_cast<T>(value);
}

/// gradient[i] += Σ over rows of partial[row, i].
template <class T, class Tape, class Partial>
void add_sums(Tape& tape, Gradient* gradient, Index rows, Index columns, const Partial* partial) {
  if (gradient == nullptr) return;
  T* target = adding_target<T>(tape, gradient);
  for (Index i = 0; i < columns; ++i) {
    double sum = 0;
    for (Index row = 0; row < rows; ++row) sum += static_cast<double>(partial[row * columns + i]);
    target[i] += static_cast<T>(sum);
  }
}

/// A gradient where the threshold mode lets one through.
inline Gradient* through(const AdjacencyRules& rules, Gradient* gradient) {
  return has_derivative(rules.threshold.mode) ? gradient : nullptr;
}

/// A gradient of the threshold where the mode has one.
inline Gradient* threshold_slot(const AdjacencyRules& rules, Gradient* gradient) {
  return has_threshold(rules.threshold.mode) ? through(rules, gradient) : nullptr;
}

/// An error where the keys of packed sequences would be counted together.
template <class T>
void expect_not_packed(std::string_view operation, std::string_view what, const AttentionOptions<T>& options) {
  if (options.mask.first_key == nullptr) return;
  fail(concat(operation, ": ", what,
              " counts all keys and cannot tell packed sequences apart; give it one sequence a row"));
}

/// The extents of an adjacency of queries and keys, or an error that begins with `operation`.
template <class T>
kernels::AttentionSize adjacency_size(std::string_view operation, const RowsOperand<T>& q, const RowsOperand<T>& k,
                                      const AttentionOptions<T>& options, ThresholdMode mode) {
  if (mode == ThresholdMode::top_k) expect_not_packed(operation, "threshold mode \"top_k\"", options);
  const Index heads = options.heads;
  const Index kv_heads = options.kv_heads;
  if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0) {
    fail(concat(operation, ": kv_heads must divide heads, found ", kv_heads, " and ", heads));
  }
  if (q.batch != k.batch) {
    fail(concat(operation, ": queries and keys must have the same batch, found ", q.batch, " and ", k.batch));
  }
  if (q.tokens > k.tokens) {
    fail(concat(operation, ": there must be a key for each query, found ", q.tokens, " queries and ", k.tokens,
                " keys"));
  }
  if (options.mask.key_valid != nullptr && options.mask.additive != nullptr) {
    fail(concat(operation, ": the mask must be key_valid or additive, found both"));
  }
  if (options.mask.first_key != nullptr && (!options.mask.causal || options.mask.key_valid != nullptr)) {
    fail(concat(operation, ": a mask with first_key must be causal and without key_valid"));
  }
  return {q.batch, heads, kv_heads, q.tokens, k.tokens, 0, 0};
}

/// The same with the features of every head checked.
template <class T>
kernels::AttentionSize query_key_rows_size(std::string_view operation, const RowsOperand<T>& q, const RowsOperand<T>& k,
                                           const AttentionOptions<T>& options, ThresholdMode mode) {
  kernels::AttentionSize size = adjacency_size(operation, q, k, options, mode);
  if (q.width % size.heads != 0 || k.width * size.heads != q.width * size.kv_heads) {
    fail(concat(operation, ": the last axes of q and k must be heads * head_dim and kv_heads * head_dim, found ",
                q.width, " for ", size.heads, " heads and ", k.width, " for ", size.kv_heads));
  }
  size.head_dim = q.width / size.heads;
  return size;
}

/// The problem of one pair of queries and keys. `learned` and `threshold` are numbers that are learned, or null.
template <class T>
kernels::AdjacencyInput<T> adjacency_input(const kernels::AttentionSize& size, const RowsOperand<T>& q,
                                           const RowsOperand<T>& k, const AdjacencyOptions<T>& options,
                                           const T* learned, const T* threshold) {
  const double factor = learned != nullptr ? static_cast<double>(*learned) : 1.0;
  return {{size,
           q.rows,
           k.rows,
           {},
           options.attention.mask,
           static_cast<T>(options.attention.scale),
           static_cast<T>(options.attention.sharpness * factor),
           options.attention.dropout},
          options.rules,
          threshold != nullptr ? *threshold : static_cast<T>(options.threshold),
          options.later};
}

}  // namespace detail

}  // namespace weft
