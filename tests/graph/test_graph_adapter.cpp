// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"

#include "graph/adapter_inputs.hpp"
#include "ops/op_checks.hpp"
#include "support/layer_checks.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("Derivatives of the adapter agree with finite differences in every mode") {
  auto z = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 3, 4), 1);
  auto weights = causal_weights<double>(2, 2, 3);
  for (int choice = 0; choice < 8; ++choice) {
    auto options = adapter_options();
    options.per_head = (choice & 1) != 0;
    options.per_head_ff = options.per_head;
    options.norm_to_hidden_states = (choice & 2) != 0;
    options.edge_direction = (choice & 2) != 0 ? EdgeDirection::key_to_query : EdgeDirection::reference;
    options.adjacency.method = (choice & 4) != 0 ? AdjacencyMethod::learnable_aggregate : AdjacencyMethod::sum;
    options.learnable_softmax = options.per_head;
    GraphAdapter<Dyn, double> adapter(options);
    randomize_parameters(adapter, 3, 0.7);
    const auto apply = [&](auto& context, auto& x, auto& w) { return adapter(context, x, w, causal_inputs()); };
    const auto result = gradcheck(apply, std::tie(z, weights), adapter);
    INFO(choice << ' ' << result.message);
    CHECK(result.passed);
  }
}

TEST_CASE("In the reference's direction a causal adapter works token by token") {
  auto z = random_tensor<double>(Shape<1, 5, 4>(), 1);
  auto weights = causal_weights<double>(1, 2, 5);
  auto options = adapter_options();
  options.adjacency.zero_below_epsilon = false;
  for (const auto direction : {EdgeDirection::reference, EdgeDirection::key_to_query}) {
    options.edge_direction = direction;
    GraphAdapter<4, double> adapter(options);
    randomize_parameters(adapter, 3, 0.7);
    Inference inference;
    const auto before = to_vector(adapter(inference, z, weights, causal_inputs()));
    z(0, 2, 1) += 1;
    const auto after = to_vector(adapter(inference, z, weights, causal_inputs()));
    CHECK(std::equal(before.begin(), before.begin() + 8, after.begin()));
    CHECK(std::equal(before.begin() + 12, before.end(), after.begin() + 12) == (direction == EdgeDirection::reference));
    const auto apply = [&](auto& context, auto& x, auto& w) { return adapter(context, x, w, causal_inputs()); };
    CHECK(gradcheck(apply, std::tie(z, weights), adapter).passed);  // with the width in the type
  }
}

TEST_CASE("Key to query, the sum over edges is the adjacency times the states") {
  auto options = adapter_options();
  options.edge_direction = EdgeDirection::key_to_query;
  options.gnn.type = GraphType::causal_gcn;
  options.gnn.activation = GraphActivation::relu;
  options.gnn.residual = false;
  options.gnn.hidden_dim = 4;
  options.use_layer_norm = false;
  options.lambda = 1;
  GraphAdapter<4, double> adapter(options);
  auto& linear = std::get<1>(adapter.gnn->convs[0]).linear;
  for (Index i = 0; i < 4; ++i) linear.weight.value()(i, i) = 1;
  auto z = random_tensor<double>(Shape<1, 6, 4>(), 1);
  for (double& value : z.span()) value = std::abs(value);
  const auto weights = causal_weights<double>(1, 2, 6);
  Inference inference;
  const auto edges = adapter.adjacency(inference, weights, causal_inputs());
  const auto y = adapter(inference, z, weights, causal_inputs());
  for (Index t = 0; t < 6; ++t) {
    for (Index f = 0; f < 4; ++f) {
      double expected = z(0, t, f);
      for (Index j = 0; j < 6; ++j) expected += edges(0, 0, t, j) * z(0, j, f);
      CHECK(y(0, t, f) == Approx(expected));
    }
  }
}

