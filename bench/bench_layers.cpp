// SPDX-License-Identifier: Apache-2.0
// What does each kind of layer cost, forwards, forwards and backwards, and token by token? Its time is held against the
// multiply-add peak (passes: operations of matrix products, below the diagonal only) or the read bandwidth of memory
// (decoding: weights and cache). Memory is what the context has handed out (context_MB) and what the process needs beside
// inputs and weights, gradients of weights and scratch included (MB). Blocks along an adjacency are measured with q and k
// projections and the dense softmax weights that feed them. Layers are those of the reference by default; what is set
// otherwise is said by the name. A share of bandwidth above 1 says that a cache has kept some of the weights.
//
//     build/release/bench/bench_layers --tokens=128,256 --hidden=560 --batch=8 --heads=8 --threads=2 --benchmark_filter=gin
#include <string>

#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_gin.hpp"
#include "weft/attention/llama_attention_pna.hpp"
#include "weft/mlp/llama_mlp.hpp"
#include "weft/mlp/llama_mlp_halfway_gin.hpp"
#include "weft/mlp/llama_mlp_multi_aggregation.hpp"
#include "weft/mlp/llama_mlp_multi_hop.hpp"
#include "weft/perceiver/cg_attention.hpp"
#include "weft/perceiver/cg_attention_interpolate.hpp"

#include "layers/graph_subject.hpp"
#include "layers/measure.hpp"

