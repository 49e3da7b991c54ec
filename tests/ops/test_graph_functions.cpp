// SPDX-License-Identifier: Apache-2.0
// What graph networks apply to all nodes at once: graph_norm, row_norm, prelu, match_rms, columns.
#include "weft/ops/columns/columns.hpp"
#include "weft/ops/columns/columns_naive.hpp"
#include "weft/ops/graph_norm/graph_norm.hpp"
#include "weft/ops/graph_norm/graph_norm_naive.hpp"
#include "weft/ops/layer_norm/layer_norm_naive.hpp"
#include "weft/ops/match_rms/match_rms.hpp"
#include "weft/ops/match_rms/match_rms_naive.hpp"
#include "weft/ops/message_passing/graph_builder.hpp"
#include "weft/ops/prelu/prelu.hpp"
#include "weft/ops/prelu/prelu_naive.hpp"

#include "ops/naive_checks.hpp"
#include "ops/op_checks.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;

namespace {

using Rows = Shape<Dyn, Dyn>;

/// Nodes in graphs of 1, 3 and 5 nodes and one of all others.
std::vector<std::int64_t> graphs_of(Index nodes) {
  std::vector<std::int64_t> graph_of(static_cast<std::size_t>(nodes));
  for (std::size_t node = 0; node < graph_of.size(); ++node)
    graph_of[node] = node < 1 ? 0 : node < 4 ? 1 : node < 9 ? 4 : 7;
  return graph_of;
}

/// All arguments of graph_norm but x, each a row of one tensor.
template <class T>
struct NormParameters {
  Tensor<T, Shape<Dyn>> weight, bias, scale;

  explicit NormParameters(Index features)
      : weight(random_tensor<T>(Shape<Dyn>(features), 2)),
        bias(random_tensor<T>(Shape<Dyn>(features), 3)),
        scale(random_tensor<T>(Shape<Dyn>(features), 4)) {}
};

/// Splits the columns in three and joins them in another order.
inline constexpr auto kTurnThirds = [](auto& context, const auto& x) {
  const Index third = x.extent(-1) / 3;
  const auto first = take_columns(context, x, 0, third);
  const std::array<std::remove_const_t<decltype(first)>, 3> parts{take_columns(context, x, third, third),
                                                                  take_columns(context, x, 2 * third, third), first};
  return join_columns(context, std::span<const std::remove_const_t<decltype(first)>>(parts));
};

}  // namespace

TEMPLATE_TEST_CASE("GraphNorm agrees with the naive form, over all nodes and over each graph", "", float, double) {
  using T = TestType;
  for (const Index nodes : {0, 1, 2, 11, 67}) {
    const auto graph_of = graphs_of(nodes);
    for (const Index features : {1, 7, 31, 32, 33, 67}) {
      const auto x = random_tensor<T>(Rows(nodes, features), 1);
      const NormParameters<T> p(features);
      const auto xs = wide(x), weights = wide(p.weight), biases = wide(p.bias), scales = wide(p.scale);
      for (const bool each : {false, true}) {
        Inference inference;
        const auto graph = make_graph(inference, EdgeList<std::int64_t>{nullptr, nullptr, 0, nodes, graph_of.data()});
        const GraphIndex all[] = {0, static_cast<GraphIndex>(nodes)};
        const GraphNormSize<Wide<T>> size{each ? graph.graph_begin : all, each ? graph.graphs : 1, features, 1e-3};
        std::vector<Wide<T>> expected(xs.size());
        kernels::graph_norm_naive(size, xs.data(), weights.data(), biases.data(), scales.data(), expected.data());
        const auto y = graph_norm(inference, x, p.weight, p.bias, p.scale, 1e-3, each ? &graph : nullptr);
        // A graph of one node with scale near 1 leaves a difference of nearly equal numbers over sqrt(eps).
        CHECK(error_in_epsilons(y, expected, 30 * (1 + norm_of(weights) + norm_of(biases))) < 16);
      }
    }
  }
}

TEST_CASE("GraphNorm's derivatives agree with finite differences, static and dynamic") {
  const std::int64_t graph_of[] = {0, 0, 0, 4, 4, 4, 4};
  auto x = random_tensor<double>(Rows(7, 35), 1);
  NormParameters<double> p(35);
  auto x_static = random_tensor<double>(Shape<7, 3>(), 1);
  auto row = random_tensor<double>(Shape<3>(), 2);
  for (const bool each : {false, true}) {
    const auto apply = [&](auto& context, auto& a, auto& w, auto& b, auto& s) {
      const auto graph = make_graph(context, EdgeList<std::int64_t>{nullptr, nullptr, 0, 7, graph_of});
      return graph_norm(context, a, w, b, s, 1e-5, each ? &graph : nullptr);
    };
    CHECK(gradcheck(apply, std::tie(x, p.weight, p.bias, p.scale)).message == "gradcheck: 350 derivatives agree");
    const auto typed = [&](auto& context, auto& a, auto& w) { return apply(context, a, w, w, w); };
    CHECK(gradcheck(typed, std::tie(x_static, row)).passed);
  }
}