TEST_CASE("Reading only the diagonal changes nothing") {
  const auto z = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 9, 4), 1);
  const auto weights = causal_weights<float>(2, 2, 9);
  AttentionInputs<float> inputs;
  inputs.causal = true;
  for (const bool per_head : {false, true}) {
    auto options = adapter_options();
    options.per_head = per_head;
    GraphAdapter<Dyn> adapter(options);
    randomize_parameters(adapter, 3, 0.7);
    Inference inference;
    const auto edges = adapter.adjacency(inference, weights, inputs);
    CHECK(to_vector(adapter.apply(inference, z, edges, inputs, true)) ==
          to_vector(adapter.apply(inference, z, edges, inputs, false)));
  }
}

TEST_CASE("The diagonal of the weights is enough where an adapter says so") {
  const auto z = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 5, 4), 1);
  const auto weights = causal_weights<double>(2, 2, 5);
  Tensor<double, Shape<Dyn, Dyn, Dyn, Dyn>> diagonal(Shape<Dyn, Dyn, Dyn, Dyn>(2, 2, 5, 1));
  for (Index row = 0; row < 20; ++row) diagonal.data()[row] = weights.data()[row * 5 + row % 5];
  const std::int32_t key_valid[] = {0, 1, 1, 1, 1, 1, 1, 1, 1, 0};
  auto inputs = causal_inputs();
  inputs.key_valid = key_valid;
  Inference inference;
  for (const auto method : {AdjacencyMethod::mean, AdjacencyMethod::sum, AdjacencyMethod::threshold_any}) {
    for (int choice = 0; choice < 8; ++choice) {
      auto options = adapter_options();
      options.per_head = (choice & 1) != 0;
      options.adjacency.method = method;
      options.adjacency.use_distance_scaling = (choice & 2) != 0;
      options.adjacency.respects_mask = options.adjacency.remove_self_connections = (choice & 4) != 0;
      options.gnn.type = (choice & 4) != 0 ? GraphType::causal_gcn : GraphType::causal_gin;
      GraphAdapter<Dyn, double> adapter(options);
      randomize_parameters(adapter, 3, 0.7);
      CHECK(adapter.reads_diagonal());
      CHECK(adapter.incremental() == !options.adjacency.use_distance_scaling);
      CHECK(to_vector(adapter(inference, z, diagonal, inputs)) == to_vector(adapter(inference, z, weights, inputs)));
    }
  }
  auto options = adapter_options();
  GraphAdapter<Dyn, double> reading(options);
  auto z_in = z.clone();
  const auto apply = [&](auto& context, auto& x, auto& d) { return reading(context, x, d, inputs); };
  randomize_parameters(reading, 3, 0.7);
  CHECK(gradcheck(apply, std::tie(z_in, diagonal), reading).passed);
  options.edge_direction = EdgeDirection::key_to_query;
  const GraphAdapter<Dyn, double> between(options);
  CHECK_FALSE(between.reads_diagonal());
  CHECK_THROWS_WITH(between(inference, z, diagonal, inputs),
                    Catch::Matchers::ContainsSubstring("or its diagonal [batch, maps, tokens, 1] where"));
}

TEST_CASE("Additional edges lie behind the causal cut, and one matrix serves all heads of a learned adjacency") {
  const auto weights = causal_weights<double>(2, 2, 3);
  auto options = adapter_options();
  GraphAdapter<Dyn, double> single(options);
  Tensor<double, Shape<Dyn, Dyn, Dyn>> extra(Shape<Dyn, Dyn, Dyn>(2, 3, 3));
  extra(1, 0, 2) = 5;
  Inference inference;
  const auto edges = single.adjacency(inference, weights, causal_inputs(), extra);
  CHECK(edges(1, 0, 0, 2) == 1);
  CHECK(edges(0, 0, 0, 2) == 0);
  options.per_head = true;
  GraphAdapter<Dyn, double> apart(options);
  CHECK_THROWS_WITH(apart.adjacency(inference, weights, causal_inputs(), extra),
                    Catch::Matchers::ContainsSubstring("must have the shape of the result, [2, 2, 3, 3]"));
  options.adjacency.method = AdjacencyMethod::learnable_aggregate;
  const GraphAdapter<Dyn, double> learned(options);
  const auto shared = learned.adjacency(inference, weights, causal_inputs());
  REQUIRE(shared.extent(1) == 2);
  CHECK(to_vector(shared[1][0]) == to_vector(shared[1][1]));
}

