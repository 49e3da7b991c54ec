// SPDX-License-Identifier: Apache-2.0
/// \file
/// What differential GIN attention has beyond one adjacency.
#pragma once

#include <optional>

#include "weft/layers/linear.hpp"
#include "weft/ops/adjacency/adjacency_source.hpp"

namespace weft {

/// The second queries and keys, the factor of the adjacency that they make, and the group norm of the difference. Parameters:
/// `q_proj_2`, `k_proj_2`, `lambda_param.0` [], `groupnorm.weight`, `groupnorm.bias` [heads] (optional).
template <auto HiddenSize, auto Heads, auto QueryWidth, auto KeyWidth, class T = float, class DeviceType = Cpu>
class GINDifferential {
 public:
  Linear<HiddenSize, QueryWidth, T, DeviceType> q_proj_2;
  Linear<HiddenSize, KeyWidth, T, DeviceType> k_proj_2;
  Parameter<T, Shape<>, DeviceType> lambda_param;
  std::optional<Parameter<T, Shape<Heads>, DeviceType>> norm_weight;
  std::optional<Parameter<T, Shape<Heads>, DeviceType>> norm_bias;

  GINDifferential(bool bias, bool group_norm, double lambda_init, Index hidden_size, Index heads, Index query_width,
                  Index key_width)
      : q_proj_2(bias, hidden_size, query_width), k_proj_2(bias, hidden_size, key_width), lambda_param(Shape<>()) {
    fill_constant(lambda_param, static_cast<T>(lambda_init));
    if (!group_norm) return;
    norm_weight.emplace(Shape<Heads>::from({heads}));
    norm_bias.emplace(Shape<Heads>::from({heads}));
    fill_constant(*norm_weight, T{1});
  }

  /// The source of the adjacency of one pair of queries and keys less lambda times that of the other.
  /// \param norm_scale  of the norm of the difference; 0: no norm
  template <class Context, class Sharpness, class Threshold>
  auto adjacency(Context& context, const RowsOperand<T>& q, const RowsOperand<T>& k, const RowsOperand<T>& q2,
                 const RowsOperand<T>& k2, const AdjacencyOptions<T>& options, const Sharpness& sharpness,
                 const Threshold& threshold, double norm_scale) const {
    if (!norm_weight || norm_scale == 0) {
      return differential_adjacency(context, q, k, q2, k2, lambda_param, options, sharpness, threshold);
    }
    using Scale = Parameter<T, Shape<Heads>, DeviceType>;
    const AdjacencyNorm<Scale, Scale> norm{*norm_weight, *norm_bias, norm_scale};
    return differential_adjacency(context, q, k, q2, k2, lambda_param, options, sharpness, threshold, norm);
  }

  void initialize(Rng& rng, double standard_deviation) {
    q_proj_2.initialize(rng, standard_deviation);
    k_proj_2.initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.q_proj_2, visit, prefix + "q_proj_2.");
    for_each_parameter(self.k_proj_2, visit, prefix + "k_proj_2.");
    visit(ParameterName(prefix + "lambda_param.0"), self.lambda_param);
    if (self.norm_weight) visit(ParameterName(prefix + "groupnorm.weight"), *self.norm_weight);
    if (self.norm_bias) visit(ParameterName(prefix + "groupnorm.bias"), *self.norm_bias);
  }
};

}  // namespace weft
