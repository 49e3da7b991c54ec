// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a graph-aware Llama has beyond a Llama: the reference's `GNNConfig`, field for field.
#pragma once

#include <optional>

#include "weft/models/compatibility.hpp"
#include "weft/models/fixed_list.hpp"
#include "weft/models/gnn_choices.hpp"

namespace weft {

/// Graph attention by numbers, with the names and defaults of the reference (lamm-mit/Graph-Aware-Transformers,
/// `gnn_config.py`; Buehler, arXiv 2501.02393) in the order of what they are about. Fields that the reference leaves
/// without effect are without effect here too, and so is `plot_for_debugging`; they are at the end, for the way back into
/// a file. Ten hold a text or an object (`model_type`, `tokenizer`, `degree`, `attention_epsilon_strategy`,
/// `residual_epsilon_strategy`, `hierarchical_enc_dec_type`, `attention_GIN_MLP_GIN_MLP_mode`,
/// `attention_GIN_MLP_attention_mix_mode`, `attention_GIN_MLP_GIN_fuse_mode`, `act_kwargs`) and are no members:
/// `PretrainedConfig::other` keeps them. The reference uses none of them but the last, for the activation of `causal_pna`;
/// files in which that is not empty are refused.
///
///     static constexpr weft::GNNConfig gnn{.use_GNN_from_attention = weft::GNNFromAttention::LlamaAttentionGIN,
///                                          .attention_GIN_MLP_multiplier = 0.5,
///                                          .use_sharpening = true};
struct GNNConfig {
  // The sparse graph network beside the attention, which a pretrained Llama is fine-tuned with.

  int num_layers = 3;
  int hidden_dim = 128;  ///< its width; projections lead to it and back where it is not the model's
  GNNActivation activation = GNNActivation::relu;
  double dropout = 0.2;                ///< behind each of its layers; attention is not affected (quirk C6)
  bool use_layer_norm = true;          ///< `gnn_norm`, an RMSNorm on its output; only with one network for all heads
  double rms_norm_eps = 1e-5;          ///< of `gnn_norm` only
  bool norm_to_hidden_states = false;  ///< its output gets the root mean square of its input, over the whole batch
  GNNType gnn_type = GNNType::causal_gnn;
  GNNMode gnn_mode = GNNMode::none;
  GNNLogic gnn_logic = GNNLogic::before_MLP;
  bool gnn_residual = true;  ///< around each of its layers
  bool GIN_use_MLP = true;
  bool GIN_use_norm = false;
  double GIN_hidden_dim_multiplier = 2;  ///< width of the MLP of `causal_gin` over hidden_dim, rounded down
  bool GIN_edge_weight_scaling = true;   ///< messages are multiplied by the adjacency
  FixedList<PNAAggregator, 8> aggregators{PNAAggregator::mean, PNAAggregator::min, PNAAggregator::max,
                                          PNAAggregator::std};
  FixedList<PNAScaler, 8> scalers{PNAScaler::identity, PNAScaler::amplification, PNAScaler::attenuation};
  double lambda_GNN = 0.5;                     ///< the share of its output, `trainable_scale`, in the last layer
  std::optional<double> lambda_GNN_initial{};  ///< in the first layer, linear in between; none: everywhere equal
  bool per_head_ff = false;                    ///< a linear layer behind the networks of all heads

  /// The network gets the layer's normed input; the attention's output is dropped, its weights are used (quirk D1).
  bool use_original_hidden_states = false;
  bool use_original_hidden_states_add_attention = false;  ///< without effect (quirk D2)
  bool add_rope = false;  ///< rotary positions on the network's input; one head, or `add_rope_per_head` (quirk D15)

  // The adjacency that this network works on, made of attention weights.

  AdjacencyMethod adj_construction_method = AdjacencyMethod::sum;
  double threshold_any_tau = 10.0;
  AggregateActivation learnable_aggregate_activation = AggregateActivation::softmax;
  int adj_transform_hidden_dim = 128;        ///< width of `learnable_aggregate`
  double continuous_transform_alpha = 10.0;  ///< σ(alpha (a - threshold)) of every entry; not if at most 0
  double threshold = 0.5;                    ///< at least 0
  bool zero_below_epsilon_threshold = true;  ///< entries up to `epsilon_threshold` are no edges
  double epsilon_threshold = 0.5;
  bool remove_self_connections = false;
  bool enforce_causality = true;
  bool use_distance_scaling = false;
  double distance_weight_strength = 1.0;
  DistanceScaling distance_scaling_method = DistanceScaling::power;

  // The attention of every layer.

  GNNFromAttention use_GNN_from_attention = GNNFromAttention::none;

  /// Width of the MLP inside a GIN or PNA layer over its input's; see `gin_hidden_dim`.
  double attention_GIN_MLP_multiplier = 2.0;

  /// The softmax sees alpha * scores / temperature; alpha, a parameter iff `use_sharpening`, starts here.
  double initial_sharpening_value = 1.0;
  bool use_sharpening = false;
  SharpeningInit sharpening_value_init = SharpeningInit::value;