TEST_CASE("A network that says nothing is brought to the size of the states, or divides 0 by 0 as in the reference") {
  const auto z = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 3, 4), 1);
  const auto weights = causal_weights<double>(1, 2, 3);
  auto options = adapter_options();
  options.norm_to_hidden_states = true;
  Inference inference;
  const GraphAdapter<Dyn, double> guarded(options);  // all parameters are 0, the network's result too
  CHECK(to_vector(guarded(inference, z, weights, causal_inputs())) == to_vector(z));
  options.norm_zero_guard = false;
  const GraphAdapter<Dyn, double> bare(options);
  for (const double value : to_vector(bare(inference, z, weights, causal_inputs()))) CHECK(std::isnan(value));
}

TEST_CASE("Packed sequences are refused where something is taken over a whole text") {
  const auto z = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 3, 4), 1);
  const auto weights = causal_weights<double>(1, 2, 3);
  auto inputs = causal_inputs();
  const std::int32_t first[] = {0, 1, 1};
  inputs.first_key = first;
  auto options = adapter_options();
  options.gnn.gin.norm = GraphNormKind::graph;
  const GraphAdapter<Dyn, double> adapter(options);
  Inference inference;
  CHECK_THROWS_WITH(adapter(inference, z, weights, inputs),
                    "GraphAdapter: the graph norm looks at a whole row and cannot tell packed sequences apart; give it "
                    "one sequence a row");
}

TEST_CASE("The scale grows from the first layer to the last") {
  auto options = adapter_options();
  options.lambda_initial = 0.1;
  options.layers = 3;
  options.layer_index = 1;
  CHECK(GraphAdapter<Dyn>(options).trainable_scale.data()[0] == Approx(0.3));
  options.lambda_initial.reset();
  CHECK(GraphAdapter<Dyn>(options).trainable_scale.data()[0] == Approx(0.5));
}

TEST_CASE("The adapter refuses what has no meaning") {
  auto options = adapter_options();
  options.add_rope = true;
  CHECK_THROWS_WITH((GraphAdapter<Dyn>(options)),
                    Catch::Matchers::ContainsSubstring("add_rope is supported for one head"));
  options.add_rope_per_head = true;
  CHECK_NOTHROW(GraphAdapter<Dyn>(options));
  options = adapter_options();
  options.per_head = true;
  options.heads = 3;
  CHECK_THROWS_WITH((GraphAdapter<Dyn>(options)), Catch::Matchers::ContainsSubstring("must be a multiple of heads"));
  options = adapter_options();
  options.gnn.type = GraphType::causal_pna;
  CHECK_THROWS_WITH((GraphAdapter<Dyn>(options)), Catch::Matchers::ContainsSubstring("PNAForm::corrected does"));
}

