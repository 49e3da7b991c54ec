// SPDX-License-Identifier: Apache-2.0
// What every feed-forward block promises beside its values.
#include "weft/mlp/llama_mlp.hpp"
#include "weft/mlp/llama_mlp_halfway_gin.hpp"
#include "weft/mlp/llama_mlp_multi_aggregation.hpp"
#include "weft/mlp/llama_mlp_multi_hop.hpp"
#include "weft/mlp/llama_simple_mlp.hpp"
#include "weft/mlp/no_mlp.hpp"

#include "support/layer_checks.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Rows = Shape<Dyn, Dyn, Dyn>;
using Maps = Shape<Dyn, Dyn, Dyn, Dyn>;

/// All promises of a block on states of width 12 alone.
template <class Layer>
void check_mlp(Layer layer) {
  randomize_parameters(layer, 3, 0.5);
  const auto run = [&](auto& context, const auto& x, const auto& residual) { return layer(context, x, residual); };
  auto x = random_tensor<float>(Rows(2, 150, 12), 1), residual = random_tensor<float>(Rows(2, 150, 12), 2);
  check_promises(run, layer, x, residual);
  auto text = random_tensor<float>(Rows(1, 5, 12), 3);
  CHECK(looks_only_back([&](auto& context, const auto& in) { return layer(context, in, in); }, text));
  auto token = random_tensor<float>(Rows(1, 1, 12), 4);
  CHECK(stays_finite(run, layer, token, token));
}

/// Positive below the diagonal, zeros above, some rows without an edge.
Tensor<float, Maps> lower_triangle(Index batch, Index heads, Index tokens) {
  auto a = random_tensor<float>(Maps(batch, heads, tokens, tokens), 5, 0.2);
  for (Index i = 0; i < a.size(); ++i) {
    const Index row = i / tokens % tokens, column = i % tokens;
    a.data()[i] = column > row || row % 7 == 3 ? 0 : std::abs(a.data()[i]) + 0.01F;
  }
  return a;
}

/// All promises of a block on states of width 12 and an adjacency.
template <class Layer, class Options>
void check_adjacency_mlp(Options options, bool incremental = true) {
  for (const Index heads : {1, 2}) {
    options.hidden_size = 12;
    options.intermediate_size = 10;
    options.heads = heads;
    Layer layer(options);
    randomize_parameters(layer, 3, 0.5);
    const auto run = [&](auto& context, const auto& x, const auto& a) { return layer(context, x, a); };
    auto x = random_tensor<float>(Rows(2, 70, 12), 1);
    auto edges = lower_triangle(2, heads, 70);
    check_promises(run, layer, x, edges);
    auto text = random_tensor<float>(Rows(1, 5, 12), 3, 30);
    const auto few = lower_triangle(1, heads, 5);
    CHECK(looks_only_back([&](auto& context, const auto& in) { return layer(context, in, few); }, text) == incremental);
    auto token = random_tensor<float>(Rows(1, 1, 12), 4);
    Tensor<float, Maps> nothing(Maps(1, heads, 1, 1));
    std::fill_n(nothing.data(), heads, 0.0F);
    CHECK(stays_finite(run, layer, token, nothing));
  }
}

}  // namespace

TEST_CASE("feed-forward blocks without an adjacency keep every promise") {
  check_mlp(LlamaMLP<Dyn, Dyn>(Activation::silu, true, 12, 20));
  check_mlp(LlamaSimpleMLP<Dyn>(Activation::gelu, true, 12));
  check_mlp(ShallowLlamaMLP<Dyn, Dyn>(Activation::silu, false, 12, 20));
  check_mlp(NoMLP());
}

TEST_CASE("feed-forward blocks with an adjacency keep every promise") {
  for (const bool bias : {false, true}) {
    check_adjacency_mlp<LlamaMLP_HalfwayGIN<Dyn, Dyn, Dyn>>(AdjacencyMLPOptions{.bias = bias});
    check_adjacency_mlp<LlamaMLP_MultiHop<Dyn, Dyn, Dyn>>(AdjacencyMLPOptions{.bias = bias});
  }
}

TEST_CASE("the feed-forward block of several aggregates keeps every promise, causality under the hard mask alone") {
  using Layer = LlamaMLP_HalfwayGIN_MultiAggregation<Dyn, Dyn, Dyn>;
  for (const auto max : {MultiAggregationMax::self, MultiAggregationMax::neighbours}) {
    check_adjacency_mlp<Layer>(MultiAggregationOptions{.multiagg_future_mask = FutureMask::hard, .multiagg_max = max});
    check_adjacency_mlp<Layer>(MultiAggregationOptions{.multiagg_max = max}, false);
  }
}

TEST_CASE("the derivatives of the gated block agree with finite differences, static and dynamic") {
  auto x = random_tensor<double>(Shape<2, 3, 4>(), 1);
  auto residual = random_tensor<double>(Rows(2, 3, 4), 2);
  const auto check = [&](auto layer) {
    randomize_parameters(layer, 3, 0.5);
    const auto run = [&](auto& context, auto& in, auto& r) { return layer(context, in, r); };
    return gradcheck(run, std::tie(x, residual), layer).passed && gradcheck(run, std::tie(residual, x), layer).passed;
  };
  CHECK(check(LlamaMLP<4, 6, double>()));
  CHECK(check(LlamaMLP<Dyn, Dyn, double>(Activation::gelu, true, 4, 6)));
  CHECK(check(NoMLP()));
}
