// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the operations on attention share: their options, the rules for queries and keys, and where gradients go.
#pragma once

#include <optional>

#include "weft/autograd/operand.hpp"
#include "weft/ops/attention/attention_input.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

/// What attention needs to know beside its tensors. What the mask points to must outlive the step on a tape.
template <class T>
struct AttentionOptions {
  Index heads = 1;
  Index kv_heads = 1;                       ///< divides heads; each serves heads / kv_heads query heads
  double scale = 1;                         ///< of the scores, usually 1 / sqrt(head_dim)
  double sharpness = 1;                     ///< a constant factor on the masked scores, beside the learned one
  kernels::AttentionMask<T> mask = {};      ///< which keys a query sees; everything by default
  std::optional<DropoutMask> dropout = {};  ///< which weights are dropped: see `next_dropout_mask`; none by default
};

namespace detail {

template <class T>
kernels::AttentionRows<const T> attention_rows(const T* data, Index tokens, Index width) {
  return {data, tokens * width, width};
}

/// Checks everything that does not depend on values. `operation` begins the messages.
template <class Q, class K, class T>
kernels::AttentionSize query_key_size(std::string_view operation, const Q& q, const K& k,
                                      const AttentionOptions<T>& options) {
  const Index heads = options.heads;
  const Index kv_heads = options.kv_heads;
  if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0) {
    fail(concat(operation, ": kv_heads must divide heads, found ", kv_heads, " and ", heads));
  }
  if (q.extent(2) % heads != 0 || k.extent(2) * heads != q.extent(2) * kv_heads) {
    fail(concat(operation, ": the last axes of q and k must be heads * head_dim and kv_heads * head_dim, found ",
                q.extent(2), " for ", heads, " heads and ", k.extent(2), " for ", kv_heads));
  }
  if (q.extent(1) > k.extent(1)) {
    fail(concat(operation, ": there must be a key for each query, found ", q.extent(1), " queries and ", k.extent(1),
                " keys"));
  }
  if (options.mask.key_valid != nullptr && options.mask.additive != nullptr) {
    fail(concat(operation, ": the mask must be key_valid or additive, found both"));
  }
  if (options.mask.first_key != nullptr && (!options.mask.causal || options.mask.key_valid != nullptr)) {
    fail(concat(operation, ": a mask with first_key must be causal and without key_valid"));
  }
  return {q.extent(0), heads, kv_heads, q.extent(1), k.extent(1), q.extent(2) / heads, 0};
}

/// The learned factor of the sharpness, if there is one.
template <class T, class Context, class Sharpness>
Operand<T> sharpness_operand(std::string_view operation, const Context& context, const Sharpness& sharpness) {
  if constexpr (!std::is_same_v<Sharpness, None> && !std::is_same_v<Sharpness, Operand<T>>) {
    if (sharpness.shape().size() != 1) {
      fail(concat(operation, ": sharpness must have one element, found shape ", sharpness.shape().text()));
    }
  }
  return optional_operand<Context, Sharpness, T>(context, sharpness);
}

/// The problem without values. `learned` is the learned factor of the sharpness, or null.
template <class T>
kernels::AttentionInput<T> query_key_input(const kernels::AttentionSize& size, const T* q, const T* k,
                                           const AttentionOptions<T>& options, const T* learned) {
  const double factor = learned != nullptr ? static_cast<double>(*learned) : 1.0;
  return {size,
          attention_rows(q, size.queries, size.heads * size.head_dim),
          attention_rows(k, size.keys, size.kv_heads * size.head_dim),
          {},
          options.mask,
          static_cast<T>(options.scale),
          static_cast<T>(options.sharpness * factor),
          options.dropout};
}

/// Where gradients are wanted; null: not.
struct AttentionSlots {
  Gradient* q;
  Gradient* k;
  Gradient* v;
  Gradient* sharpness;      ///< of the learned factor
  double sharpness_factor;  ///< the constant one
};

/// Asks for the targets in the order in which kernels write them, so that one tensor may be several of q, k and v.
template <class T, class Tape>
kernels::AttentionGradients<T> attention_targets(Tape& tape, const kernels::AttentionInput<T>& in,
                                                 const AttentionSlots& slots) {
  const auto target = [&](Gradient* gradient, const kernels::AttentionRows<const T>& rows) {
    const auto [data, accumulate] = tape.template target<T>(gradient);
    return kernels::AttentionGradientRows<T>{{data, rows.batch_stride, rows.row_stride}, accumulate};
  };
  kernels::AttentionGradients<T> gradients;
  gradients.dq = target(slots.q, in.q);
  gradients.dk = target(slots.k, in.k);
  gradients.dv = target(slots.v, in.v);
  const auto [d_sharpness, accumulate] = tape.template target<T>(slots.sharpness);
  gradients.d_sharpness = d_sharpness;
  gradients.accumulate_sharpness = accumulate;
  gradients.sharpness_factor = slots.sharpness_factor;
  return gradients;
}

/// Memory for what backward needs of every row, when `y` has a gradient.
template <class T, class Context, class Y>
kernels::AttentionStatistics<T> make_statistics([[maybe_unused]] Context& context,
                                                [[maybe_unused]] const kernels::AttentionSize& size,
                                                [[maybe_unused]] const Y& y) {
  if constexpr (Context::records) {
    if (y.gradient_slot() != nullptr) {
      return {context.workspace().template allocate<T>(kernels::attention_statistics_size(size))};
    }
  }
  return {};
}

}  // namespace detail

}  // namespace weft