TEST_CASE("Rotary positions enter the network of one head") {
  auto options = adapter_options();
  options.heads = 1;
  options.add_rope = true;
  options.adjacency.method = AdjacencyMethod::mean;  // the first row's sum is 1, where the clamp of `sum` has a kink
  GraphAdapter<Dyn, double> adapter(options);
  randomize_parameters(adapter, 3, 0.7);
  auto z = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 3, 4), 1);
  auto weights = causal_weights<double>(1, 1, 3);
  Tensor<double, Shape<Dyn, Dyn, Dyn>> cos(Shape<Dyn, Dyn, Dyn>(1, 3, 4));
  Tensor<double, Shape<Dyn, Dyn, Dyn>> sin(Shape<Dyn, Dyn, Dyn>(1, 3, 4));
  for (Index t = 0; t < 3; ++t) {
    for (Index i = 0; i < 4; ++i) {
      const double angle = static_cast<double>(t) / (i % 2 == 0 ? 1 : 10);
      cos(0, t, i) = std::cos(angle);
      sin(0, t, i) = std::sin(angle);
    }
  }
  auto inputs = causal_inputs();
  inputs.cos = cos;
  inputs.sin = sin;
  const auto apply = [&](auto& context, auto& x, auto& w) { return adapter(context, x, w, inputs); };
  CHECK(gradcheck(apply, std::tie(z, weights), adapter).passed);
}

TEST_CASE("Rotary positions of several heads turn the channels of each") {
  auto options = adapter_options();
  options.edge_direction = EdgeDirection::key_to_query;
  options.adjacency.method = AdjacencyMethod::mean;
  GraphAdapter<Dyn, double> plain(options);
  randomize_parameters(plain, 3, 0.7);
  options.add_rope = options.add_rope_per_head = true;
  GraphAdapter<Dyn, double> turning(options);
  randomize_parameters(turning, 3, 0.7);
  auto z = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 3, 4), 1);
  auto weights = causal_weights<double>(2, 2, 3);
  const auto cos = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 3, 2), 7);
  const auto sin = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 3, 2), 8);
  auto inputs = causal_inputs();
  inputs.cos = cos;
  inputs.sin = sin;
  // (a, b) becomes (a cos₀ - b sin₀, b cos₁ + a sin₁) in each head, for the network alone.
  auto turned = z.clone();
  for (Index b = 0; b < 2; ++b) {
    for (Index t = 0; t < 3; ++t) {
      for (Index c = 0; c < 4; c += 2) {
        turned(b, t, c) = z(b, t, c) * cos(0, t, 0) - z(b, t, c + 1) * sin(0, t, 0);
        turned(b, t, c + 1) = z(b, t, c + 1) * cos(0, t, 1) + z(b, t, c) * sin(0, t, 1);
      }
    }
  }
  Inference inference;
  const auto y = to_vector(turning(inference, z, weights, inputs));
  const auto on_turned = to_vector(plain(inference, turned, weights, inputs));
  for (std::size_t i = 0; i < y.size(); ++i) {
    CHECK(y[i] == Approx(z.data()[i] + on_turned[i] - turned.data()[i]).margin(1e-12));
  }
  const auto apply = [&](auto& context, auto& x, auto& w) { return turning(context, x, w, inputs); };
  CHECK(gradcheck(apply, std::tie(z, weights), turning).passed);
}

TEST_CASE("The adapter keeps every promise in every mode, and is finite for one token and one text") {
  auto z = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 40, 4), 1);
  auto weights = causal_weights<double>(2, 2, 40);
  auto token = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 1, 4), 1);
  auto single = causal_weights<double>(1, 2, 1);
  for (int choice = 0; choice < 8; ++choice) {
    CAPTURE(choice);
    auto options = adapter_options();
    options.per_head = (choice & 1) != 0;
    options.per_head_ff = options.per_head;
    options.norm_to_hidden_states = (choice & 2) != 0;
    options.edge_direction = (choice & 2) != 0 ? EdgeDirection::key_to_query : EdgeDirection::reference;
    options.adjacency.method = (choice & 4) != 0 ? AdjacencyMethod::learnable_aggregate : AdjacencyMethod::sum;
    GraphAdapter<Dyn, double> adapter(options);
    randomize_parameters(adapter, 3, 0.7);
    const auto apply = [&](auto& context, const auto& x, const auto& w) {
      return adapter(context, x, w, causal_inputs());
    };
    check_promises(apply, adapter, z, weights);
    CHECK(stays_finite(apply, adapter, token, single));
  }
}
