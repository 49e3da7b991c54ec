// SPDX-License-Identifier: Apache-2.0
// The examples of docs/layers.md for the elementary layers and the feed-forward blocks.
#include "weft/layers/checkpointed.hpp"
#include "weft/layers/dropout.hpp"
#include "weft/layers/embedding.hpp"
#include "weft/layers/layer_norm.hpp"
#include "weft/layers/linear.hpp"
#include "weft/layers/rms_norm.hpp"
#include "weft/mlp/any_mlp.hpp"
#include "weft/mlp/llama_mlp.hpp"
#include "weft/mlp/llama_mlp_halfway_gin.hpp"
#include "weft/mlp/llama_mlp_multi_aggregation.hpp"
#include "weft/mlp/llama_mlp_multi_hop.hpp"
#include "weft/mlp/llama_simple_mlp.hpp"
#include "weft/mlp/no_mlp.hpp"
#include "weft/ops/sum/sum.hpp"

#include "support/layer_inputs.hpp"

namespace {

auto extents(weft::Inference& context, weft::Rng& rng, const Hidden& x) {
  weft::Linear<8, 16> typed;                  // shapes checked by the compiler
  weft::Linear<weft::Dyn, 16> open(true, 8);  // with a bias; the input's width is told at run time
  typed.initialize(rng, 0.02);
  open.initialize(rng, 0.02);
  const auto y = open(context, x, typed(context, x));  // the last argument is added: a residual
  return y;
}

auto linear(weft::Inference& context, weft::Rng& rng, const Hidden& x) {
  weft::Linear<8, 16> up;
  weft::Linear<16, 8> down;
  up.initialize(rng, 0.02);
  down.initialize(rng, 0.02);
  const auto y = down(context, up(context, x), x);  // W₂ W₁ x + x
  return y;
}

auto embedding(weft::Inference& context, weft::Rng& rng) {
  weft::Embedding<256, 8> embedding;
  embedding.initialize(rng, 0.02);
  weft::Tensor<std::int32_t, weft::Shape<1, 3>> ids;
  ids.assign(std::vector<std::int32_t>{7, 0, 255});
  const auto y = embedding(context, ids);  // [1, 3, 8]
  return y;
}

auto rms_norm(weft::Inference& context, const Hidden& x) {
  const weft::RMSNorm<8> norm(1e-6);
  const auto y = norm(context, x);
  return y;
}

auto layer_norm(weft::Inference& context, const Hidden& x) {
  const weft::LayerNorm<8> norm;
  const auto y = norm(context, x);
  return y;
}

auto dropout(weft::Tape& tape, const Hidden& x) {
  const weft::Dropout drop(0.1);
  tape.enable_dropout(weft::Rng{7});  // without it, and in an Inference, x comes back
  const auto y = drop(tape, x);
  return y;
}

auto rotary_embedding() {
  const weft::RotaryEmbedding rotary(4, 500000, 2048, {.type = weft::RopeType::linear, .factor = 2});
  const std::vector<weft::Index> positions{0, 1, 2, 3};
  weft::Tensor<float, weft::Shape<1, 4, 4>> cos;
  weft::Tensor<float, weft::Shape<1, 4, 4>> sin;
  rotary.fill<float>(positions, cos.data(), sin.data());
  return cos;
}

auto checkpointed(weft::Tape& tape, weft::Rng& rng, const Hidden& x) {
  const weft::RMSNorm<8> norm;
  weft::Checkpointed<weft::LlamaMLP<8, 16>> mlp;
  mlp.initialize(rng, 0.02);
  const auto y = mlp(tape, norm(tape, x));  // keeps the input and the result of the block alone
  tape.backward(weft::sum(tape, y));        // computes the rest again
  return y;
}

auto llama_mlp(weft::Inference& context, weft::Rng& rng, const Hidden& x) {
  weft::LlamaMLP<8, 16> mlp(weft::Activation::silu);
  mlp.initialize(rng, 0.02);
  const auto y = mlp(context, x, x);  // x + MLP(x)
  return y;
}

auto simple_mlp(weft::Inference& context, weft::Rng& rng, const Hidden& x) {
  weft::LlamaSimpleMLP<8> mlp(weft::Activation::relu, true);
  mlp.initialize(rng, 0.02);
  const auto y = mlp(context, x);
  return y;
}

auto shallow_mlp(weft::Inference& context, weft::Rng& rng, const Hidden& x) {
  weft::ShallowLlamaMLP<8, 16> mlp(weft::Activation::gelu);
  mlp.initialize(rng, 0.02);
  const auto y = mlp(context, x, x);
  return y;
}

auto no_mlp(weft::Inference& context, const Hidden& x) {
  const weft::NoMLP mlp;
  const auto y = mlp(context, x, x);  // x + x
  return y;
}

auto any_mlp(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Weights& weights) {
  weft::AnyMLP<weft::LlamaMLP<8, 16>, weft::LlamaMLP_HalfwayGIN<8, 16, 2>> mlp(weft::LlamaMLP_HalfwayGIN<8, 16, 2>{});
  mlp.initialize(rng, 0.02);
  const auto y = mlp(context, x, weights, x);
  return y;
}

auto halfway_gin(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Weights& weights) {
  weft::LlamaMLP_HalfwayGIN<8, 16, 2> mlp;
  mlp.initialize(rng, 0.02);
  const auto y = mlp(context, x, weights, x);
  return y;
}

auto multi_hop(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Weights& weights) {
  weft::LlamaMLP_MultiHop<8, 16, 2> mlp({.bias = true});
  mlp.initialize(rng, 0.02);
  auto cache = mlp.make_cache(2, 32);
  const auto y = mlp.decode(context, x, weights, cache);  // the same as mlp(context, x, weights), and remembered
  return y;
}

auto multi_aggregation(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Weights& weights) {
  weft::LlamaMLP_HalfwayGIN_MultiAggregation<8, 16, 2> mlp(
      {.multiagg_future_mask = weft::FutureMask::hard, .multiagg_max = weft::MultiAggregationMax::neighbours});
  mlp.initialize(rng, 0.02);
  const auto y = mlp(context, x, weights);
  return y;
}

}  // namespace

int main() {
  weft::Rng rng{42};
  weft::Inference context;
  weft::Tape tape;
  const Hidden x = random_hidden(rng.next_stream());
  const Weights weights = even_weights();

  Results results;
  results.show("extents", extents(context, rng, x));
  results.show("Linear", linear(context, rng, x));
  results.show("Embedding", embedding(context, rng));
  results.show("RMSNorm", rms_norm(context, x));
  results.show("LayerNorm", layer_norm(context, x));
  results.show("Dropout", dropout(tape, x));
  results.show("RotaryEmbedding", rotary_embedding());
  results.show("Checkpointed", checkpointed(tape, rng, x));
  results.show("LlamaMLP", llama_mlp(context, rng, x));
  results.show("LlamaSimpleMLP", simple_mlp(context, rng, x));
  results.show("ShallowLlamaMLP", shallow_mlp(context, rng, x));
  results.show("NoMLP", no_mlp(context, x));
  results.show("AnyMLP", any_mlp(context, rng, x, weights));
  results.show("LlamaMLP_HalfwayGIN", halfway_gin(context, rng, x, weights));
  results.show("LlamaMLP_MultiHop", multi_hop(context, rng, x, weights));
  results.show("LlamaMLP_HalfwayGIN_MultiAggregation", multi_aggregation(context, rng, x, weights));
  return results.status();
}
