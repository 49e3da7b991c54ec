// SPDX-License-Identifier: Apache-2.0
// Cross attention, the perceivers, and the coarse-grained attention made of them.
#include <cstring>
#include <limits>

#include "weft/perceiver/cg_attention.hpp"
#include "weft/perceiver/cg_attention_interpolate.hpp"

#include "parity/layer_cases.hpp"
#include "parity/names.hpp"
#include "parity/run_layer.hpp"

namespace parity {

namespace {

using Hidden = Tensor<float, Shape<Dyn, Dyn, Dyn>>;
using Mask = Tensor<float, Shape<Dyn, 1, Dyn, Dyn>>;

weft::CrossAttentionLayerOptions cross_options(const GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  return {arguments.at("dim"), arguments.at("num_heads"), arguments.at("head_dim"), 0};
}

/// The masks of a cross attention case.
struct CrossMask {
  Mask additive;
  Tensor<std::int32_t, Shape<Dyn, Dyn, Dyn>> filled;
  weft::kernels::CrossAttentionMask<float> mask;

  CrossMask(const GoldenCase& golden, const Hidden& queries, const Hidden& keys) {
    const Index rows = queries.extent(1);
    const Index columns = keys.extent(1);
    mask.causal = golden.has("in.causal_mask");
    if (mask.causal) read_fill(golden, keys.extent(0), rows, columns);
    if (!golden.has("in.attention_mask")) return;
    additive = golden.mask("in.attention_mask");
    const auto fits = [](Index extent, Index count) { return extent == count || extent == 1; };
    if (!fits(additive.extent(0), keys.extent(0)) || !fits(additive.extent(2), rows) || additive.extent(3) != columns) {
      weft::fail("in.attention_mask must have a row for each query and a column for each key, found shape " +
                 additive.shape().text());
    }
    mask.tokens = {false, nullptr, additive.data(), rows, columns};
    mask.tokens.additive_batch_stride = additive.extent(0) == 1 ? 0 : additive.size() / additive.extent(0);
    mask.tokens.additive_row_stride = additive.extent(2) == 1 ? 0 : columns;
  }

