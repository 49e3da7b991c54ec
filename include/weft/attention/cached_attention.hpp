// SPDX-License-Identifier: Apache-2.0
/// \file
/// What attention layers have in common: softmax attention over the tokens of this call, or over a cache and them.
#pragma once

#include "weft/attention/attention_inputs.hpp"
#include "weft/ops/attention/attention.hpp"
#include "weft/ops/attention/attention_weights.hpp"

namespace weft {

/// The heads of an attention layer and the two factors on its scores.
struct AttentionHeads {
  Index heads;
  Index key_value_heads;
  double scale;          ///< before the mask is added: 1 / sqrt(head_dim)
  double sharpness = 1;  ///< after it: 1 / temperature
};

namespace detail {

template <class T>
AttentionOptions<T> attention_options(const AttentionInputs<T>& inputs, const AttentionHeads& heads, Index queries,
                                      Index keys) {
  const kernels::AttentionMask<T> mask{inputs.causal, inputs.key_valid, inputs.additive_mask, queries * keys, keys};
  return {heads.heads, heads.key_value_heads, heads.scale, heads.sharpness, mask};
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

/// Appends k and v to the cache of a layer and attends over all of it.
template <class Context, class Q, class K, class V, class T>
auto attend_cached(Context& context, const Q& q, const K& k, const V& v, const CachedKeysValues<T>& cache,
                   const AttentionOptions<T>& options, T sharpness) {
  append_to_cache(k, cache.length, cache.capacity, cache.keys);
  append_to_cache(v, cache.length, cache.capacity, cache.values);
  const Index keys = cache.length + k.extent(1);
  const kernels::AttentionSize size{q.extent(0),
                                    options.heads,
                                    options.kv_heads,
                                    q.extent(1),
                                    keys,
                                    q.extent(2) / options.heads,
                                    cache.value_width / options.kv_heads};
  const Index width = size.heads * size.value_dim;
  const kernels::AttentionInput<T> in{size,
                                      {q.data(), q.extent(1) * q.extent(2), q.extent(2)},
                                      {cache.keys, cache.capacity * cache.key_width, cache.key_width},
                                      {cache.values, cache.capacity * cache.value_width, cache.value_width},
                                      options.mask,
                                      static_cast<T>(options.scale),
                                      static_cast<T>(options.sharpness) * sharpness};
  auto y = context.template make<T>(Shape<Dyn, Dyn, Dyn>(size.batch, size.queries, width));
  AttentionKernels<Cpu>::forward(in, {y.data(), size.queries * width, width}, {});
  return y;
}

}  // namespace detail

/// Softmax attention of q over k and v, or, where `inputs` has a cache, over everything that is in it after k and v have
/// been appended.
///
/// \param sharpness  a learned factor on the masked scores, of one element, or `none`
/// \return           [batch, tokens, heads * value_dim]
template <class Context, class Q, class K, class V, class T, class Sharpness>
auto attend(Context& context, const Q& q, const K& k, const V& v, const Sharpness& sharpness,
            const AttentionInputs<T>& inputs, const AttentionHeads& heads) {
  const Index keys = (inputs.cache ? inputs.cache.length : 0) + k.extent(1);
  const auto options = detail::attention_options(inputs, heads, q.extent(1), keys);
  using Attended = decltype(scaled_dot_product_attention(context, q, k, v, options, sharpness));
  if constexpr (!Context::records) {
    if (inputs.cache) {
      T alpha{1};
      if constexpr (!std::is_same_v<Sharpness, None>) alpha = *sharpness.data();
      const auto y = detail::attend_cached(context, q, k, v, inputs.cache, options, alpha);
      return Attended(y.data(), ShapeOf<Attended>::from(y.shape().extents()));
    }
  }
  return scaled_dot_product_attention(context, q, k, v, options, sharpness);
}

/// The dense weights of the same attention, [batch, heads, tokens, tokens].
template <class Q, class K, class T>
auto dense_attention_weights(Inference& context, const Q& q, const K& k, T sharpness, const AttentionInputs<T>& inputs,
                             const AttentionHeads& heads) {
  auto options = detail::attention_options(inputs, heads, q.extent(1), k.extent(1));
  options.sharpness *= static_cast<double>(sharpness);
  return attention_weights(context, q, k, options);
}

}  // namespace weft
