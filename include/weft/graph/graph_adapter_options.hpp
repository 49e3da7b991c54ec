// SPDX-License-Identifier: Apache-2.0
/// \file
/// The choices of `GraphAdapter`.
#pragma once

#include <optional>
#include <string_view>

#include "weft/graph/causal_graph_neural_network.hpp"
#include "weft/ops/graph_adjacency/graph_adjacency_options.hpp"

namespace weft {

/// The run-time choices of `GraphAdapter`; names after the reference's GNNConfig. A decoder layer of `gnn_mode` none has
/// no adapter.
struct GraphAdapterOptions {
  bool per_head = false;                  ///< `gnn_mode` per_head; false: single
  CausalGraphNeuralNetworkOptions gnn{};  ///< its transformer_hidden_dim is set here
  GraphAdjacencyOptions adjacency{};      ///< its per_head is set here
  EdgeDirection edge_direction = EdgeDirection::reference;
  Index adj_transform_hidden_dim = 128;    ///< width of the network of `learnable_aggregate`
  bool learnable_softmax = true;           ///< `learnable_aggregate_activation`; false: sigmoid
  bool use_layer_norm = true;              ///< `gnn_norm`, in single mode
  double rms_norm_eps = 1e-5;              ///< `rms_norm_eps` of the GNNConfig
  bool per_head_ff = false;                ///< `ff_layer` over the joined heads
  bool norm_to_hidden_states = false;      ///< o gets the root mean square of z, over the whole batch (quirk D16)
  bool norm_zero_guard = true;             ///< it divides no 0 by 0 (quirk D16); false: NaN there, as in the reference
  bool add_rope = false;                   ///< rotary positions on the network's input; one network: one head (D15)
  bool add_rope_per_head = false;          ///< or each head's channels by themselves; the reference has no such form
  double lambda = 0.5;                     ///< `lambda_GNN`: first value of `trainable_scale` in the last layer
  std::optional<double> lambda_initial{};  ///< `lambda_GNN_initial`: that of the first layer, linear in between
  Index layer_index = 0;                   ///< of this layer, from 0
  Index layers = 1;                        ///< of the model
  Index hidden_size = 0;
  Index heads = 0;
};

namespace detail {

inline void expect_supported(const GraphAdapterOptions& o) {
  if (o.heads < 1) fail(concat("GraphAdapter: heads must be given and positive, found ", o.heads));
  if (o.per_head && o.hidden_size % o.heads != 0) {
    fail(concat("GraphAdapter: hidden_size must be a multiple of heads for one network a head, found ", o.hidden_size,
                " and ", o.heads));
  }
  if (o.add_rope && !o.per_head && o.heads != 1 && !o.add_rope_per_head) {
    fail(
        concat("GraphAdapter: add_rope is supported for one head, whose rotary tables are as wide as the hidden "
               "states, or with add_rope_per_head, found ",
               o.heads, " heads"));
  }
  if (o.gnn.type == GraphType::causal_pna && o.gnn.pna.form != PNAForm::corrected) {
    fail("GraphAdapter: causal_pna does not run inside a layer of the reference; PNAForm::corrected does");
  }
}

/// The error where packed sequences would each need what is taken over a whole row.
[[noreturn]] inline void refuse_packing(const GraphAdapterOptions& o, bool network_is_incremental) {
  std::string_view what = network_is_incremental ? "the softmax of learnable_aggregate" : "the graph norm";
  if (o.adjacency.use_distance_scaling) what = "use_distance_scaling";
  if (o.norm_to_hidden_states) what = "norm_to_hidden_states";
  fail(concat("GraphAdapter: ", what,
              " looks at a whole row and cannot tell packed sequences apart; give it one sequence a row"));
}

}  // namespace detail

}  // namespace weft