 private:
  /// in.causal_mask [1 or batch, 1 or heads, queries, keys], whose first axes may be missing: the flag where it hides the
  /// keys after each query, an array where it hides others.
  void read_fill(const GoldenCase& golden, Index batch, Index rows, Index columns) {
    const auto& source = golden.file().tensor("in.causal_mask");
    const auto axis = [&](std::size_t from_last) {
      return from_last < source.shape.size() ? source.shape[source.shape.size() - 1 - from_last] : 1;
    };
    const Index heads = golden.json("ctor").at("num_heads");
    const auto one_or = [](Index extent, Index count) { return extent == 1 || extent == count; };
    if (source.dtype != "I64" || axis(0) != columns || axis(1) != rows || !one_or(axis(2), heads) ||
        !one_or(axis(3), batch)) {
      weft::fail("in.causal_mask must be [1 or batch, 1 or heads, queries, keys] of I64, found " + source.type_text());
    }
    filled = Tensor<std::int32_t, Shape<Dyn, Dyn, Dyn>>(Shape<Dyn, Dyn, Dyn>(axis(3) * axis(2), rows, columns));
    for (Index at = 0; at < filled.size(); ++at) {
      std::int64_t hidden;
      std::memcpy(&hidden, source.bytes.data() + static_cast<std::size_t>(at) * sizeof hidden, sizeof hidden);
      const Index i = at / columns % rows, j = at % columns;
      filled.data()[at] = hidden != 0 ? 1 : 0;
      mask.causal = mask.causal && (hidden != 0) == (j > i);
    }
    if (mask.causal) return;
    const Index size = rows * columns;
    mask.fill = {filled.data(), rows, columns, axis(3) == 1 ? 0 : axis(2) * size, axis(2) == 1 ? 0 : size, columns};
  }
};

void cross_attention_case(GoldenCase& golden) {
  weft::CrossAttention<Dyn, Dyn, Dyn> layer(cross_options(golden));
  load_layer(golden, layer);
  auto query = golden.tensor<float, Dyn, Dyn, Dyn>("in.query");
  auto key = golden.tensor<float, Dyn, Dyn, Dyn>("in.key");
  auto value = golden.tensor<float, Dyn, Dyn, Dyn>("in.value");
  const CrossMask cross(golden, query, key);
  run_layer(
      golden, layer,
      [&](auto& context, const auto& q, const auto& k, const auto& v) { return layer(context, q, k, v, cross.mask); },
      {"query", "key", "value"}, query, key, value);
}

void cross_attention_plus_case(GoldenCase& golden) {
  weft::CrossAttentionPlus<Dyn, Dyn, Dyn> layer(cross_options(golden));
  load_layer(golden, layer);
  auto query = golden.tensor<float, Dyn, Dyn, Dyn>("in.query");
  auto key = golden.tensor<float, Dyn, Dyn, Dyn>("in.key");
  auto value = golden.tensor<float, Dyn, Dyn, Dyn>("in.value");
  const CrossMask cross(golden, query, key);
  weft::kernels::CrossAttentionMixing<float> mixing;
  weft::Inference inference;
  if (!golden.has("in.supplied_attn")) {
    run_layer(
        golden, layer,
        [&](auto& context, const auto& q, const auto& k, const auto& v) { return layer(context, q, k, v, cross.mask); },
        {"query", "key", "value"}, query, key, value);
    if (golden.has("out.attn")) golden.compare("out.attn", layer.attention_weights(inference, query, key, cross.mask));
    return;
  }
  mixing.kind = weft::kernels::SuppliedWeights::dense;
  auto supplied = golden.tensor<float, Dyn, Dyn, Dyn, Dyn>("in.supplied_attn");
  Tensor<float, Shape<Dyn>> mix(Shape<Dyn>(1));  // a number, or a tensor that learns
  if (golden.has("in.supplied_attn_mix")) {
    mix = golden.stacked<0>("in.supplied_attn_mix");
  } else {
    mix(0) = golden.json("ctor").value("supplied_attn_mix", 0.0F);
  }
  mixing.mix = mix(0);
  run_layer(
      golden, layer,
      [&](auto& context, const auto& q, const auto& k, const auto& v, const auto& s, const auto& m) {
        return layer(context, q, k, v, cross.mask, weft::none, mixing, s, m.reshape(Shape<1>()));
      },
      {"query", "key", "value", "supplied_attn", "supplied_attn_mix"}, query, key, value, supplied, mix);
  if (!golden.has("out.attn")) return;
  golden.compare("out.attn", layer.attention_weights(inference, query, key, cross.mask, mixing, supplied));
}

template <class Layer>
void latent_layer_case(GoldenCase& golden) {
  Layer layer(cross_options(golden));
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.x");
  const CrossMask cross(golden, x, x);
  run_layer(
      golden, layer, [&](auto& context, const auto& in) { return layer(context, in, cross.mask); }, {"x"}, x);
  if (!golden.has("out.attn")) return;
  weft::Inference inference;
  const auto normed = layer.norm1(inference, x);
  golden.compare("out.attn", layer.self_attn.attention_weights(inference, normed, normed, cross.mask));
}

weft::PerceiverOptions perceiver_options(const GoldenCase& golden) {
  const auto config = golden.json("config");
  const auto& gnn = config.at("gnn_config");
  const auto per_latent = gnn.value("tokens_per_latent", nlohmann::json());  // null: it is computed
  return {.hidden_size = config.at("hidden_size"),
          .heads = config.at("num_attention_heads"),
          .max_position_embeddings = gnn.at("max_position_embeddings"),
          .num_latents = gnn.value("num_latents", Index{0}),
          .tokens_per_latent = per_latent.is_null() ? Index{0} : per_latent.get<Index>(),
          .num_latent_layers = gnn.at("num_latent_layers"),
          .attention_dropout = config.value("attention_dropout", 0.0)};
}

weft::PerceiverScalingOptions scaling_options(const GoldenCase& golden) {
  const auto gnn = golden.json("config").at("gnn_config");
  weft::PerceiverScalingOptions options;
  options.mix_weights_initial = gnn.value("mix_weights_initial", 0.5);
  options.interpolation =
      named<weft::AdjacencyInterpolation>(gnn.value("interpolation_method_for_adj_scaling", "nearest"));
  return options;
}

/// The masks of a case with hidden states.
struct CoarseCase {
  Mask additive;
  weft::AttentionInputs<float> inputs;

