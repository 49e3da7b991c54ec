// SPDX-License-Identifier: Apache-2.0
/// \file
/// Softmax attention between two sequences under masks that are functions of indices, optionally mixed with weights
/// that come from elsewhere.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "weft/autograd/operand.hpp"
#include "weft/ops/cross_attention/cross_attention_kernels.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

/// What cross attention needs to know beside its tensors. What the masks point to must outlive the step on a tape.
template <class T>
struct CrossAttentionOptions {
  Index heads = 1;
  double scale = 1;  ///< of the scores, usually 1 / sqrt(head_dim)
  kernels::CrossAttentionMask<T> mask = {};
  kernels::CrossAttentionMixing<T> mixing =
      {};                                   ///< its pointers and `mix` may be left out: the tensors below fill them
  std::optional<DropoutMask> dropout = {};  ///< of the weights
};

namespace detail {

template <class T, class DeviceType>
struct CrossAttentionBackward {
  kernels::CrossAttentionInput<T> in;
  Gradient* q;
  Gradient* k;
  Gradient* v;
  Gradient* supplied;
  Gradient* mix;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    kernels::CrossAttentionGradients<T> gradients;
    gradients.dq = tape.template target<T>(q);
    gradients.dk = tape.template target<T>(k);
    gradients.dv = tape.template target<T>(v);
    gradients.d_supplied = tape.template target<T>(supplied);
    gradients.d_mix = tape.template target<T>(mix);
    CrossAttentionKernels<DeviceType>::backward(in, y->values<T>(), gradients);
  }
};

/// The same extents for packed texts, and checks of what they can be combined with.
template <class T, class QueryShape, class ValueShape>
kernels::CrossAttentionSize packed_size(kernels::CrossAttentionSize size, const CrossAttentionOptions<T>& options,
                                        const QueryShape& queries, const ValueShape& values) {
  const kernels::CrossAttentionMask<T>& mask = options.mask;
  const bool dense_mask = mask.tokens.dense() || mask.fill.given() || options.mixing.visible.dense();
  if (dense_mask || options.mixing.kind == kernels::SuppliedWeights::dense) {
    fail("cross_attention(q, k, v): packed texts take no padding, mask as an array or dense supplied weights");
  }
  const PackedRows& texts = mask.query_texts ? mask.query_texts : mask.key_texts;
  const Index tokens = texts.starts[texts.sequences];
  size.batch = texts.sequences;
  size.query_texts = mask.query_texts;
  size.key_texts = mask.key_texts;
  size.skipped = mask.skipped;
  const bool in_rows = mask.query_texts && mask.skipped == 0 && queries[0] * queries[1] == tokens;
  const Index most = mask.query_texts ? texts.longest - mask.skipped : queries[1];
  size.shared_queries = !in_rows && queries[0] == 1;
  size.queries = in_rows ? texts.longest : most;
  size.keys = mask.key_texts ? texts.longest : values[1];
  const bool queries_fit =
      in_rows || (size.shared_queries ? queries[1] == most : !mask.query_texts && queries[0] == size.batch);
  const bool keys_fit = mask.key_texts ? values[0] * values[1] == tokens : values[0] == size.batch;
  const bool alike = !mask.key_texts || mask.key_texts.sequences == size.batch;
  if (!queries_fit || !keys_fit || !alike || mask.skipped < 0) {
    fail(concat("cross_attention(q, k, v): q, k and v must be rows of the ", size.batch, " packed texts of ", tokens,
                " tokens or have a row for each text, q alone one for all, found shapes ", queries.text(), " and ",
                values.text()));
  }
  return size;
}

/// The extents of the result: with packed queries those of q, or one row of all tokens where all are asked the same.
template <class T, class QueryShape>
std::array<Index, 3> cross_attention_extents(const kernels::CrossAttentionInput<T>& in, const QueryShape& queries) {
  const kernels::CrossAttentionSize& size = in.size;
  if (!size.query_texts) return {size.batch, size.queries, size.width()};
  if (!size.shared_queries) return {queries[0], queries[1], size.width()};
  return {1, size.query_texts.starts[size.batch], size.width()};
}

