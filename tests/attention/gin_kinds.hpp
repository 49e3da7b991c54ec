// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small GIN attention layers with every kind of adjacency.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "weft/attention/llama_attention_gin_options.hpp"

namespace weft::testing {

/// Options of a small layer of two heads, with changes.
inline LlamaAttentionGINOptions small_gin(std::function<void(LlamaAttentionGINOptions&)> change = {}) {
  LlamaAttentionGINOptions options{
      .multiplier = 0.5, .hidden_size = 8, .heads = 2, .key_value_heads = 2, .head_dim = 4};
  options.layer_idx = 1;
  options.scoring_hidden_dim = 3;
  options.threshold.top_k_fraction = 0.5;
  if (change) change(options);
  return options;
}

/// Every kind of adjacency, by name.
inline std::vector<std::pair<std::string, LlamaAttentionGINOptions>> all_kinds() {
  using Options = LlamaAttentionGINOptions;
  const auto mode = [](ThresholdMode mode) { return [mode](Options& o) { o.threshold.mode = mode; }; };
  return {
      {"plain", small_gin()},
      {"sharpened", small_gin([](Options& o) { o.use_sharpening = true; })},
      {"silu", small_gin([](Options& o) {
         o.threshold.mode = ThresholdMode::silu;
         o.learnable_threshold = o.use_sharpening = true;
         o.sharpening_init = SharpeningInit::random;
         o.softmax_temperature = 1.3;
       })},
      {"binary", small_gin(mode(ThresholdMode::binary))},
      {"flowthreshold", small_gin(mode(ThresholdMode::flowthreshold))},
      {"scaled top-k", small_gin(mode(ThresholdMode::scaled_topk_causal_4d))},
      {"top-k", small_gin(mode(ThresholdMode::top_k))},
      {"raw", small_gin([](Options& o) {
         o.use_softmax = false;
         o.threshold.mode = ThresholdMode::softplus;
       })},
      {"masked after scaling", small_gin([](Options& o) {
         o.mask_after_scaling = o.use_sharpening = true;
         o.threshold.mode = ThresholdMode::silu;
         o.threshold.respects_mask = true;
       })},
      {"differential", small_gin([](Options& o) { o.use_differential_attention = o.bias = o.use_sharpening = true; })},
      {"differential raw", small_gin([](Options& o) {
         o.use_differential_attention = true;
         o.use_softmax = false;
         o.threshold.mode = ThresholdMode::silu_plus_binary;
       })},
      {"differential with norm", small_gin([](Options& o) {
         o.use_differential_attention = o.differential_group_norm = o.learnable_threshold = true;
         o.threshold.mode = ThresholdMode::sharp_softplus;
       })},
      {"scoring", small_gin([](Options& o) {
         o.use_scoring_fnct = o.learnable_threshold = true;
         o.threshold.mode = ThresholdMode::silu;
       })},
      {"scoring beside differential",
       small_gin([](Options& o) { o.use_scoring_fnct = o.use_differential_attention = o.o_proj_at_end = true; })},
      {"grouped", small_gin([](Options& o) {
         o.o_proj_at_end = o.bias = o.use_differential_attention = true;
         o.heads = 4;
         o.threshold.mode = ThresholdMode::softplus_below_binary_above;
       })},
      {"one plus epsilon", small_gin([](Options& o) { o.gin.self_term = GINSelfTerm::one_plus_epsilon; })}};
}

}  // namespace weft::testing