namespace {

using namespace bench;
using weft::Dyn;

std::string row_name(const std::string& layer, const char* pass, const Setting& s) {
  return weft::concat(layer, "/", pass, "/batch:", s.batch, "/tokens:", s.tokens, "/hidden:", s.hidden,
                      "/heads:", s.heads);
}

/// Registers the passes of a layer at one size. It is made anew for each: its gradients count as memory.
template <class Make>
void add_rows(const std::string& name, const Setting& s, const Operations& operations, Make make) {
  using Subject = decltype(make(s));
  const auto made = [=] {
    Subject subject = make(s);
    weft::Rng rng(3);
    subject.initialize(rng, 0.02);
    return subject;
  };
  const auto add = [&](const char* pass, auto body) {
    return benchmark::RegisterBenchmark(row_name(name, pass, s).c_str(), body)->UseManualTime();
  };
  add("forward", [=](benchmark::State& state) {
    forward(state, made(), s, operations);
  })->Unit(benchmark::kMillisecond);
  add("forward_backward", [=](benchmark::State& state) {
    forward_backward(state, made(), s, operations);
  })->Unit(benchmark::kMillisecond);
  if constexpr (requires(Subject subject) { subject.make_state(s.tokens); }) {
    if (!make(s).decodes()) return;
    add("decode", [=](benchmark::State& state) { decode(state, made(), s, operations); })
        ->Unit(benchmark::kMicrosecond)
        ->Iterations(50);
  }
}

template <class Options>
Options with_extents(Options options, const Setting& s) {
  options.hidden_size = s.hidden;
  options.heads = s.heads;
  if constexpr (requires { options.key_value_heads; }) {
    options.key_value_heads = s.heads;
    options.head_dim = s.head_dim();
  }
  if constexpr (requires { options.intermediate_size; }) options.intermediate_size = s.intermediate;
  return options;
}

template <class Layer, class Options>
void add_attention(const std::string& name, const Setting& s, const Operations& operations, const Options& options) {
  add_rows(name, s, operations,
           [=](const Setting& size) { return AttentionSubject<Layer>{Layer(with_extents(options, size))}; });
}

void add_gin_attention(const Setting& s) {
  using Layer = weft::LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn>;
  weft::LlamaAttentionGINOptions plain;
  plain.multiplier = 0.5;
  const Operations aggregation = pair_products(s, 1) + gin_networks(s, plain.multiplier);
  const Operations attention = projections(s, 2) + pair_products(s, 1) + aggregation;
  add_attention<Layer>("gin", s, attention, plain);

  auto threshold = plain;
  threshold.threshold.mode = weft::ThresholdMode::silu;
  add_attention<Layer>("gin_threshold_silu", s, attention, threshold);

  auto differential = plain;
  differential.use_differential_attention = true;
  differential.layer_idx = 0;
  add_attention<Layer>("gin_differential", s, attention + projections(s, 2) + pair_products(s, 1), differential);

  auto scoring = plain;
  scoring.use_scoring_fnct = true;
  const auto inner = static_cast<double>(scoring.scoring_hidden_dim);
  const Operations scores{2 * static_cast<double>(s.hidden) * inner, static_cast<double>(s.heads) * inner};
  add_attention<Layer>("gin_scoring", s, scores + aggregation, scoring);
}

void add_pna_attention(const Setting& s) {
  const weft::LlamaAttentionPNAOptions options;
  const Operations operations = projections(s, 4) + pair_products(s, 3) + pna_networks(s, options.multiplier);
  add_attention<weft::LlamaAttentionPNA<Dyn, Dyn, Dyn, Dyn>>("pna", s, operations, options);
  add_attention<weft::LlamaAttentionPNA_LM<Dyn, Dyn, Dyn, Dyn>>("pna_lm", s, operations, options);
}

/// Groups of 8 and of 32 tokens.
void add_coarse_attention(const Setting& s) {
  weft::CGAttentionOptions groups;
  weft::CGAttentionInterpolateOptions mixed;
  groups.perceiver.hidden_size = s.hidden;
  groups.perceiver.heads = s.heads;
  groups.perceiver.max_position_embeddings = s.tokens;
  mixed.perceiver = groups.perceiver;
  Operations levels, mixed_levels;
  for (const Index size : {8, 32}) {
    const Index latents = (s.tokens + size - 1) / size;
    groups.num_latents_list.push_back(latents);
    levels = levels + coarse_level(s, latents);
    mixed_levels = mixed_levels + projections(s, 4) + pair_products(s, 2);
  }
  mixed.num_latents_list = groups.num_latents_list;
  using Coarse = weft::CG_Attention<Dyn, Dyn>;
  using Interpolate = weft::CG_Attention_Interpolate<Dyn, Dyn>;
  add_rows("cg_attention", s, levels, [=](const Setting&) { return AttentionSubject<Coarse>{Coarse(groups)}; });
  add_rows("cg_attention_interpolate", s, mixed_levels,
           [=](const Setting&) { return AttentionSubject<Interpolate>{Interpolate(mixed)}; });
}

template <class Block, class Options>
auto make_block(const Options& options) {
  return [=](const Setting& size) {
    return AdjacencySubject<Block>{DenseWeights(size), Block(with_extents(options, size))};
  };
}

template <class Block, class Options>
auto make_decoding_block(const Options& options) {
  return [=](const Setting& size) {
    return DecodingAdjacencySubject<Block>{{DenseWeights(size), Block(with_extents(options, size))}};
  };
}

void add_mlps(const Setting& s) {
  add_rows("mlp", s, gated_block(s), [](const Setting& size) {
    using Layer = weft::LlamaMLP<Dyn, Dyn>;
    return TokenSubject<Layer>{Layer(weft::Activation::silu, false, size.hidden, size.intermediate)};
  });

  const Operations weights = attention_weights(s);
  const auto inner = static_cast<double>(s.intermediate);
  const double head_inner = inner / static_cast<double>(s.heads);
  add_rows("mlp_halfway_gin", s, weights + gated_block(s) + Operations{0, inner},
           make_decoding_block<weft::LlamaMLP_HalfwayGIN<Dyn, Dyn, Dyn>>(weft::AdjacencyMLPOptions()));
  add_rows("mlp_multi_hop", s, weights + gated_block(s) + pair_products(s, 3),
           make_decoding_block<weft::LlamaMLP_MultiHop<Dyn, Dyn, Dyn>>(weft::AdjacencyMLPOptions()));
  // Its softmax sees later tokens too, faintly (FutureMask::soft_log).
  add_rows("mlp_multi_aggregation", s, weights + gated_block(s) + Operations{7 * inner * head_inner, inner, 2 * inner},
           make_block<weft::LlamaMLP_HalfwayGIN_MultiAggregation<Dyn, Dyn, Dyn>>(weft::MultiAggregationOptions()));
  weft::MultiAggregationOptions hard;
  hard.multiagg_future_mask = weft::FutureMask::hard;
  add_rows("mlp_multi_aggregation_hard", s, weights + gated_block(s) + Operations{7 * inner * head_inner, 3 * inner},
           make_decoding_block<weft::LlamaMLP_HalfwayGIN_MultiAggregation<Dyn, Dyn, Dyn>>(hard));
}

void add_graph_network(const Setting& s) {
  const auto add = [&](const char* name, weft::EdgeDirection direction) {
    add_rows(name, s, GraphSubject::operations(s), [=](const Setting& size) { return GraphSubject(size, direction); });
  };
  add("graph_gin_reference", weft::EdgeDirection::reference);
  add("graph_gin_key_to_query", weft::EdgeDirection::key_to_query);
}

void add_layers(const Setting& s) {
  const weft::LlamaAttentionOptions options;
  add_attention<weft::LlamaAttention<Dyn, Dyn, Dyn, Dyn>>("attention", s, projections(s, 4) + pair_products(s, 2),
                                                          options);
  add_gin_attention(s);
  add_pna_attention(s);
  add_coarse_attention(s);
  add_mlps(s);
  add_graph_network(s);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Settings settings = bench::read_settings(argc, argv);
  weft::set_threads(settings.threads);
  settings.for_each(add_layers);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
