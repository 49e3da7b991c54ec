// SPDX-License-Identifier: Apache-2.0
/// \file
/// The variants that compare_variants trains, brought to the same number of parameters.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "weft/weft.hpp"

namespace examples {

/// One model type for all variants: which attention, MLP and graph it has is known at run time.
using VariantModel = weft::LlamaForCausalLMWithGNN<weft::Dynamic>;

struct Variant {
  std::string name;
  weft::GNNConfig gnn;
  weft::LlamaConfig llama{};

  /// The name without blanks and parentheses.
  std::string file_name() const {
    std::string name_of_file = name;
    std::erase_if(name_of_file, [](char c) { return c == '(' || c == ')'; });
    std::replace(name_of_file.begin(), name_of_file.end(), ' ', '_');
    return name_of_file;
  }
};

/// Recipe B of the reference, at this model's width: a sparse graph network beside standard attention.
inline weft::GNNConfig sparse_gin(int hidden_size) {
  return {.num_layers = 1,
          .hidden_dim = hidden_size,
          .activation = weft::GNNActivation::prelu,
          .dropout = 0,
          .gnn_type = weft::GNNType::causal_gin,
          .gnn_mode = weft::GNNMode::single,
          .gnn_residual = false,
          .GIN_hidden_dim_multiplier = 1,
          .threshold = 0.1,
          .epsilon_threshold = 0.6};
}

inline std::vector<Variant> all_variants(const weft::LlamaConfig& llama) {
  using Kind = weft::GNNFromAttention;
  auto corrected_sparse_gin = sparse_gin(llama.hidden_size);
  corrected_sparse_gin.compatibility.edge_direction = weft::EdgeDirection::key_to_query;
  return {
      {"plain attention", {}},
      {"GIN", {.use_GNN_from_attention = Kind::LlamaAttentionGIN, .use_sharpening = true, .dropout_rate = 0}},
      {"PNA", {.use_GNN_from_attention = Kind::LlamaAttentionPNA}},
      {"PNA_LM", {.use_GNN_from_attention = Kind::LlamaAttentionPNA_LM}},
      {"GIN in the MLP", {.MLP_type = weft::MLPType::LlamaMLP_HalfwayGIN}},
      {"sparse GIN (reference)", sparse_gin(llama.hidden_size)},
      {"sparse GIN (key to query)", corrected_sparse_gin},
      {"coarse-grained (interpolating)",
       {.use_GNN_from_attention = Kind::CG_Attention_Interpolate,
        .num_latents_list = {llama.max_position_embeddings / 8},
        .max_position_embeddings = llama.max_position_embeddings,
        .num_latent_layers = 1}},
  };
}

inline weft::Index parameters_of(const Variant& variant, int intermediate_size) {
  weft::LlamaConfig llama = variant.llama;
  llama.intermediate_size = intermediate_size;
  return weft::count_parameters(VariantModel(llama, variant.gnn, weft::Rng(0)));
}

/// Chooses the width of the MLP, in which the number of parameters is linear, so that the variant has as many as `wanted`;
/// an error when they then differ by more than 5 %.
inline void match_parameters(Variant& variant, weft::Index wanted) {
  const int heads = variant.llama.num_attention_heads;  // graph MLPs give each head the same share of the width
  const weft::Index base = parameters_of(variant, heads);
  const weft::Index slope = parameters_of(variant, 2 * heads) - base;
  const auto width = static_cast<int>(std::lround(static_cast<double>(wanted - base) / static_cast<double>(slope)));
  variant.llama.intermediate_size = heads * std::max(1, 1 + width);
  const weft::Index found = parameters_of(variant, variant.llama.intermediate_size);
  if (std::abs(static_cast<double>(found - wanted)) > 0.05 * static_cast<double>(wanted)) {
    weft::fail(weft::concat("the variant ", variant.name, " has ", found,
                            " parameters at the nearest width of its MLP, ", wanted,
                            " are wanted; a larger --hidden-size leaves more room"));
  }
}

/// The variants of these names, or all; an unknown name is an error that lists the known ones.
inline std::vector<Variant> chosen_variants(const weft::LlamaConfig& llama, const std::vector<std::string>& only) {
  std::vector<Variant> chosen;
  std::string known;
  std::vector<std::string> unknown = only;
  for (Variant& variant : all_variants(llama)) {
    known += (known.empty() ? "\"" : ", \"") + variant.name + "\"";
    std::erase(unknown, variant.name);
    if (only.empty() || std::find(only.begin(), only.end(), variant.name) != only.end()) chosen.push_back(variant);
  }
  if (!unknown.empty()) weft::fail("no variant \"" + unknown.front() + "\"; there are " + known);
  // Wide enough for the variants whose attention alone is larger than a Llama's.
  const weft::Index wanted = parameters_of({"", {}, llama}, 8 * llama.hidden_size);
  for (Variant& variant : chosen) {
    variant.llama = llama;
    match_parameters(variant, wanted);
  }
  return chosen;
}

}  // namespace examples
