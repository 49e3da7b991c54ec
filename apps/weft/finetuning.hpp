// SPDX-License-Identifier: Apache-2.0
/// \file
/// What of a pretrained model is trained.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "weft/models/config.hpp"
#include "weft/models/lora.hpp"

namespace apps {

enum class FinetuningMethod : int {
  full,        ///< all of it
  sparse_gin,  ///< a graph network beside the frozen attention (Buehler, arXiv 2501.02393)
  lora         ///< low-rank adapters of frozen layers
};

inline constexpr std::array<std::string_view, 3> finetuning_methods{"full", "sparse-gin", "lora"};

struct Finetuning {
  FinetuningMethod method = FinetuningMethod::full;
  weft::GNNConfig gnn{};     ///< with sparse_gin: the graph part of the model
  weft::LoraOptions lora{};  ///< with lora
};

/// The reference's graph network for fine-tuning, of the width that it has there for its model: a twentieth of the model's.
/// What is said of the attention stays as it is.
inline weft::GNNConfig with_sparse_gin(weft::GNNConfig gnn, int hidden_size) {
  gnn.num_layers = 1;
  gnn.hidden_dim = hidden_size < 320 ? 16 : hidden_size / 20;
  gnn.activation = weft::GNNActivation::prelu;
  gnn.dropout = 0.1;
  gnn.use_layer_norm = true;
  gnn.gnn_type = weft::GNNType::causal_gin;
  gnn.gnn_mode = weft::GNNMode::single;
  gnn.gnn_residual = false;
  gnn.GIN_hidden_dim_multiplier = 1;
  gnn.lambda_GNN_initial = 0;
  gnn.lambda_GNN = 0.5;
  gnn.threshold = 0.1;
  gnn.epsilon_threshold = 0.6;
  return gnn;
}

}  // namespace apps
