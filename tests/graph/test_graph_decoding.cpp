// SPDX-License-Identifier: Apache-2.0
// A graph network between tokens, one token after the other.
#include "graph/adapter_inputs.hpp"
#include "ops/op_checks.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Maps = Shape<Dyn, Dyn, Dyn, Dyn>;
using Hidden = Shape<Dyn, Dyn, Dyn>;

constexpr Index kTokens = 7;
constexpr GraphType kTypes[] = {GraphType::causal_gin, GraphType::causal_gcn, GraphType::causal_recombination,
                                GraphType::causal_pna};

/// Two texts, of which the first begins with `padding` tokens of padding.
template <class T>
struct Text {
  Tensor<T, Hidden> z = random_tensor<T>(Hidden(2, kTokens, 4), 1);
  Tensor<T, Maps> weights = causal_weights<T>(2, 2, kTokens);
  Index padding = 0;

  std::vector<std::int32_t> mask(Index tokens) const {
    std::vector<std::int32_t> valid(static_cast<std::size_t>(2 * tokens), 1);
    std::fill_n(valid.begin(), std::min(padding, tokens), 0);
    return valid;
  }
  static AttentionInputs<T> inputs(const std::vector<std::int32_t>& valid) {
    AttentionInputs<T> inputs;
    inputs.causal = true;
    inputs.key_valid = valid.data();
    return inputs;
  }
  Tensor<T, Hidden> part(Index begin, Index count) const {
    Tensor<T, Hidden> rows(Hidden(2, count, 4));
    for (Index b = 0; b < 2; ++b) std::copy_n(&z(b, begin, 0), count * 4, &rows(b, 0, 0));
    return rows;
  }
  Tensor<T, Maps> rows(Index begin, Index count) const {
    Tensor<T, Maps> last(Maps(2, 2, count, begin + count));
    for (Index row = 0; row < 4 * count; ++row) {
      const T* from = weights.data() + (row / count * kTokens + begin + row % count) * kTokens;
      std::copy_n(from, begin + count, last.data() + row * (begin + count));
    }
    return last;
  }
};

/// The largest relative difference between a whole text and the same from a cache: `split` tokens at once, then one by one.
template <class T>
double largest_decoding_error(const GraphAdapter<Dyn, T>& adapter, const Text<T>& text, Index split) {
  const auto all = text.mask(kTokens);
  Inference whole, context;
  const auto expected = adapter(whole, text.z, text.weights, text.inputs(all));
  auto cache = adapter.make_cache(2, kTokens + 2);
  double worst = 0;
  while (cache.length() < kTokens) {
    const Index begin = cache.length();
    const Index count = begin == 0 && split > 0 ? split : 1;
    const auto valid = text.mask(begin + count);
    context.reset();
    const auto y = adapter.decode(context, text.part(begin, count), text.rows(begin, count), text.inputs(valid), cache);
    REQUIRE(cache.length() == begin + count);
    for (Index i = 0; i < y.size(); ++i) {
      const Index b = i / (count * 4), t = begin + i / 4 % count;
      if (b == 0 && t < text.padding) continue;
      const double want = expected(b, t, i % 4);
      worst = std::max(worst, std::abs(y.data()[i] - want) / std::max(1.0, std::abs(want)));
    }
  }
  return worst;
}

GraphAdapterOptions options_of(GraphType type, bool per_head) {
  auto options = adapter_options();
  options.gnn.type = type;
  options.gnn.num_layers = 2;
  options.gnn.pna.form = PNAForm::corrected;
  options.gnn.gin.norm = GraphNormKind::layer;
  options.per_head = options.per_head_ff = per_head;
  options.edge_direction = EdgeDirection::key_to_query;
  return options;
}

/// Checks an adapter of every kind of layers, with one network and one for each head, changed by `change`.
template <class Change>
void check_decoding(Change&& change) {
  for (const auto type : kTypes) {
    for (const bool per_head : {false, true}) {
      auto options = options_of(type, per_head);
      change(options);
      CAPTURE(int(type), per_head);
      GraphAdapter<Dyn, double> adapter(options);
      randomize_parameters(adapter, 3, 0.7);
      GraphAdapter<Dyn, float> narrow(options);
      randomize_parameters(narrow, 3, 0.7);
      REQUIRE(adapter.incremental());
      for (Index split = 0; split <= kTokens; ++split) {
        CHECK(largest_decoding_error(adapter, Text<double>{}, split) < 1e-12);
        CHECK(largest_decoding_error(narrow, Text<float>{}, split) < 1e-5);
      }
    }
  }
}

}  // namespace

TEST_CASE("Key to query, every kind of graph network decodes what it computes of a whole text") {
  check_decoding([](GraphAdapterOptions&) {});
  check_decoding([](GraphAdapterOptions& options) {
    options.adjacency.zero_below_epsilon = false;
    options.adjacency.enforce_causality = false;  // the filter of edges keeps it
    options.gnn.gin.norm = GraphNormKind::instance;
  });
  check_decoding([](GraphAdapterOptions& options) {
    options.adjacency.method = AdjacencyMethod::learnable_aggregate;
    options.learnable_softmax = false;
  });
}

