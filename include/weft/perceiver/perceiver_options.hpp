// SPDX-License-Identifier: Apache-2.0
/// \file
/// The run-time choices of the perceivers.
#pragma once

#include <string_view>

#include "weft/tensor/error.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// Who looks at whom in PerceiverAR_Fixed_Token_Per_Latent.
enum class CGMask {
  reference,     ///< rows of the token mask serve as rows of latents (quirks P1, P2): latent n averages tokens 0..n
  group_causal,  ///< ours: latent n sees its own group; a token reads the groups that end at or before it
};

/// What CG_Attention_Interpolate mixes local attention with.
enum class CGIAdjacency {
  reference,       ///< ones for every earlier token, whatever the latents hold (quirk P13)
  active_latents,  ///< ours: the attention of the last latent layer among the groups in use, scaled up to tokens
};

/// How the adjacency of latents becomes one of tokens: `interpolation_method_for_adj_scaling`. In the reference's form
/// everything that torch accepts on an image means the same, because a single number is scaled up (quirk P14);
/// `active_latents` distinguishes nearest and bilinear and knows no other.
enum class AdjacencyInterpolation { nearest, bilinear, bicubic, area, nearest_exact };

/// Whether an adjacency of latents can be scaled up so.
constexpr bool scales_up(AdjacencyInterpolation interpolation, CGIAdjacency adjacency) {
  return adjacency == CGIAdjacency::reference || interpolation == AdjacencyInterpolation::nearest ||
         interpolation == AdjacencyInterpolation::bilinear;
}

/// Extents that both perceivers have. hidden_size and heads are needed only where the type leaves them `Dyn`.
struct PerceiverOptions {
  Index hidden_size = 0;
  Index heads = 0;
  Index max_position_embeddings = 0;  ///< M, of the gnn_config: the most tokens
  Index num_latents = 0;              ///< N
  Index tokens_per_latent = 0;        ///< P; 0: M / N
  Index num_latent_layers = 1;
  double attention_dropout = 0;  ///< of weights and of the latent MLPs' results, while training

  Index group_size() const { return tokens_per_latent > 0 ? tokens_per_latent : max_position_embeddings / num_latents; }
};

/// The further choices of PerceiverAR_Fixed_Token_Per_Latent_Scaling.
struct PerceiverScalingOptions {
  double mix_weights_initial = 0.5;  ///< the share of local attention; its sign switches the formula (quirk P16)
  CGIAdjacency adjacency = CGIAdjacency::reference;
  AdjacencyInterpolation interpolation = AdjacencyInterpolation::nearest;
  bool mask_local = false;  ///< whether padded tokens are hidden from local attention too (quirk P15)
};

namespace detail {

/// Refuses extents with which the reference cannot work.
inline void check_perceiver(std::string_view name, const PerceiverOptions& options) {
  if (options.num_latents < 1 || options.max_position_embeddings < 1) {
    fail(concat(name, ": num_latents and max_position_embeddings must be given, found ", options.num_latents, " and ",
                options.max_position_embeddings));
  }
  if (options.num_latent_layers < 0) {
    fail(concat(name, ": num_latent_layers must not be negative, found ", options.num_latent_layers));
  }
  if (options.max_position_embeddings > options.group_size() * options.num_latents) {
    fail(concat(name, ": max_position_embeddings must not exceed tokens_per_latent * num_latents, found ",
                options.max_position_embeddings, " and ", options.group_size(), " * ", options.num_latents));
  }
}

}  // namespace detail

}  // namespace weft
