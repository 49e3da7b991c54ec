// SPDX-License-Identifier: Apache-2.0
// The parts of a plain Llama.
#include "weft/attention/causal_mask.hpp"

#include "parity/attention_case.hpp"
#include "parity/layer_cases.hpp"

namespace parity {

namespace {

void rms_norm_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  weft::RMSNorm<Dyn> layer(arguments.at("eps"), arguments.at("hidden_size"));
  load_layer(golden, layer);
  auto x = golden.stacked<1>("in.x");
  run_layer(
      golden, layer, [&](auto& context, const auto& in) { return layer(context, in); }, {"x"}, x);
}

void rotary_case(GoldenCase& golden) {
  const auto positions = golden.tensor<std::int64_t, Dyn, Dyn>("in.position_ids");
  const auto rotary = rotary_of(config_of(golden).llama);
  std::vector<float> cos(static_cast<std::size_t>(positions.size() * rotary.head_dim()));
  std::vector<float> sin(cos.size());
  rotary.fill(std::span<const Index>(positions.span()), cos.data(), sin.data());
  golden.compare("out.cos", cos.data(), static_cast<Index>(cos.size()));
  golden.compare("out.sin", sin.data(), static_cast<Index>(sin.size()));
  const auto frequencies = rotary.inverse_frequencies();
  golden.compare("out.inv_freq", frequencies.data(), static_cast<Index>(frequencies.size()));
}

void mlp_case(GoldenCase& golden) {
  const auto llama = config_of(golden).llama;
  weft::LlamaMLP<Dyn, Dyn> layer(weft::activation_of(llama.hidden_act), llama.mlp_bias, llama.hidden_size,
                                 llama.intermediate_size);
  load_layer(golden, layer);
  auto x = golden.stacked<1>("in.x");
  run_layer(
      golden, layer, [&](auto& context, const auto& in) { return layer(context, in); }, {"x"}, x);
}

void attention_case(GoldenCase& golden) {
  const auto config = config_of(golden);
  const AttentionCase attention(golden, config.llama);
  weft::LlamaAttention<Dyn, Dyn, Dyn, Dyn> layer(weft::attention_options(config.llama));
  run_attention(golden, layer, attention, [&](weft::Inference& context, const auto& x) {
    return layer.attention_weights(context, x, attention.inputs);
  });
}

void causal_mask_case(GoldenCase& golden) {
  const auto valid = golden.tensor<std::int64_t, Dyn, Dyn>("in.attention_mask_2d");
  golden.compare("out.output", weft::causal_mask(valid));
}

/// Copies between [batch, heads, tokens, features] (the reference's layout) and [batch, tokens, heads * features].
std::vector<float> to_rows(const float* heads, Index batch, Index count, Index tokens, Index features) {
  std::vector<float> rows(static_cast<std::size_t>(batch * count * tokens * features));
  for (Index at = 0; at < batch * count * tokens; ++at) {
    const Index b = at / count / tokens, h = at / tokens % count, t = at % tokens;
    std::copy_n(heads + at * features, features, rows.data() + ((b * tokens + t) * count + h) * features);
  }
  return rows;
}
std::vector<float> to_heads(const float* rows, Index batch, Index count, Index tokens, Index features) {
  return to_rows(rows, batch, tokens, count, features);
}

/// Rotates one of q and k; `groups` query heads share a head of k. `part` says where its features lie in the output.
void rotate_case(GoldenCase& golden, const std::string& name, Index groups, Index part) {
  using Heads = Tensor<float, Shape<Dyn, Dyn, Dyn, Dyn>>;
  const Heads given = golden.tensor<float, Dyn, Dyn, Dyn, Dyn>("in." + name);
  const Index batch = given.extent(0), heads = given.extent(1), tokens = given.extent(2), dim = given.extent(3);
  auto rows = to_rows(given.data(), batch, heads, tokens, dim);
  const Shape<Dyn, Dyn, Dyn> shape(batch, tokens, heads * dim);
  const auto cos = golden.tensor<float, Dyn, Dyn, Dyn>("in.cos");
  const auto sin = golden.tensor<float, Dyn, Dyn, Dyn>("in.sin");
  weft::Tape tape;
  const auto x = tape.watch(weft::TensorView<float, Shape<Dyn, Dyn, Dyn>>(rows.data(), shape));
  const auto y = weft::rotary_embedding(tape, x, cos, sin, heads);
  const auto rotated = to_heads(y.data(), batch, heads, tokens, dim);

  const Index all = heads * groups;
  const auto expected = loss_weights(golden, batch * all * tokens * 2 * dim);
  std::vector<float> repeated, seed(rows.size());
  for (Index at = 0; at < batch * all * tokens; ++at) {
    const Index head = at / tokens / groups, t = at % tokens;  // counted through the batch
    const Index own = (head * tokens + t) * dim;
    repeated.insert(repeated.end(), rotated.begin() + own, rotated.begin() + own + dim);
    for (Index c = 0; c < dim; ++c) {
      seed[static_cast<std::size_t>(own + c)] += expected[static_cast<std::size_t>((2 * at + part) * dim + c)];
    }
  }
  golden.compare(part == 0 ? "out.q" : "out.k_repeated", repeated.data(), static_cast<Index>(repeated.size()));
  seed = to_rows(seed.data(), batch, heads, tokens, dim);
  tape.backward(y, weft::TensorView<const float, Shape<Dyn, Dyn, Dyn>>(seed.data(), shape));
  const auto gradient = to_heads(tape.gradient(x).data(), batch, heads, tokens, dim);
  golden.compare("grad_in." + name, gradient.data(), static_cast<Index>(gradient.size()));
}

/// apply_rotary_pos_emb, then repeat_kv; "output" is both results side by side.
void apply_rotary_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  const Index groups = arguments.at("num_heads").get<Index>() / arguments.at("num_kv_heads").get<Index>();
  rotate_case(golden, "q", 1, 0);
  rotate_case(golden, "k", groups, 1);
  golden.mark_compared("out.output");
}

}  // namespace

void add_llama_cases(LayerCases& cases) {
  cases["apply_rotary_pos_emb+repeat_kv"] = apply_rotary_case;
  cases["causal_mask"] = causal_mask_case;
  cases["LlamaRMSNorm"] = rms_norm_case;
  cases["LlamaRotaryEmbedding"] = rotary_case;
  cases["LlamaMLP"] = mlp_case;
  cases["LlamaAttention"] = attention_case;
  cases["LlamaAttention_Original"] = attention_case;
}

}  // namespace parity