  /// The threshold is a parameter, `threshold.0` (stored in every mode, used in those that have a threshold).
  bool attention_GIN_MLP_GIN_learnable_threshold = false;
  double attention_GIN_MLP_GIN_threshold_value = 0.2;
  ThresholdMode attention_GIN_MLP_GIN_threshold_mode = ThresholdMode::none;
  double attention_GIN_MLP_GIN_binary_scale = 1.0;  ///< weight of the binary part in the mode "silu+binary"
  double attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length = 0.1;  ///< share of tokens that top-k modes keep
  double attention_GIN_MLP_GIN_sharp_softplus_beta = 10.0;  ///< steepness of sharp_softplus and sigmoid_elementwise

  /// The adjacency is the softmax of the scores; without it the scores themselves, in PNA attention after a ReLU.
  bool attention_GIN_MLP_GIN_use_softmax = true;
  bool attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax = true;  ///< that ReLU, in LlamaAttentionPNA
  double attention_GIN_MLP_GIN_softmax_temperature = 1.0;
  GINMode attention_GIN_MLP_GIN_mode = GINMode::standard;
  bool attention_GIN_MLP_use_scoring_fnct = false;  ///< scores from an MLP over pairs of tokens, not query times key
  int attention_GIN_MLP_scoring_hidden_dim = 512;   ///< its width
  bool use_differential_attention = false;          ///< the adjacency is a difference, A - lambda A2
  bool use_differential_attention_group_norm = false;
  bool attention_GIN_MLP_o_proj_at_end = false;  ///< an output projection after the GIN layers of the heads

  /// First value of `residual_epsilon.0`, a parameter of GIN and PNA attention that nothing uses.
  double residual_epsilon_uniform_value = 0.1;

  // Coarse-grained attention.

  FixedList<int, 16> num_latents_list{64, 32, 8};  ///< one perceiver for each
  int num_latents = 32;                            ///< without effect: the list decides
  int max_position_embeddings = 2048;              ///< the longest text of these layers, whatever LlamaConfig says
  int num_latent_layers = 4;
  bool CG_Attention_use_skip = true;                   ///< the input is added once for each perceiver
  bool use_projection = false;                         ///< a projection after each level of CG_Attention_Interpolate
  double mix_weights_initial = 0.5;                    ///< of CG_Attention_Interpolate: 1 is all local attention
  bool use_fixed_number_of_tokens_per_latent = false;  ///< without effect: it always is fixed
  bool group_tokens_for_coarse_graining = false;       ///< without effect

  // The feed-forward block.

  MLPType MLP_type = MLPType::standard_MLP;

  // Fields that the reference's code reads and its GNNConfig lacks: files with them are ours.

  double dropout_rate = 0.1;  ///< inside every GIN layer of GIN attention; in the reference 0.1 unless assigned
  int tokens_per_latent = 0;  ///< 0: max_position_embeddings / num_latents
  AdjacencyInterpolation interpolation_method_for_adj_scaling = AdjacencyInterpolation::nearest;
  int edge_dim = 0;  ///< of `causal_pna`; 0: hidden_dim
  int towers = 1;
  int pre_layers = 1;
  int post_layers = 1;
  bool divide_input = false;
  GNNActivation act = GNNActivation::relu;

  // Compatibility.

  Semantics semantics = Semantics::reference;  ///< one word for all switches
  Compatibility compatibility{};               ///< those that stand otherwise

  // Kept for files: without effect. The reference reads the first one alone, and draws its layers' weights as they run.

  bool plot_for_debugging = false;
  bool combined_norm = true;
  int top_k = 8;
  int N_GNN_from_attention_layers = 1;
  bool use_GNN_from_attention_add_RoPE_at_every_layer = false;
  bool LlamaAttentionHierarchicalPerceiverAR_use_rope = true;
  double attention_epsilon_uniform_value = 0.5;
  bool attention_GIN_MLP_GIN_MLP_pre_aggregate = true;
  bool attention_GIN_MLP_separate_attention = false;
  bool attention_GIN_MLP_use_second_order = false;
  double attention_GIN_MLP_second_order_factor = 0.1;
  bool GIN_after_attention = true;
  bool GIN_after_attention_pre_GIN_norm = true;
  bool GIN_after_attention_skip = true;
  bool use_soft_masking = false;
  double soft_masking_k = 10.0;
  double soft_masking_initial_threshold = 0.01;
  bool use_graph_property_modulation = false;
  bool use_graph_property_modulation_with_norm = false;
  bool use_graph_property_modulation_with_norm_use_causal_clustering = true;
  bool use_layer_norm_in_GIN_MLP = false;
  bool use_no_norm_in_GIN_MLP = false;
  bool use_hierarchical_attention = false;

  /// Width of the MLP inside the GIN layer of a head: rounded down, as the reference does.
  constexpr int gin_hidden_dim(int head_size) const {
    return static_cast<int>(static_cast<double>(head_size) * attention_GIN_MLP_multiplier);
  }

  /// The compatibility switches, all set.
  constexpr Compatibility switches() const { return resolve(compatibility, semantics); }

  constexpr bool operator==(const GNNConfig&) const = default;
};

}  // namespace weft