/// Checks extents and gathers everything but gradients.
template <class Q, class K, class V, class T>
kernels::CrossAttentionInput<T> cross_attention_input(const Q& q, const K& k, const V& v,
                                                      const CrossAttentionOptions<T>& options) {
  static_assert(ShapeOf<Q>::rank == 3 && ShapeOf<K>::rank == 3 && ShapeOf<V>::rank == 3,
                "cross_attention(q, k, v): q, k and v must be [batch, tokens, heads * head_dim]");
  WEFT_EXPECT_SAME_EXTENT(k.shape(), 0, v.shape(), 0, "cross_attention(q, k, v): k and v must have the same batch");
  WEFT_EXPECT_SAME_EXTENT(k.shape(), 1, v.shape(), 1, "cross_attention(q, k, v): k and v must have as many tokens");
  if (!options.mask.packed() && q.extent(0) != 1 && q.extent(0) != v.extent(0)) {
    fail(
        concat("cross_attention(q, k, v): q must have the batch of k or 1, found ", q.extent(0), " and ", v.extent(0)));
  }
  if (options.heads < 1 || v.extent(2) % options.heads != 0) {
    fail(concat("cross_attention(q, k, v): heads must divide the last axis of v, found ", options.heads, " and ",
                v.extent(2)));
  }
  if (options.mixing.local() && (q.extent(2) != v.extent(2) || k.extent(2) != v.extent(2))) {
    fail(concat("cross_attention(q, k, v): q, k and v must be equally wide, found ", q.extent(2), ", ", k.extent(2),
                " and ", v.extent(2)));
  }
  if (options.mask.group_size < 1) {
    fail(concat("cross_attention(q, k, v): a group must have a member, found ", options.mask.group_size));
  }
  const kernels::KeyFill& fill = options.mask.fill;
  if (fill.given() && (fill.rows != q.extent(1) || fill.columns != k.extent(1))) {
    fail(concat(
        "cross_attention(q, k, v): mask.fill must have a row for each query and a column for each key, expected ",
        q.extent(1), " and ", k.extent(1), ", found ", fill.rows, " and ", fill.columns));
  }
  const bool shared = q.extent(0) == 1 && v.extent(0) != 1;
  kernels::CrossAttentionSize size{v.extent(0), options.heads, q.extent(1), v.extent(1), v.extent(2) / options.heads,
                                   shared};
  if (options.mask.packed()) size = packed_size(size, options, q.shape(), v.shape());
  return {size,         q.data(),       k.data(),       v.data(), static_cast<T>(options.scale),
          options.mask, options.mixing, options.dropout};
}

/// Checks the supplied weights.
template <class T, class Supplied>
void check_supplied(const kernels::CrossAttentionInput<T>& in, const Supplied& supplied) {
  using kernels::SuppliedWeights;
  const bool upscaled = in.mixing.kind == SuppliedWeights::nearest || in.mixing.kind == SuppliedWeights::bilinear;
  if (in.mixing.kind != SuppliedWeights::none && in.mixing.kind != SuppliedWeights::dense && !in.mask.causal) {
    fail("cross_attention(q, k, v): supplied weights that are 0 for later keys need mask.causal");
  }
  if constexpr (std::is_same_v<Supplied, None>) {
    if (upscaled || in.mixing.kind == SuppliedWeights::dense) {
      fail("cross_attention(q, k, v): the supplied weights are missing");
    }
  } else {
    static_assert(ShapeOf<Supplied>::rank == 4,
                  "cross_attention: supplied weights must be [batch, heads, rows, columns]");
    const auto& size = in.size;
    const Index rows = upscaled ? in.mixing.extent : size.queries;
    const Index columns = upscaled ? in.mixing.extent : size.keys;
    if (!(supplied.shape() == Shape<Dyn, Dyn, Dyn, Dyn>(size.batch, size.heads, rows, columns))) {
      fail(concat("cross_attention(q, k, v): supplied weights must be [", size.batch, ", ", size.heads, ", ", rows,
                  ", ", columns, "], found ", supplied.shape().text()));
    }
    const Index last = std::max(size.queries, size.keys) - 1;
    if (upscaled && last >= in.mixing.extent * in.mixing.group_size) {
      fail(concat("cross_attention(q, k, v): supplied weights for ", in.mixing.extent, " groups of ",
                  in.mixing.group_size, " do not reach token ", last));
    }
  }
}

}  // namespace detail

