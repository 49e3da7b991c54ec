// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/adjacency_mlp/adjacency_mlp.hpp"
#include "weft/ops/columns/columns.hpp"
#include "weft/ops/graph_adjacency/graph_adjacency_naive.hpp"
#include "weft/ops/graph_adjacency/shape_adjacency.hpp"
#include "weft/ops/graph_norm/graph_norm.hpp"
#include "weft/ops/match_rms/match_rms.hpp"
#include "weft/ops/message_passing/graph_builder.hpp"
#include "weft/ops/prelu/prelu.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Maps = Shape<Dyn, Dyn, Dyn, Dyn>;

/// Positive weights below 1, as a softmax has them.
template <class T>
Tensor<T, Maps> random_weights(Index batch, Index heads, Index tokens) {
  auto weights = random_tensor<T>(Maps(batch, heads, tokens, tokens), 5);
  for (T& value : weights.span()) value = 1 / (1 + std::exp(-value));
  return weights;
}

template <class Visit>
void for_each_choice(Visit&& visit) {
  for (const auto method : {AdjacencyMethod::mean, AdjacencyMethod::sum, AdjacencyMethod::threshold_any}) {
    for (int choice = 0; choice < 64; ++choice) {
      visit(GraphAdjacencyOptions{.method = method,
                                  .per_head = (choice & 1) != 0,
                                  .threshold = 0.3,
                                  .epsilon_threshold = 0.45,
                                  .tau = 0.5,
                                  .alpha = (choice & 2) != 0 ? 3.0 : 0.0,
                                  .zero_below_epsilon = (choice & 4) != 0,
                                  .remove_self_connections = (choice & 8) != 0,
                                  .enforce_causality = (choice & 16) != 0,
                                  .respects_mask = (choice & 32) != 0,
                                  .use_distance_scaling = (choice & 1) == 0,
                                  .distance_strength = 0.7,
                                  .distance_scaling = static_cast<DistanceScaling>(choice % 4)});
    }
  }
}

}  // namespace

TEST_CASE("The adjacency agrees with the naive form for every choice") {
  const Index batch = 2, heads = 3, tokens = 19;
  const auto weights = random_weights<double>(batch, heads, tokens);
  std::vector<std::int32_t> valid(static_cast<std::size_t>(batch * tokens), 1), first(valid.size(), 0);
  valid[0] = valid[20] = 0;
  first[30] = 5;
  std::vector<double> additive(static_cast<std::size_t>(batch * tokens * tokens), 0);
  additive[7] = additive[100] = -3.4e38;
  const AdjacencyMethod untouched = AdjacencyMethod::mean;
  for_each_choice([&](const GraphAdjacencyOptions& options) {
    GraphAdjacencyMask<double> mask;
    if (options.method != untouched) mask = {true, valid.data(), additive.data(), first.data()};
    const Index maps = options.per_head ? heads : 1;
    const auto extra = random_tensor<double>(Maps(batch, maps, tokens, tokens), 6);
    std::vector<double> factors(static_cast<std::size_t>(tokens));
    detail::fill_distance_factors(options, tokens, factors.data());
    const GraphAdjacencyProblem<double> problem{batch,
                                                heads,
                                                maps,
                                                tokens,
                                                detail::combine_of(options),
                                                options,
                                                mask,
                                                options.use_distance_scaling ? factors.data() : nullptr};
    std::vector<double> expected(static_cast<std::size_t>(extra.size()));
    kernels::graph_adjacency_naive(problem, weights.data(), extra.data(), expected.data());
    Inference inference;
    CHECK(largest_difference(to_vector(shape_adjacency(inference, weights, mask, options, extra)), expected) < 1e-13);
    kernels::graph_adjacency_naive(problem, weights.data(), static_cast<const double*>(nullptr), expected.data());
    CHECK(largest_difference(to_vector(shape_adjacency(inference, weights, mask, options)), expected) < 1e-13);
  });
}

TEST_CASE("The adjacency's derivatives agree with finite differences") {
  auto weights = random_weights<double>(2, 2, 3);
  std::vector<std::int32_t> valid{1, 1, 1, 0, 1, 1};
  for_each_choice([&](const GraphAdjacencyOptions& options) {
    auto extra = random_tensor<double>(Maps(2, options.per_head ? 2 : 1, 3, 3), 6);
    GraphAdjacencyMask<double> mask;
    mask.key_valid = valid.data();
    const auto shaped = [&](auto& context, auto& w, auto& e) { return shape_adjacency(context, w, mask, options, e); };
    const auto result = gradcheck(shaped, std::tie(weights, extra));
    CHECK(result.message == concat("gradcheck: ", 36 + extra.size(), " derivatives agree"));
  });
}

