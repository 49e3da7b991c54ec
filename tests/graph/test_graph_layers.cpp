// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/graph/causal_graph_neural_network.hpp"

#include "ops/graph_problem.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Nodes = Tensor<double, Shape<Dyn, Dyn>>;

CausalGraphNeuralNetworkOptions network_options(GraphType type, GraphActivation activation = GraphActivation::gelu) {
  CausalGraphNeuralNetworkOptions options{.type = type, .activation = activation, .num_layers = 2};
  options.gin = {.hidden_multiplier = 1.5, .edge_weight_scaling = true};
  options.pna.form = PNAForm::corrected;
  options.pna.towers = 2;
  options.pna.pre_layers = options.pna.post_layers = 2;
  options.pna.divide_input = true;
  options.pna.act = GraphActivation::tanh;
  options.transformer_hidden_dim = 3;
  options.hidden_dim = 4;
  return options;
}

constexpr GraphType kTypes[] = {GraphType::causal_gin, GraphType::causal_gcn, GraphType::causal_recombination,
                                GraphType::causal_pna};

/// The layers inside a network as functions of x and the edges' weights.
template <class Context, class Network, class X, class Weights>
auto run(Context& context, const Network& network, const EdgeList<std::int64_t>& list, const X& x, const Weights& w) {
  return network(context, x, make_graph(context, list, network.filter()), w);
}

}  // namespace