/// For every head h: y[b, i, h, :] = Σⱼ a[b, h, i, j] v[b, j, h, :], a = softmaxⱼ(scale · q·k + masks), mixed with the
/// supplied weights where there are any. Weights exist for a block of rows at a time, forwards and backwards, and no
/// score is computed that a mask by index makes irrelevant.
///
/// Texts may be packed, by `mask.query_texts` and `mask.key_texts`, into the rows of q, of k and v, or of both.
///
/// \param q         [batch or 1, queries, heads * head_dim]
/// \param k         [batch, keys, heads * head_dim]
/// \param v         [batch, keys, heads * head_dim]
/// \param supplied  [batch, heads, queries, keys] (`dense`), [batch, heads, extent, extent] (`nearest`, `bilinear`), or
///                  `none`
/// \param mix       a tensor of one element instead of `options.mixing.mix`, or `none`. Where the mix is not positive q
///                  and k do not matter, and neither they nor the mix get a gradient.
/// \return          [batch, queries, heads * head_dim]; of one q for all packed texts [1, all tokens, heads * head_dim]
template <class Context, class Q, class K, class V, class Supplied = None, class Mix = None>
auto cross_attention(Context& context, const Q& q, const K& k, const V& v, CrossAttentionOptions<ElementOf<V>> options,
                     const Supplied& supplied = none, const Mix& mix = none) {
  using T = ElementOf<V>;
  using Device = typename Context::Device;
  const auto mixes = detail::optional_operand<Context, Mix, T>(context, mix);
  if (mixes.data != nullptr) options.mixing.mix = *mixes.data;
  auto in = detail::cross_attention_input(q, k, v, options);
  detail::check_supplied(in, supplied);
  const bool local = in.mixing.local();
  const auto queries = operand(context, q);
  const auto keys = operand(context, k);
  const auto values = operand(context, v);
  const auto weights = detail::optional_operand<Context, Supplied, T>(context, supplied);
  in.mixing.weights = weights.data;
  Gradient* const dq = local ? queries.gradient : nullptr;
  Gradient* const dk = local ? keys.gradient : nullptr;
  Gradient* const d_mix = local && in.mixing.given() ? mixes.gradient : nullptr;

  using YShape = ReplaceAxis<ShapeOf<V>, 1, extent_of<ShapeOf<Q>, 1>>;
  const bool needs_gradient = dq || dk || values.gradient || weights.gradient || d_mix;
  auto y = context.template make<T>(YShape::from(detail::cross_attention_extents(in, q.shape())), needs_gradient);
  CrossAttentionKernels<Device>::forward(in, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::CrossAttentionBackward<T, Device>{
                                          in, dq, dk, values.gradient, weights.gradient, d_mix, y.gradient_slot()});
  }
  return y;
}

/// The weights a of `cross_attention` as a tensor: for plots and inspection.
///
/// \return  [batch, heads, queries, keys]
template <class Q, class K, class Supplied = None>
auto cross_attention_weights(Inference& context, const Q& q, const K& k, CrossAttentionOptions<ElementOf<Q>> options,
                             const Supplied& supplied = none) {
  using T = ElementOf<Q>;
  auto in = detail::cross_attention_input(q, k, k, options);
  detail::check_supplied(in, supplied);
  in.mixing.weights = detail::optional_operand<Inference, Supplied, T>(context, supplied).data;
  auto y =
      context.make<T>(Shape<extent_of<ShapeOf<K>, 0>, Dyn, extent_of<ShapeOf<Q>, 1>, extent_of<ShapeOf<K>, 1>>::from(
          {in.size.batch, in.size.heads, in.size.queries, in.size.keys}));
  CrossAttentionKernels<Cpu>::weights(in, y.data());
  return y;
}

}  // namespace weft
