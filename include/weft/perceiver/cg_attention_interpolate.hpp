// SPDX-License-Identifier: Apache-2.0
/// \file
/// Attention of tokens mixed with a coarse adjacency, at several sizes of group.
#pragma once

#include <vector>

#include "weft/perceiver/coarse_levels.hpp"
#include "weft/perceiver/perceiver_scaling.hpp"

namespace weft {

/// The run-time choices of `CG_Attention_Interpolate`; names after the reference's `GNNConfig`.
struct CGAttentionInterpolateOptions {
  PerceiverOptions perceiver = {};      ///< of every level; num_latents comes from the list
  std::vector<Index> num_latents_list;  ///< one level for each
  bool use_skip = true;         ///< `CG_Attention_use_skip`: the input is added once for each level, beside once
  bool use_projection = false;  ///< a projection behind each level
  PerceiverScalingOptions scaling = {};
};

/// y = x + Σ over levels ([x] + projection(perceiver(x))) (CG_Attention_Interpolate). No rotary positions (quirk P10) and
/// no cache. Parameters: `perceiver_layers.{level}.*` and, with projections, `level_projections.{level}.{weight, bias}`.
template <auto HiddenSize, auto Heads, class T = float, class DeviceType = Cpu>
class CG_Attention_Interpolate
    : public detail::CoarseLevels<HiddenSize, Heads, T, DeviceType,
                                  PerceiverAR_Fixed_Token_Per_Latent_Scaling<HiddenSize, Heads, T, DeviceType>> {
  using Perceiver = PerceiverAR_Fixed_Token_Per_Latent_Scaling<HiddenSize, Heads, T, DeviceType>;
  using Base = detail::CoarseLevels<HiddenSize, Heads, T, DeviceType, Perceiver>;

 public:
  explicit CG_Attention_Interpolate(const CGAttentionInterpolateOptions& options)
      : Base("CG_Attention_Interpolate", options.perceiver, options.num_latents_list, options.use_projection,
             options.scaling),
        use_skip_(options.use_skip) {}

  /// \param x         [batch, tokens, hidden], already normalised
  /// \param inputs    padding; causal in any case; rotary tables are not read, a cache is refused
  /// \param residual  [batch, tokens, hidden], added to the result, or `none`
  /// \return          [batch, tokens, hidden]
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const AttentionInputs<T>& inputs,
                  const Residual& residual = none) const {
    const auto shape = this->output_shape(x);
    const auto level = [&](std::size_t l, const auto& sum) {
      const auto y = this->perceiver_layers[l](context, x, inputs);
      if (this->level_projections.empty()) return add(context, y, sum).reshape(shape);
      return this->level_projections[l](context, y, sum).reshape(shape);
    };
    const Index times = 1 + (use_skip_ ? this->levels() : 0);
    return this->with_skips(context, x, times, residual, [&](const auto& base) {
      auto sum = level(0, base);
      for (std::size_t l = 1; l < this->perceiver_layers.size(); ++l) sum = level(l, sum);
      return sum;
    });
  }

  /// Refused: the reference returns none (quirk P9).
  template <class X>
  auto attention_weights(Inference& /*context*/, const X& /*x*/, const AttentionInputs<T>& /*inputs*/) const {
    return Base::template refuse_weights<X>("CG_Attention_Interpolate");
  }

 private:
  bool use_skip_;
};

}  // namespace weft