TEST_CASE("A norm of rows is a layer norm of weight one and bias zero") {
  Inference inference;
  for (const Index features : {1, 2, 7, 17, 67}) {
    const auto x = random_tensor<float>(Rows(3, features), 1);
    const auto xs = wide(x);
    const std::vector<double> ones(static_cast<std::size_t>(features), 1), zeros(ones.size(), 0);
    std::vector<double> expected(xs.size());
    kernels::layer_norm_naive<double>({3, features, 1e-5}, xs.data(), ones.data(), zeros.data(), expected.data());
    CHECK(error_in_epsilons(row_norm(inference, x, 1e-5), expected, 1 + norm_of(expected)) < 16);
  }
  auto x = random_tensor<double>(Shape<Dyn, 9>(2), 1);
  CHECK(gradcheck([](auto& context, auto& a) { return row_norm(context, a, 1e-5); }, std::tie(x)).passed);
}

TEST_CASE("GraphNorm refuses graphs that do not stand together, and widths that differ") {
  Inference inference;
  const NormParameters<double> p(35), narrow(34);
  const Tensor<double, Rows> three(Rows(3, 35));
  const std::int64_t mixed[] = {0, 1, 0};
  const auto graph = make_graph(inference, EdgeList<std::int64_t>{nullptr, nullptr, 0, 3, mixed});
  CHECK_THROWS_WITH(
      graph_norm(inference, three, p.weight, p.bias, p.scale, 1e-5, &graph),
      "graph_norm(x, graph): the graphs must be ranges of the 3 nodes, found nodes of one graph that do not "
      "stand together");
  const auto other = make_graph(inference, EdgeList<std::int64_t>{nullptr, nullptr, 0, 4});
  CHECK_THROWS_WITH(graph_norm(inference, three, p.weight, p.bias, p.scale, 1e-5, &other),
                    "graph_norm(x, graph): the graphs must be ranges of the 3 nodes, found 4 nodes");
  CHECK_THROWS_WITH(graph_norm(inference, three, narrow.weight, p.bias, p.scale, 1e-5),
                    ContainsSubstring("weight must have one value for each feature, found 35"));
  CHECK_THROWS_WITH(graph_norm(inference, three, p.weight, narrow.bias, p.scale, 1e-5),
                    ContainsSubstring("bias must have one value for each feature"));
  CHECK_THROWS_WITH(graph_norm(inference, three, p.weight, p.bias, narrow.scale, 1e-5),
                    ContainsSubstring("mean_scale must have one value for each feature"));
}

TEMPLATE_TEST_CASE("The learned rectifier and match_rms agree with their naive forms", "", float, double) {
  using T = TestType;
  for (const Index count : kAwkwardSizes) {
    const auto x = random_tensor<T>(Shape<Dyn>(count), 1);
    const auto z = random_tensor<T>(Shape<Dyn>(count), 2, 5);
    Tensor<T, Shape<1>> slope;
    slope(0) = T(0.25);
    const auto xs = wide(x), zs = wide(z);
    std::vector<Wide<T>> expected(xs.size());
    Inference inference;
    kernels::prelu_naive<Wide<T>>(count, xs.data(), 0.25, expected.data());
    CHECK(error_in_epsilons(prelu(inference, x, slope), expected, 1 + norm_of(xs)) < 1);
    kernels::match_rms_naive(count, xs.data(), zs.data(), expected.data());
    CHECK(error_in_epsilons(match_rms(inference, x, z), expected, 1 + norm_of(zs)) < 8);
  }
}

TEST_CASE("Derivatives of the learned rectifier, of match_rms and of columns agree with finite differences") {
  auto x = random_tensor<double>(Shape<7, 6>(), 1);
  auto dynamic = random_tensor<double>(Rows(7, 6), 1);
  auto z = random_tensor<double>(Shape<7, 6>(), 2, 5);
  Tensor<double, Shape<1>> slope;
  slope(0) = 0.25;
  const auto rectify = [](auto& context, auto& a, auto& s) { return prelu(context, a, s); };
  CHECK(gradcheck(rectify, std::tie(x, slope)).message == "gradcheck: 43 derivatives agree");
  CHECK(gradcheck(rectify, std::tie(dynamic, slope)).passed);
  const auto match = [](auto& context, auto& a, auto& b) { return match_rms(context, a, b); };
  CHECK(gradcheck(match, std::tie(x, z)).message == "gradcheck: 84 derivatives agree");
  CHECK(gradcheck(match, std::tie(dynamic, z)).passed);
  CHECK(gradcheck(kTurnThirds, std::tie(x)).message == "gradcheck: 42 derivatives agree");
  CHECK(gradcheck(kTurnThirds, std::tie(dynamic)).passed);
}

