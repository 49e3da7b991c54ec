// SPDX-License-Identifier: Apache-2.0
// How fast and how large is a training step? The two models of bench/peers/train_torch.py: forward, backward, clipping and
// AdamW. tokens/s, useful operations (every matrix product, attention below the diagonal only) as a share of the
// multiply-add peak measured here, and the memory of the process so far (run one model at a time to compare it).
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include "weft/weft.hpp"

#include "machine.hpp"

namespace {

using namespace weft;

struct GIN560 {
  static constexpr LlamaConfig llama{.vocab_size = 300,
                                     .hidden_size = 560,
                                     .intermediate_size = 512,
                                     .num_hidden_layers = 6,
                                     .num_attention_heads = 8,
                                     .rms_norm_eps = 1e-5};
  static constexpr GNNConfig gnn{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN,
                                 .attention_GIN_MLP_multiplier = 0.5,
                                 .use_sharpening = true,
                                 .dropout_rate = 0};
  static constexpr Index batch = 8;
  static constexpr Index tokens = 256;
};

struct Llama128 {
  static constexpr LlamaConfig llama{.vocab_size = 256,
                                     .hidden_size = 128,
                                     .intermediate_size = 344,
                                     .num_hidden_layers = 4,
                                     .num_attention_heads = 4,
                                     .rms_norm_eps = 1e-5};
  static constexpr GNNConfig gnn{};
  static constexpr Index batch = 16;
  static constexpr Index tokens = 128;
};

/// Floating-point operations of the matrix products of one forward pass, for one token.
template <class Config>
double operations_per_token() {
  const auto& c = Config::llama;
  const double hidden = c.hidden_size;
  const double projections = (Config::gnn.use_GNN_from_attention == GNNFromAttention::none ? 4 : 2) * hidden * hidden;
  const double gin = Config::gnn.use_GNN_from_attention == GNNFromAttention::none
                         ? 0
                         : 2.0 * hidden * Config::gnn.gin_hidden_dim(c.head_size());
  const double attention = 2 * hidden * (static_cast<double>(Config::tokens) + 1) / 2;
  const double mlp = 3 * hidden * c.intermediate_size;
  return 2 * (c.num_hidden_layers * (projections + gin + attention + mlp) + hidden * c.vocab_size);
}

template <class Config, bool IsCheckpointed>
auto make_model() {
  using Types = LlamaTypes<Config>;
  using Block = std::conditional_t<IsCheckpointed, Checkpointed<typename Types::Layer>, typename Types::Layer>;
  using Layers = Stack<Block, Config::llama.num_hidden_layers>;
  const auto make = [](int) { return Block(make_decoder_layer<Config>(Config::llama, Config::gnn)); };
  CausalLM<Vocab<Config::llama.vocab_size>, Layers> model(Layers(make), model_options(Config::llama));
  Rng rng(1);
  model.initialize(rng);
  return model;
}

template <class Config, bool IsCheckpointed>
void training_step(benchmark::State& state) {
  auto model = make_model<Config, IsCheckpointed>();
  std::vector<std::int32_t> text(static_cast<std::size_t>(64 * Config::batch * Config::tokens));
  const Rng rng(2);
  for (std::size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<std::int32_t>(rng.below(i, static_cast<std::uint32_t>(Config::llama.vocab_size)));
  }
  TokenDataset data(std::move(text), {.block_size = Config::tokens});
  Trainer trainer(model,
                  {.learning_rate = 1e-4, .batch_size = Config::batch, .max_steps = 1'000'000, .weight_decay = 0.01});
  for (int warm = 0; warm < 3; ++warm) trainer.step(data);
  double best = 0;
  for (auto _ : state) best = std::max(best, trainer.step(data).tokens_per_second);

  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double peak = bench::fma_peak();
  state.counters["tokens/s"] = best;
  state.counters["share_of_peak"] = best * 3 * operations_per_token<Config>() / peak;
  state.counters["peak_GFLOP/s"] = peak * 1e-9;
  state.counters["threads"] = thread_count();
  state.counters["process_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;
  state.counters["parameters"] = static_cast<double>(count_parameters(model));
}

BENCHMARK(training_step<GIN560, false>)->Name("training_step/gin560")->Unit(benchmark::kMillisecond)->Iterations(10);
BENCHMARK(training_step<GIN560, true>)
    ->Name("training_step/gin560_checkpointed")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(6);
BENCHMARK(training_step<Llama128, false>)
    ->Name("training_step/llama128")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(40);

}  // namespace