  explicit CoarseCase(const GoldenCase& golden) {
    if (!golden.has("in.attention_mask")) return;
    additive = golden.mask("in.attention_mask");
    inputs.additive_mask = additive;
  }

  /// Whether the mask is the causal one of the models, which can be said by a flag too.
  bool is_causal(Index tokens) const {
    if (additive.size() == 0 || additive.extent(2) != tokens) return false;
    const Index columns = additive.extent(3);  // may be more
    for (Index i = 0; i < additive.size(); ++i) {
      const Index row = i / columns % tokens, column = i % columns;
      const float causal = column > row ? std::numeric_limits<float>::lowest() : 0;
      if (column < tokens && additive.data()[i] != causal) return false;
    }
    return true;
  }
};

/// Runs a layer on the mask as a tensor and, where it is causal, by flag: the latter computes less.
template <class Layer>
void run_coarse(GoldenCase& golden, Layer& layer) {
  load_layer(golden, layer);
  CoarseCase coarse(golden);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.hidden_states");
  const auto run = [&] {
    run_layer(
        golden, layer, [&](auto& context, const auto& h) { return layer(context, h, coarse.inputs); },
        {"hidden_states"}, x);
    if (!golden.has("out.latents")) return;
    if constexpr (requires(weft::Inference & inference) { layer.encode(inference, x, coarse.inputs); }) {
      weft::Inference inference;
      const auto latents = layer.encode(inference, x, coarse.inputs);
      golden.compare("out.latents", latents);
      if (!golden.has("out.latent_mask")) return;
      std::vector<float> causal;
      for (Index i = 0; i < latents.extent(1) * latents.extent(1); ++i) {
        causal.push_back(i % latents.extent(1) > i / latents.extent(1) ? -1e9F : 0);
      }
      golden.compare("out.latent_mask", causal.data(), static_cast<Index>(causal.size()));
    }
  };
  run();
  if (!coarse.is_causal(x.extent(1))) return;
  coarse.inputs = {};
  coarse.inputs.causal = true;
  run();
}

void perceiver_case(GoldenCase& golden) {
  weft::PerceiverAR_Fixed_Token_Per_Latent<Dyn, Dyn> layer(perceiver_options(golden));
  run_coarse(golden, layer);
}

void perceiver_scaling_case(GoldenCase& golden) {
  weft::PerceiverAR_Fixed_Token_Per_Latent_Scaling<Dyn, Dyn> layer(perceiver_options(golden), scaling_options(golden));
  run_coarse(golden, layer);
}

void cg_attention_case(GoldenCase& golden) {
  const auto gnn = golden.json("config").at("gnn_config");
  weft::CG_Attention<Dyn, Dyn> layer(
      {perceiver_options(golden), gnn.at("num_latents_list"), gnn.value("CG_Attention_use_skip", true)});
  run_coarse(golden, layer);
}

void cg_attention_interpolate_case(GoldenCase& golden) {
  const auto gnn = golden.json("config").at("gnn_config");
  weft::CG_Attention_Interpolate<Dyn, Dyn> layer({perceiver_options(golden), gnn.at("num_latents_list"),
                                                  gnn.value("CG_Attention_use_skip", true),
                                                  gnn.value("use_projection", false), scaling_options(golden)});
  run_coarse(golden, layer);
}

}  // namespace

void add_perceiver_cases(LayerCases& cases) {
  cases["CrossAttention"] = cross_attention_case;
  cases["CrossAttentionPlus"] = cross_attention_plus_case;
  cases["LatentTransformerLayer"] = latent_layer_case<weft::LatentTransformerLayer<Dyn, Dyn, Dyn>>;
  cases["LatentTransformerLayerPlus"] = latent_layer_case<weft::LatentTransformerLayerPlus<Dyn, Dyn, Dyn>>;
  cases["PerceiverAR_Fixed_Token_Per_Latent"] = perceiver_case;
  cases["PerceiverAR_Fixed_Token_Per_Latent_Scaling"] = perceiver_scaling_case;
  cases["CG_Attention"] = cg_attention_case;
  cases["CG_Attention_Interpolate"] = cg_attention_interpolate_case;
}

}  // namespace parity
