// SPDX-License-Identifier: Apache-2.0
/// \file
/// What attention layers have in common: softmax attention over the tokens of this call, or over a cache and them.
#pragma once

#include <optional>

#include "weft/attention/additive_mask.hpp"
#include "weft/ops/attention/attention.hpp"
#include "weft/ops/attention/attention_diagonal.hpp"
#include "weft/ops/attention/attention_weights.hpp"

namespace weft {

/// The heads of an attention layer, the two factors on its scores, and which of its weights are dropped.
struct AttentionHeads {
  Index heads;
  Index key_value_heads;
  double scale;          ///< before the mask is added: 1 / sqrt(head_dim)
  double sharpness = 1;  ///< after it: 1 / temperature
  std::optional<DropoutMask> dropout = {};
};

namespace detail {

template <class T>
AttentionOptions<T> attention_options(const AttentionInputs<T>& inputs, const AttentionHeads& heads, Index batch,
                                      Index queries, Index keys) {
  const AdditiveRows<T> added = additive_rows(inputs, batch, queries, keys);
  const kernels::AttentionMask<T> mask{inputs.causal,      inputs.key_valid, added.data,
                                       added.batch_stride, added.row_stride, inputs.first_key};
  return {heads.heads, heads.key_value_heads, heads.scale, heads.sharpness, mask, heads.dropout};
}

/// Appends the rows of x [batch, tokens, width] to a cache [batch, capacity, width].
template <class T, class X>
void append_to_cache(const X& x, Index length, Index capacity, T* cache) {
  const Index tokens = x.extent(1);
  const Index width = x.extent(2);
  for (Index b = 0; b < x.extent(0); ++b) {
    Cpu::copy(cache + (b * capacity + length) * width, x.data() + b * tokens * width,
              static_cast<std::size_t>(tokens * width) * sizeof(T));
  }
}

/// The problem of q against everything in a cache, `keys` of them.
template <class Q, class T>
kernels::AttentionInput<T> cached_input(const Q& q, const CachedKeysValues<T>& cache, Index keys,
                                        const AttentionOptions<T>& options, T sharpness) {
  const kernels::AttentionSize size{q.extent(0),
                                    options.heads,
                                    options.kv_heads,
                                    q.extent(1),
                                    keys,
                                    q.extent(2) / options.heads,
                                    cache.value_width / options.kv_heads};
  return {size,
          {q.data(), q.extent(1) * q.extent(2), q.extent(2)},
          {cache.keys, cache.capacity * cache.key_width, cache.key_width},
          {cache.values, cache.capacity * cache.value_width, cache.value_width},
          options.mask,
          static_cast<T>(options.scale),
          static_cast<T>(options.sharpness) * sharpness};
}

/// Appends k and v to the cache of a layer and attends over all of it.
template <class Context, class Q, class K, class V, class T>
auto attend_cached(Context& context, const Q& q, const K& k, const V& v, const CachedKeysValues<T>& cache,
                   const AttentionOptions<T>& options, T sharpness) {
  append_to_cache(k, cache.length, cache.capacity, cache.keys);
  append_to_cache(v, cache.length, cache.capacity, cache.values);
  const auto in = cached_input(q, cache, cache.length + k.extent(1), options, sharpness);
  const Index width = in.size.heads * in.size.value_dim;
  auto y = context.template make<T>(Shape<Dyn, Dyn, Dyn>(in.size.batch, in.size.queries, width));
  AttentionKernels<Cpu>::forward(in, {y.data(), in.size.queries * width, width}, {});
  return y;
}

/// The learned factor of the sharpness as a number; 1 without one.
template <class T, class Sharpness>
T sharpness_value([[maybe_unused]] const Sharpness& sharpness) {
  if constexpr (std::is_same_v<Sharpness, None>) {
    return T{1};
  } else if constexpr (std::is_same_v<Sharpness, Operand<T>>) {
    return sharpness.data != nullptr ? *sharpness.data : T{1};
  } else {
    return *sharpness.data();
  }
}

}  // namespace detail

/// Softmax attention of q over k and v, or, where `inputs` has a cache, over everything that is in it after k and v have
/// been appended.
///
/// \param sharpness  a learned factor on the masked scores: a tensor of one element, its operand, or `none`
/// \return           [batch, tokens, heads * value_dim]
template <class Context, class Q, class K, class V, class T, class Sharpness>
auto attend(Context& context, const Q& q, const K& k, const V& v, const Sharpness& sharpness,
            const AttentionInputs<T>& inputs, const AttentionHeads& heads) {
  const Index keys = (inputs.cache ? inputs.cache.length : 0) + k.extent(1);
  const auto options = detail::attention_options(inputs, heads, q.extent(0), q.extent(1), keys);
  using Attended = decltype(scaled_dot_product_attention(context, q, k, v, options, sharpness));
  if constexpr (!Context::records) {
    if (inputs.cache) {
      const T alpha = detail::sharpness_value<T>(sharpness);
      const auto y = detail::attend_cached(context, q, k, v, inputs.cache, options, alpha);
      return Attended(y.data(), ShapeOf<Attended>::from(y.shape().extents()));
    }
  }
  return scaled_dot_product_attention(context, q, k, v, options, sharpness);
}

/// The dense weights of the same attention, [batch, heads, tokens, keys]. Where `inputs` has a cache, k must have been
/// appended to it already, as `attend` does.
template <class Context, class Q, class K, class T, class Sharpness>
auto dense_attention_weights(Context& context, const Q& q, const K& k, const Sharpness& sharpness,
                             const AttentionInputs<T>& inputs, const AttentionHeads& heads) {
  const Index keys = (inputs.cache ? inputs.cache.length : 0) + k.extent(1);
  const auto options = detail::attention_options(inputs, heads, q.extent(0), q.extent(1), keys);
  using WeightsShape = Shape<Dyn, Dyn, Dyn, Dyn>;
  if constexpr (!Context::records) {
    if (inputs.cache) {
      const auto in = detail::cached_input(q, inputs.cache, keys, options, detail::sharpness_value<T>(sharpness));
      auto weights = context.template make<T>(WeightsShape(in.size.batch, in.size.heads, in.size.queries, keys));
      AttentionKernels<Cpu>::weights(in, weights.data());
      return weights;
    }
  }
  const auto weights = attention_weights(context, q, k, options, sharpness);
  return weights.reshape(WeightsShape::from(weights.shape().extents()));
}

/// The diagonal of these weights, [batch, heads, tokens, 1]: what each token of x looks at itself.
template <class Context, class Q, class K, class T, class Sharpness>
auto diagonal_attention_weights(Context& context, const Q& q, const K& k, const Sharpness& sharpness,
                                const AttentionInputs<T>& inputs, const AttentionHeads& heads) {
  const Index keys = (inputs.cache ? inputs.cache.length : 0) + k.extent(1);
  const auto options = detail::attention_options(inputs, heads, q.extent(0), q.extent(1), keys);
  if constexpr (!Context::records) {
    if (inputs.cache) {
      const auto in = detail::cached_input(q, inputs.cache, keys, options, detail::sharpness_value<T>(sharpness));
      auto diagonal =
          context.template make<T>(Shape<Dyn, Dyn, Dyn, Dyn>(in.size.batch, in.size.heads, in.size.queries, 1));
      AttentionKernels<Cpu>::diagonal(in, diagonal.data());
      return diagonal;
    }
  }
  return attention_diagonal(context, q, k, options, sharpness);
}

}  // namespace weft