TEST_CASE("The known answers of the adjacency's transform") {
  Tensor<float, Shape<1, 1, 1, 8>> row;
  const double in[] = {0, .05, .1, .14, .141, .2, .5, 1};
  const double out[] = {.268941, .377541, .5, .598688, .601088, .731059, .982014, .999877};
  for (Index i = 0; i < 8; ++i) {
    Tensor<float, Shape<1, 1, 1, 1>> weights;
    weights(0, 0, 0, 0) = static_cast<float>(in[i]);
    GraphAdjacencyOptions options{.threshold = 0.1, .epsilon_threshold = 0.6};
    Inference inference;
    CHECK(shape_adjacency(inference, weights, {}, options).data()[0] == Approx(i < 4 ? 0 : out[i]).epsilon(1e-5));
    options.zero_below_epsilon = false;
    CHECK(shape_adjacency(inference, weights, {}, options).data()[0] == Approx(out[i]).epsilon(1e-5));
  }
}

TEST_CASE("One token with linear distances is not a number, which zeroing removes") {
  Tensor<float, Shape<1, 1, 1, 1>> weights;
  weights(0, 0, 0, 0) = 1;
  GraphAdjacencyOptions options{.use_distance_scaling = true, .distance_scaling = DistanceScaling::linear};
  Inference inference;
  CHECK(shape_adjacency(inference, weights, {}, options).data()[0] == 0);
  options.zero_below_epsilon = false;
  CHECK(std::isnan(shape_adjacency(inference, weights, {}, options).data()[0]));
}

TEST_CASE("The network over heads agrees with its definition and with finite differences") {
  auto a = random_weights<double>(2, 3, 5);
  auto w0 = random_tensor<double>(Shape<4, 3>(), 1);
  auto b0 = random_tensor<double>(Shape<4>(), 2);
  auto w3 = random_tensor<double>(Shape<1, 4>(), 3);
  auto b3 = random_tensor<double>(Shape<1>(), 4);
  const auto apply = [](auto& context, auto&... all) { return adjacency_mlp(context, all..., 0.1); };
  CHECK(gradcheck(apply, std::tie(a, w0, b0, w3, b3)).message == "gradcheck: 171 derivatives agree");
  Inference inference;
  const auto z = adjacency_mlp(inference, a, w0, b0, w3, b3);
  double expected = b3(0);
  for (Index d = 0; d < 4; ++d) {
    double h = b0(d);
    for (Index head = 0; head < 3; ++head) h += w0(d, head) * a(1, head, 2, 4);
    expected += w3(0, d) * std::max(h, 0.0);
  }
  CHECK(z(1, 0, 2, 4) == Approx(expected));
}

TEST_CASE("The network over heads drops hidden units, the same ones backwards") {
  auto a = random_weights<double>(1, 2, 70);
  auto w0 = random_tensor<double>(Shape<16, 2>(), 1);
  auto b0 = random_tensor<double>(Shape<16>(), 2);
  auto w3 = random_tensor<double>(Shape<1, 16>(), 3);
  auto b3 = random_tensor<double>(Shape<1>(), 4);
  const auto run = [&](bool drop) {
    Tape tape;
    if (drop) tape.enable_dropout(Rng(3));
    const auto w = tape.watch(w3);
    const auto z = adjacency_mlp(tape, a, w0, b0, w, b3, 0.1);
    const std::vector<double> ones(static_cast<std::size_t>(z.size()), 1);
    tape.backward(z, TensorView<const double, Maps>(ones.data(), z.shape()));
    double total = -static_cast<double>(z.size()) * b3(0);
    for (const double value : to_vector(z)) total += value;
    // The sum is linear in w3.
    double by_gradient = 0;
    for (Index d = 0; d < 16; ++d) by_gradient += w3(0, d) * tape.gradient(w).data()[d];
    CHECK(by_gradient == Approx(total));
    return total;
  };
  CHECK(run(true) != Approx(run(false)).epsilon(1e-9));
}