TEST_CASE("A tensor of zeros cannot be brought to a size, and gets no gradient") {
  auto z = random_tensor<double>(Shape<4, 3>(), 2, 5);
  Tensor<double, Shape<4, 3>> zeros;
  Tape tape;
  const auto o = tape.watch(zeros);
  const auto y = match_rms(tape, o, z);
  tape.backward(y, TensorView<const double, Shape<4, 3>>(z.data(), z.shape()));
  for (Index i = 0; i < 12; ++i) CHECK((y.data()[i] == 0 && tape.gradient(o).data()[i] == 0));
}

TEST_CASE("Without a guard, bringing zeros to a size is 0 / 0 as in the reference") {
  const auto apply = [](auto& context, auto& a, auto& b) { return match_rms(context, a, b, false); };
  auto x = random_tensor<double>(Shape<4, 3>(), 1);
  auto z = random_tensor<double>(Shape<4, 3>(), 2, 5);
  CHECK(gradcheck(apply, std::tie(x, z)).message == "gradcheck: 24 derivatives agree");
  Tensor<double, Shape<4, 3>> zeros;
  const TensorView<const double, Shape<4, 3>> dy(x.data(), x.shape());
  const auto all_nan = [](const auto& values) {
    return std::all_of(values.begin(), values.end(), [](double value) { return std::isnan(value); });
  };
  Tape tape;
  const auto o = tape.watch(zeros);
  const auto y = apply(tape, o, z);
  tape.backward(y, dy);
  CHECK(all_nan(to_vector(y)));
  CHECK(all_nan(to_vector(tape.gradient(o))));
  Tape other;
  const auto to_zeros = other.watch(zeros);
  const auto shrunk = apply(other, x, to_zeros);
  other.backward(shrunk, dy);
  CHECK(to_vector(shrunk) == to_vector(zeros));
  CHECK(all_nan(to_vector(other.gradient(to_zeros))));
}

TEST_CASE("Slices of columns, joined again, are what copying by hand gives") {
  for (const Index third : {0, 1, 5, 17}) {
    for (const Index rows : {0, 1, 7}) {
      const auto x = random_tensor<float>(Rows(rows, 3 * third), 1);
      std::vector<float> expected(static_cast<std::size_t>(x.size()));
      for (Index part = 0; part < 3; ++part) {
        kernels::copy_columns_naive(rows, third, x.data() + (part + 1) % 3 * third, 3 * third,
                                    expected.data() + part * third, 3 * third, false);
      }
      Inference inference;
      const auto y = kTurnThirds(inference, x);
      CHECK(std::equal(expected.begin(), expected.end(), y.data(), y.data() + y.size()));
    }
  }
}

TEST_CASE("Functions of all nodes have the same bits for any number of threads, and need no heap") {
  const auto graph_of = graphs_of(700);
  auto x = random_tensor<float>(Rows(700, 66), 1);
  NormParameters<float> p(66);
  Tensor<float, Shape<1>> slope;
  slope(0) = 0.25F;
  const auto all = [&](auto& context, const auto& a, const auto& w, const auto& b, const auto& s, const auto& c) {
    const auto graph = make_graph(context, EdgeList<std::int64_t>{nullptr, nullptr, 0, 700, graph_of.data()});
    const auto normed = graph_norm(context, kTurnThirds(context, a), w, b, s, 1e-5, &graph);
    return match_rms(context, prelu(context, row_norm(context, normed, 1e-5), c), a);
  };
  check_operation(all, x, p.weight, p.bias, p.scale, slope);
}

TEST_CASE("The learned rectifier, match_rms and columns name what does not fit") {
  Inference inference;
  const auto x = random_tensor<double>(Rows(2, 6), 1);
  const auto y = random_tensor<double>(Rows(2, 5), 1);
  CHECK_THROWS_WITH(prelu(inference, x, y), "prelu(x, slope): slope must have one element, found shape [2, 5]");
  CHECK_THROWS_WITH(match_rms(inference, x, y),
                    "match_rms(x, z): x and z must have the same shape, found [2, 6] and [2, 5]");
  CHECK_THROWS_WITH(take_columns(inference, x, 5, 2), "take_columns(x, first, width): [5, 7) is outside of [0, 6)");
  using View = std::remove_const_t<decltype(x.view())>;
  const std::array<View, 2> parts{x.view(), y.view()};
  CHECK_THROWS_WITH(join_columns(inference, std::span<const View>(parts)),
                    "join_columns(parts): all parts must have one shape, found [2, 6] and [2, 5]");
  CHECK_THROWS_WITH(join_columns(inference, std::span<const View>()),
                    "join_columns(parts): there must be at least one part");
}