TEST_CASE("In the reference's direction, what a token hears of earlier ones does not depend on them") {
  check_decoding([](GraphAdapterOptions& options) {
    options.edge_direction = EdgeDirection::reference;
    options.adjacency.enforce_causality = false;
    options.adjacency.epsilon_threshold = 0.2;  // sigmoid(-0.9), what is left of hidden pairs, is above
  });
  check_decoding([](GraphAdapterOptions& options) {
    options.edge_direction = EdgeDirection::reference;
    options.adjacency.method = AdjacencyMethod::learnable_aggregate;
    options.learnable_softmax = false;
  });
  auto options = options_of(GraphType::causal_recombination, false);
  options.edge_direction = EdgeDirection::reference;
  options.adjacency.method = AdjacencyMethod::learnable_aggregate;
  options.adjacency.enforce_causality = false;
  options.adjacency.epsilon_threshold = 0.2;
  GraphAdapter<Dyn, double> adapter(options);
  randomize_parameters(adapter, 3, 0.7);
  REQUIRE(adapter.incremental());
  CHECK(largest_decoding_error(adapter, Text<double>{}, 3) < 1e-12);
}

TEST_CASE("A network that reads the diagonal keeps nothing and decodes from whole rows as well") {
  auto options = options_of(GraphType::causal_gin, false);
  options.edge_direction = EdgeDirection::reference;
  GraphAdapter<Dyn, double> adapter(options);
  randomize_parameters(adapter, 3, 0.7);
  CHECK(adapter.cache_width() == 0);
  for (const Index split : {0, 3, 7}) CHECK(largest_decoding_error(adapter, Text<double>{}, split) < 1e-12);
}

TEST_CASE("Padding in front of a text does not disturb the decoding of a graph network") {
  for (const auto type : kTypes) {
    auto options = options_of(type, true);
    options.adjacency.respects_mask = true;
    GraphAdapter<Dyn, double> adapter(options);
    randomize_parameters(adapter, 3, 0.7);
    Text<double> text;
    text.padding = 3;
    for (const Index split : {0, 2, 5}) CHECK(largest_decoding_error(adapter, text, split) < 1e-12);
  }
}

TEST_CASE("What is taken over a whole text cannot be decoded") {
  const auto incremental = [](auto&& change) {
    auto options = options_of(GraphType::causal_gin, false);
    change(options);
    return GraphAdapter<Dyn, double>(options).incremental();
  };
  CHECK(incremental([](auto&) {}));
  CHECK_FALSE(incremental([](auto& o) { o.norm_to_hidden_states = true; }));
  CHECK_FALSE(incremental([](auto& o) { o.adjacency.use_distance_scaling = true; }));
  CHECK_FALSE(incremental([](auto& o) { o.adjacency.method = AdjacencyMethod::learnable_aggregate; }));
  CHECK_FALSE(incremental([](auto& o) { o.gnn.gin.norm = GraphNormKind::graph; }));
  CHECK(incremental([](auto& o) {
    o.gnn.gin.norm = GraphNormKind::graph;  // of a network that is not there
    o.gnn.gin.use_mlp = false;
  }));
  auto options = options_of(GraphType::causal_gin, false);
  options.norm_to_hidden_states = true;
  const GraphAdapter<Dyn, double> adapter(options);
  const Text<double> text;
  const auto valid = text.mask(kTokens);
  auto cache = adapter.make_cache(2, kTokens);
  Inference context;
  CHECK_THROWS_WITH(
      adapter.decode(context, text.z, text.weights, text.inputs(valid), cache),
      "GraphAdapter: later tokens change what these networks make of earlier ones; run them on the whole text");
}

TEST_CASE("A cache of a graph network refuses tokens that do not fit, and a step with it allocates nothing") {
  const Text<double> text;
  for (const auto type : kTypes) {
    GraphAdapter<Dyn, double> adapter(options_of(type, true));
    randomize_parameters(adapter, 3, 0.7);
    auto cache = adapter.make_cache(2, kTokens);
    const auto valid = text.mask(kTokens);
    const auto first = text.part(0, kTokens - 1), second = text.part(kTokens - 1, 1);
    const auto first_rows = text.rows(0, kTokens - 1), second_rows = text.rows(kTokens - 1, 1);
    const auto first_valid = text.mask(kTokens - 1);
    Inference context;
    adapter.decode(context, first, first_rows, text.inputs(first_valid), cache);
    const auto step = [&] {
      context.reset();
      adapter.decode(context, second, second_rows, text.inputs(valid), cache);
      cache.advance(-1);
    };
    for (int warm = 0; warm < 3; ++warm) step();
    const auto before = allocations();
    for (int again = 0; again < 3; ++again) step();
    CHECK(allocations() == before);
    CHECK_THROWS_WITH(adapter.decode(context, first, first_rows, text.inputs(first_valid), cache),
                      "GraphAdapter: the cache is made for 2 texts of 7 tokens, 6 of them taken; found 6 new ones of 2 "
                      "texts");
  }
}