TEST_CASE("Bringing a tensor to the size of another") {
  auto x = random_tensor<double>(Shape<Dyn, 3>(4), 1);
  auto z = random_tensor<double>(Shape<4, 3>(), 2, 5);
  const auto apply = [](auto& context, auto& a, auto& b) { return match_rms(context, a, b); };
  CHECK(gradcheck(apply, std::tie(x, z)).message == "gradcheck: 24 derivatives agree");
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

TEST_CASE("Slices of columns, joined again, are the whole") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn, 6>(2, 3), 1);
  const auto apply = [](auto& context, auto& a) {
    const auto first = take_columns(context, a, 0, 2);
    const std::array<std::remove_const_t<decltype(first)>, 3> parts{first, take_columns(context, a, 2, 2),
                                                                    take_columns(context, a, 4, 2)};
    return join_columns(context, std::span<const std::remove_const_t<decltype(first)>>(parts));
  };
  CHECK(gradcheck(apply, std::tie(x)).message == "gradcheck: 36 derivatives agree");
  Inference inference;
  CHECK(to_vector(apply(inference, x)) == to_vector(x));
  CHECK_THROWS_WITH(take_columns(inference, x, 5, 2), "take_columns(x, first, width): [5, 7) is outside of [0, 6)");
}

TEST_CASE("The learned rectifier") {
  auto x = random_tensor<double>(Shape<Dyn, 5>(7), 1);
  Tensor<double, Shape<1>> slope;
  slope(0) = 0.25;
  const auto apply = [](auto& context, auto& a, auto& s) { return prelu(context, a, s); };
  CHECK(gradcheck(apply, std::tie(x, slope)).message == "gradcheck: 36 derivatives agree");
  Inference inference;
  const auto y = prelu(inference, x, slope);
  for (Index i = 0; i < x.size(); ++i) CHECK(y.data()[i] == (x.data()[i] > 0 ? x.data()[i] : 0.25 * x.data()[i]));
}

TEST_CASE("GraphNorm over all nodes and over each graph") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn>(7, 35), 1);
  auto weight = random_tensor<double>(Shape<Dyn>(35), 2);
  auto bias = random_tensor<double>(Shape<Dyn>(35), 3);
  auto scale = random_tensor<double>(Shape<Dyn>(35), 4);
  const std::int64_t graph_of[] = {0, 0, 0, 4, 4, 4, 4};
  for (const bool each : {false, true}) {
    const auto apply = [&](auto& context, auto& a, auto& w, auto& b, auto& s) {
      const auto graph = make_graph(context, EdgeList<std::int64_t>{nullptr, nullptr, 0, 7, graph_of});
      return graph_norm(context, a, w, b, s, 1e-5, each ? &graph : nullptr);
    };
    CHECK(gradcheck(apply, std::tie(x, weight, bias, scale)).message == "gradcheck: 350 derivatives agree");
    Inference inference;
    const auto y = apply(inference, x, weight, bias, scale);
    const Index last = each ? 3 : 7;
    double mean = 0, squares = 0;
    for (Index n = 0; n < last; ++n) mean += x(n, 33) / static_cast<double>(last);
    for (Index n = 0; n < last; ++n) squares += std::pow(x(n, 33) - scale(33) * mean, 2) / static_cast<double>(last);
    CHECK(y(1, 33) == Approx(weight(33) * (x(1, 33) - scale(33) * mean) / std::sqrt(squares + 1e-5) + bias(33)));
  }
  Inference inference;
  const std::int64_t mixed[] = {0, 1, 0};
  const auto graph = make_graph(inference, EdgeList<std::int64_t>{nullptr, nullptr, 0, 3, mixed});
  const Tensor<double, Shape<Dyn, Dyn>> three(Shape<Dyn, Dyn>(3, 35));
  CHECK_THROWS_WITH(
      graph_norm(inference, three, weight, bias, scale, 1e-5, &graph),
      "graph_norm(x, graph): the graphs must be ranges of the 3 nodes, found nodes of one graph that do not "
      "stand together");
}

TEST_CASE("The adjacency, its network and the norms have the same bits for any number of threads") {
  auto weights = random_weights<float>(2, 4, 65);
  auto w0 = random_tensor<float>(Shape<20, 4>(), 1);
  auto b0 = random_tensor<float>(Shape<20>(), 2);
  auto w3 = random_tensor<float>(Shape<1, 20>(), 3);
  auto b3 = random_tensor<float>(Shape<1>(), 4);
  const auto seed = random_tensor<float>(Maps(2, 1, 65, 65), 7);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    const auto w = tape.watch(weights);
    const auto v = tape.watch(w0);
    const auto z = adjacency_mlp(tape, shape_adjacency(tape, w, {}, {.method = AdjacencyMethod::sum, .per_head = true}),
                                 v, b0, w3, b3);
    tape.backward(z, TensorView<const float, Maps>(seed.data(), seed.shape()));
    auto bits = to_vector(z);
    for (const auto& part : {to_vector(tape.gradient(w)), to_vector(tape.gradient(v))}) {
      bits.insert(bits.end(), part.begin(), part.end());
    }
    return bits;
  }));
}