TEST_CASE("Derivatives of every graph network agree with finite differences") {
  const GraphProblem problem(7, 16);
  const auto list = problem.list();
  auto x = random_tensor<double>(Shape<Dyn, Dyn>(7, 3), 1);
  auto weights = random_tensor<double>(Shape<Dyn>(16), 2);
  for (const GraphType type : kTypes) {
    for (const auto activation :
         {GraphActivation::relu, GraphActivation::tanh, GraphActivation::gelu, GraphActivation::prelu}) {
      auto options = network_options(type, activation);
      options.gin.norm = static_cast<GraphNormKind>(activation);
      CausalGraphNeuralNetwork<Dyn, Dyn, double> network(options);
      randomize_parameters(network, 3, 0.7);
      const auto apply = [&](auto& context, auto& a, auto& w) { return run(context, network, list, a, w); };
      const auto result = gradcheck(apply, std::tie(x, weights), network);
      INFO(static_cast<int>(type) << ' ' << result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("A graph network with static extents is that with dynamic ones") {
  const GraphProblem problem(7, 16);
  auto x = random_tensor<double>(Shape<Dyn, 3>(7), 1);
  auto weights = random_tensor<double>(Shape<16>(), 2);
  CausalGraphNeuralNetwork<3, 4, double> fixed(network_options(GraphType::causal_gin));
  CausalGraphNeuralNetwork<Dyn, Dyn, double> dynamic(network_options(GraphType::causal_gin));
  randomize_parameters(fixed, 3, 0.7);
  randomize_parameters(dynamic, 3, 0.7);
  Inference inference;
  CHECK(to_vector(run(inference, fixed, problem.list(), x, weights)) ==
        to_vector(run(inference, dynamic, problem.list(), x, weights)));
  const auto apply = [&](auto& context, auto& a, auto& w) { return run(context, fixed, problem.list(), a, w); };
  CHECK(gradcheck(apply, std::tie(x, weights), fixed).passed);
}

TEST_CASE("No graph network lets a node see a later one") {
  const GraphProblem problem(12, 60);
  auto x = random_tensor<double>(Shape<Dyn, Dyn>(12, 3), 1);
  const auto weights = random_tensor<double>(Shape<Dyn>(60), 2);
  for (const GraphType type : kTypes) {
    CausalGraphNeuralNetwork<Dyn, Dyn, double> network(network_options(type));
    randomize_parameters(network, 3, 0.7);
    Inference inference;
    const auto before = to_vector(run(inference, network, problem.list(), x, weights));
    x(8, 1) += 1;
    const auto after = to_vector(run(inference, network, problem.list(), x, weights));
    CHECK(std::equal(before.begin(), before.begin() + 8 * 3, after.begin()));
    CHECK(before != after);
  }
}

TEST_CASE("Graph networks are finite without edges and without nodes") {
  const std::int64_t graph_of[] = {0, 0};
  for (const GraphType type : kTypes) {
    CausalGraphNeuralNetwork<Dyn, Dyn, float> network(network_options(type));
    randomize_parameters(network, 3, 0.7);
    for (const Index nodes : {0, 1, 2}) {
      auto x = random_tensor<float>(Shape<Dyn, Dyn>(nodes, 3), 1);
      Tensor<float, Shape<Dyn>> no_weights(Shape<Dyn>(0));
      Tape tape;
      const auto y = run(tape, network, {nullptr, nullptr, 0, nodes, graph_of}, tape.watch(x), no_weights);
      CHECK(y.extent(0) == nodes);
      for (const float value : to_vector(y)) CHECK(std::isfinite(value));
      const std::vector<float> ones(static_cast<std::size_t>(y.size()), 1);
      tape.backward(y, TensorView<const float, Shape<Dyn, Dyn>>(ones.data(), y.shape()));
    }
  }
}

TEST_CASE("A network without layers is its projections") {
  auto options = network_options(GraphType::causal_gcn);
  options.num_layers = 0;
  CausalGraphNeuralNetwork<Dyn, Dyn, double> network(options);
  randomize_parameters(network, 3);
  auto x = random_tensor<double>(Shape<Dyn, Dyn>(2, 3), 1);
  Inference inference;
  const auto graph = make_graph(inference, EdgeList<std::int64_t>{nullptr, nullptr, 0, 2});
  CHECK(to_vector(network(inference, x, graph)) ==
        to_vector((*network.output_projection)(inference, (*network.input_projection)(inference, x))));
}

TEST_CASE("The self term of a graph isomorphism layer, both forms") {
  const std::int64_t source[] = {0, 0};
  const std::int64_t target[] = {1, 1};
  Tensor<double, Shape<2, 1>> x;
  x(0, 0) = 3;
  x(1, 0) = 5;
  Tensor<double, Shape<2>> weights;
  weights(0) = 0.5;
  weights(1) = 2;
  for (const auto term : {GINSelfTerm::epsilon, GINSelfTerm::one_plus_epsilon}) {
    CausalGINLayer<1, 1, Dyn, double> layer({.use_mlp = false, .edge_weight_scaling = true, .self_term = term});
    layer.epsilon.data()[0] = 0.25;
    layer.transform->weight.data()[0] = 1;
    Inference inference;
    const auto graph = make_graph(inference, EdgeList<std::int64_t>{source, target, 2, 2}, layer.kFilter);
    const double self = term == GINSelfTerm::epsilon ? 0.25 : 1.25;
    const auto y = layer(inference, x, graph, weights);
    CHECK(y(0, 0) == Approx(self * 3));
    CHECK(y(1, 0) == Approx(self * 5 + 2.5 * 3));
  }
}

TEST_CASE("GraphNorm inside a graph isomorphism layer separates the graphs where asked to") {
  const GraphProblem problem(8, 12);
  auto x = random_tensor<double>(Shape<Dyn, Dyn>(8, 3), 1);
  for (const bool each : {false, true}) {
    CausalGINLayer<Dyn, Dyn, Dyn, double> layer({.hidden_multiplier = 1,
                                                 .norm = GraphNormKind::graph,
                                                 .norm_per_graph = each,
                                                 .in_channels = 3,
                                                 .out_channels = 2});
    randomize_parameters(layer, 4);
    const auto apply = [&](auto& context, auto& a) {
      return layer(context, a, make_graph(context, problem.list(), layer.kFilter));
    };
    Inference inference;
    const auto before = to_vector(apply(inference, x));
    x(7, 0) += 1;
    const auto after = to_vector(apply(inference, x));
    CHECK(std::equal(before.begin(), before.begin() + 4 * 2, after.begin()) == each);
  }
}

TEST_CASE("The corrected PNA layer is its definition") {
  const std::int64_t source[] = {0, 1, 0};
  const std::int64_t target[] = {1, 1, 2};
  CausalPNAOptions options{.form = PNAForm::corrected, .edge_dim = 0, .towers = 1, .in_channels = 2, .out_channels = 2};
  options.rules = {PNAList<PNAAggregator>(PNAAggregator::mean, PNAAggregator::max),
                   PNAList<PNAScaler>(PNAScaler::identity, PNAScaler::attenuation)};
  CausalPNALayer<2, 2, double> layer(options);
  randomize_parameters(layer, 5);
  auto x = random_tensor<double>(Shape<3, 2>(), 1);
  Inference inference;
  const auto graph = make_graph(inference, EdgeList<std::int64_t>{source, target, 3, 3}, layer.kFilter);
  const auto y = layer(inference, x, graph);
  const auto& pre = layer.pre_nns[0].layers[0];
  const auto& post = layer.post_nns[0].layers[0];
  const auto message = [&](Index u, Index s, Index f) {
    const auto& w = pre.weight.value();
    return w(f, 0) * x(u, 0) + w(f, 1) * x(u, 1) + w(f, 2) * x(s, 0) + w(f, 3) * x(s, 1) + pre.bias->value()(f);
  };
  double z[8];
  for (Index f = 0; f < 2; ++f) {
    const double first = message(1, 0, f), second = message(1, 1, f), log_degree = std::log(3.0);
    z[f] = (first + second) / 2;
    z[2 + f] = z[f] / log_degree;
    z[4 + f] = std::max(first, second);
    z[6 + f] = z[4 + f] / log_degree;
  }
  double h[2];
  for (Index o = 0; o < 2; ++o) {
    h[o] = post.bias->value()(o);
    for (Index i = 0; i < 8; ++i) h[o] += post.weight.value()(o, i) * z[i];
  }
  for (Index o = 0; o < 2; ++o) {
    const auto& w = layer.lin.weight.value();
    CHECK(y(1, o) == Approx(std::max(0.0, w(o, 0) * h[0] + w(o, 1) * h[1] + layer.lin.bias->value()(o))));
  }
}

TEST_CASE("What the reference cannot run is refused by name") {
  CausalPNAOptions pna{.edge_dim = 2, .in_channels = 4, .out_channels = 4};
  CHECK_THROWS_WITH((CausalPNALayer<Dyn, Dyn>(pna)), Catch::Matchers::ContainsSubstring("PNAForm::corrected does all"));
  pna.rules = {PNAList<PNAAggregator>(PNAAggregator::max), PNAList<PNAScaler>(PNAScaler::attenuation)};
  CHECK_THROWS_WITH((CausalPNALayer<Dyn, Dyn>(pna)),
                    Catch::Matchers::ContainsSubstring("identity or one amplification"));
  pna.rules.scalers = PNAList<PNAScaler>(PNAScaler::identity);
  pna.towers = 2;
  CHECK_THROWS_WITH((CausalPNALayer<Dyn, Dyn>(pna)), Catch::Matchers::ContainsSubstring("one tower"));
  pna.form = PNAForm::corrected;
  pna.towers = 3;
  CHECK_THROWS_WITH((CausalPNALayer<Dyn, Dyn>(pna)), Catch::Matchers::ContainsSubstring("must be multiples of towers"));
  auto options = network_options(GraphType::causal_pna);
  options.pna.form = PNAForm::reference;
  CHECK_THROWS_WITH((CausalGraphNeuralNetwork<Dyn>(options)), Catch::Matchers::ContainsSubstring("one layer at most"));
  options.num_layers = 0;
  CHECK_NOTHROW(CausalGraphNeuralNetwork<Dyn>(options));
  options.pna.form = PNAForm::corrected;
  CausalGraphNeuralNetwork<Dyn> network(options);
  Inference inference;
  const Tensor<float, Shape<Dyn, Dyn>> x(Shape<Dyn, Dyn>(1, 3));
  const auto graph = make_graph(inference, EdgeList<std::int64_t>{nullptr, nullptr, 0, 1});
  CHECK_THROWS_WITH(network(inference, x, graph),
                    "CausalGraphNeuralNetwork: causal_pna needs the weights of the edges");
}

TEST_CASE("Every setting in which the reference's PNA layer raises is refused, and works in its corrected form") {
  const CausalPNAOptions runs{
      .rules = {PNAList<PNAAggregator>(PNAAggregator::max), PNAList<PNAScaler>(PNAScaler::identity)},
      .edge_dim = 2,
      .in_channels = 4,
      .out_channels = 4};
  CHECK_NOTHROW(CausalPNALayer<Dyn, Dyn>(runs));
  const auto check = [&](auto&& change) {
    CausalPNAOptions options = runs;
    change(options);
    CHECK_THROWS_WITH((CausalPNALayer<Dyn, Dyn>(options)),
                      Catch::Matchers::ContainsSubstring("PNAForm::corrected does all"));
    options.form = PNAForm::corrected;
    CHECK_NOTHROW(CausalPNALayer<Dyn, Dyn>(options));
  };
  check([](auto& o) { o.edge_dim = 0; });
  check([](auto& o) { o.towers = 2; });
  check([](auto& o) { o.out_channels = 6; });
  check([](auto& o) { o.rules.aggregators = PNAList<PNAAggregator>(PNAAggregator::std); });
  check([](auto& o) { o.rules.aggregators.add(PNAAggregator::mean); });
  check([](auto& o) { o.rules.scalers.add(PNAScaler::amplification); });
  check([](auto& o) { o.rules.scalers = PNAList<PNAScaler>(PNAScaler::attenuation); });
  const CausalPNALayer<Dyn, Dyn> layer(runs);
  Inference inference;
  const Tensor<float, Shape<Dyn, Dyn>> x(Shape<Dyn, Dyn>(1, 4));
  const auto graph = make_graph(inference, EdgeList<std::int64_t>{nullptr, nullptr, 0, 1});
  CHECK_THROWS_WITH(layer(inference, x, graph),
                    "CausalPNALayer: the layer has an edge_dim, so there must be attributes of the edges");
}

TEST_CASE("An identity repeated among the scalers is an aggregator repeated, in the reference's PNA layer too") {
  const PNAList<PNAAggregator> one(PNAAggregator::max), two(PNAAggregator::max, PNAAggregator::max);
  const PNAList<PNAScaler> once(PNAScaler::identity), twice(PNAScaler::identity, PNAScaler::identity);
  const GraphProblem problem(7, 16);
  const auto x = random_tensor<double>(Shape<Dyn, Dyn>(7, 2), 1);
  const auto attributes = random_tensor<double>(Shape<Dyn, Dyn>(16, 1), 2);
  const auto run_with = [&](const PNARules& rules) {
    CausalPNALayer<Dyn, Dyn, double> layer({.rules = rules, .edge_dim = 1, .in_channels = 2, .out_channels = 4});
    randomize_parameters(layer, 3, 0.6);
    Inference inference;
    return to_vector(layer(inference, x, make_graph(inference, problem.list(), layer.kFilter), attributes));
  };
  CHECK(run_with({one, twice}) == run_with({two, once}));
}

TEST_CASE("A shared PReLU is one parameter with a name for each layer") {
  CausalGraphNeuralNetwork<Dyn> network(network_options(GraphType::causal_gcn, GraphActivation::prelu));
  std::vector<std::string> names;
  for_each_parameter(network, [&](const ParameterName& name, const auto&) {
    names.push_back(name.name);
    name.for_each_alias([&](const std::string& alias) { names.push_back(alias); });
  });
  CHECK(names[0] == "activation.weight");
  CHECK(names[1] == "convs.0.activation_fn.weight");
  CHECK(names[2] == "convs.1.activation_fn.weight");
}
