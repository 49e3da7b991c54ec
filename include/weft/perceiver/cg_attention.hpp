// SPDX-License-Identifier: Apache-2.0
/// \file
/// Coarse-grained attention: tokens meet in groups, at several sizes of group.
#pragma once

#include <vector>

#include "weft/perceiver/coarse_levels.hpp"
#include "weft/perceiver/perceiver.hpp"

namespace weft {

/// The run-time choices of `CG_Attention`; names after the reference's `GNNConfig`.
struct CGAttentionOptions {
  PerceiverOptions perceiver = {};      ///< of every level; num_latents comes from the list
  std::vector<Index> num_latents_list;  ///< one level for each
  bool use_skip = true;                 ///< `CG_Attention_use_skip`: the input is added once for each level
  CGMask cg_mask = CGMask::reference;
};

/// y = Σ over levels ([x] + projection(perceiver(x))) (CG_Attention). No rotary positions (quirk P10) and no cache.
/// The projection runs once for a group of tokens, not once for a token.
/// Parameters: `perceiver_layers.{level}.*`, `level_projections.{level}.{weight, bias}`.
template <auto HiddenSize, auto Heads, class T = float, class DeviceType = Cpu>
class CG_Attention : public detail::CoarseLevels<HiddenSize, Heads, T, DeviceType,
                                                 PerceiverAR_Fixed_Token_Per_Latent<HiddenSize, Heads, T, DeviceType>> {
  using Perceiver = PerceiverAR_Fixed_Token_Per_Latent<HiddenSize, Heads, T, DeviceType>;
  using Base = detail::CoarseLevels<HiddenSize, Heads, T, DeviceType, Perceiver>;

 public:
  explicit CG_Attention(const CGAttentionOptions& options)
      : Base("CG_Attention", options.perceiver, options.num_latents_list, true, options.cg_mask),
        use_skip_(options.use_skip) {}

  /// \param x         [batch, tokens, hidden], already normalised
  /// \param inputs    masks; rotary tables are not read, a cache is refused
  /// \param residual  [batch, tokens, hidden], added to the result, or `none`
  /// \return          [batch, tokens, hidden]
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const AttentionInputs<T>& inputs,
                  const Residual& residual = none) const {
    const auto shape = this->output_shape(x);
    const auto level = [&](std::size_t l, const auto& base) {
      const auto decoded = this->perceiver_layers[l].decode_groups(context, x, inputs);
      return add_group_rows(context, shape, this->level_projections[l](context, decoded.rows), decoded.groups, base);
    };
    const auto sum_levels = [&](const auto& base) {
      auto sum = level(0, base);
      for (std::size_t l = 1; l < this->perceiver_layers.size(); ++l) sum = level(l, sum);
      return sum;
    };
    return use_skip_ ? this->with_skips(context, x, this->levels(), residual, sum_levels) : sum_levels(residual);
  }

  /// Refused: the adjacency of this layer is none of tokens (quirk P9).
  template <class X>
  auto attention_weights(Inference& /*context*/, const X& /*x*/, const AttentionInputs<T>& /*inputs*/) const {
    return Base::template refuse_weights<X>("CG_Attention");
  }

 private:
  bool use_skip_;
};

}  // namespace weft
