// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/adjacency_mlp/adjacency_mlp.hpp"
#include "weft/ops/adjacency_mlp/adjacency_mlp_naive.hpp"
#include "weft/ops/graph_adjacency/graph_adjacency_naive.hpp"
#include "weft/ops/graph_adjacency/shape_adjacency.hpp"
#include "weft/ops/sum/sum.hpp"

#include "ops/naive_checks.hpp"
#include "ops/op_checks.hpp"

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
  std::fill(first.begin() + 24, first.end(), 5);  // the second text holds two sequences
  std::vector<double> additive(static_cast<std::size_t>(batch * tokens * tokens), 0);
  additive[7] = additive[100] = -3.4e38;
  const AdjacencyMethod untouched = AdjacencyMethod::mean;
  for_each_choice([&](const GraphAdjacencyOptions& options) {
    GraphAdjacencyMask<double> mask;
    if (options.method != untouched)
      mask = {true, valid.data(), additive.data(), first.data(), 0, tokens * tokens, tokens};
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

TEST_CASE("The last rows of an adjacency are those of the whole, for every choice") {
  const Index batch = 2, heads = 3, tokens = 11, past = 7;
  const auto weights = random_weights<double>(batch, heads, tokens);
  std::vector<std::int32_t> valid(static_cast<std::size_t>(batch * tokens), 1);
  valid[0] = valid[20] = 0;
  const auto last_rows = [&](const auto& maps) {
    Tensor<double, Maps> rows(Maps(batch, maps.extent(1), tokens - past, tokens));
    for (Index map = 0; map < batch * maps.extent(1); ++map) {
      std::copy_n(maps.data() + (map * tokens + past) * tokens, (tokens - past) * tokens,
                  rows.data() + map * (tokens - past) * tokens);
    }
    return rows;
  };
  for_each_choice([&](const GraphAdjacencyOptions& options) {
    const auto extra = random_tensor<double>(Maps(batch, options.per_head ? heads : 1, tokens, tokens), 6);
    const GraphAdjacencyMask<double> mask{true, valid.data(), nullptr, nullptr};
    auto behind = mask;
    behind.past = past;
    Inference inference;
    const auto whole = shape_adjacency(inference, weights, mask, options, extra);
    const auto rows = shape_adjacency(inference, last_rows(weights), behind, options, last_rows(extra));
    CHECK(to_vector(rows) == to_vector(last_rows(whole)));
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

TEST_CASE("No entry joins packed sequences, for every choice") {
  auto weights = random_weights<double>(2, 2, 5);
  const std::int32_t first[] = {0, 0, 2, 2, 4, 0, 1, 1, 1, 1};
  for_each_choice([&](const GraphAdjacencyOptions& options) {
    auto extra = random_tensor<double>(Maps(2, options.per_head ? 2 : 1, 5, 5), 6);
    for (double& value : extra.span()) value = 0.5 + std::abs(value);
    const GraphAdjacencyMask<double> mask{true, nullptr, nullptr, first};
    const auto shaped = [&](auto& context, auto& w, auto& e) { return shape_adjacency(context, w, mask, options, e); };
    Inference inference;
    const auto edges = shaped(inference, weights, extra);
    for (Index at = 0; at < edges.size(); ++at) {
      const Index row = at / (25 * edges.extent(1)) * 5;
      const bool together = first[row + at / 5 % 5] == first[row + at % 5];
      CHECK((edges.data()[at] != 0) == together);
    }
    if (options.method == AdjacencyMethod::mean) CHECK(gradcheck(shaped, std::tie(weights, extra)).passed);
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

TEST_CASE("Linear distances that are all 0 scale to 0, or divide 0 by 0 as in the reference") {
  const auto first_entry = [](Index tokens, double strength, bool guard, bool zeroes, double alpha = 0) {
    const auto weights = random_weights<float>(1, 1, tokens);
    const GraphAdjacencyOptions options{.threshold = -1,
                                        .alpha = alpha,
                                        .zero_below_epsilon = zeroes,
                                        .use_distance_scaling = true,
                                        .distance_strength = strength,
                                        .distance_scaling = DistanceScaling::linear,
                                        .distance_zero_guard = guard};
    Inference inference;
    return shape_adjacency(inference, weights, {}, options).data()[0];
  };
  for (const auto& [tokens, strength] : {std::pair(Index{1}, 1.0), std::pair(Index{3}, 0.0)}) {
    CHECK(first_entry(tokens, strength, true, false) == 0);
    CHECK(std::isnan(first_entry(tokens, strength, false, false)));
    for (const bool guard : {false, true}) {  // a comparison with NaN keeps nothing, whatever 0 would become
      CHECK(first_entry(tokens, strength, guard, true) == 0);
      CHECK(first_entry(tokens, strength, guard, true, 10) == 0);
    }
    CHECK(first_entry(tokens, strength, true, false, 10) > 0.99F);
  }
}

TEST_CASE("what divides 0 by 0 and is no edge gives no gradient") {
  auto weights = random_weights<double>(1, 2, 1);
  const GraphAdjacencyOptions options{
      .threshold = -1, .use_distance_scaling = true, .distance_scaling = DistanceScaling::linear};
  Tape tape;
  const auto w = tape.watch(weights);
  const auto adjacency = shape_adjacency(tape, w, {}, options);
  tape.backward(sum(tape, adjacency));
  CHECK(to_vector(tape.gradient(w)) == std::vector<double>(2, 0));
}

TEST_CASE("Factors of distances are finite where the values themselves overflow") {
  for (const auto method : {DistanceScaling::exp, DistanceScaling::power}) {
    std::vector<double> factors(2000);
    detail::fill_distance_factors({.distance_strength = 150, .distance_scaling = method}, 2000, factors.data());
    CHECK(factors[1999] == 1);
    CHECK(factors[0] == 0);
    const double ratio = method == DistanceScaling::exp ? std::exp(-150) : std::pow(299701.0 / 299851.0, 150);
    CHECK(factors[1998] == Approx(ratio).epsilon(1e-9));
  }
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

TEST_CASE("The adjacency and its network have the same bits for any number of threads") {
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

TEMPLATE_TEST_CASE("The network over heads agrees with the naive form", "", float, double) {
  using T = TestType;
  for (const Index keys : {0, 1, 7, 63, 64, 65}) {
    for (const Index hidden : {1, 5}) {
      const Index queries = hidden == 1 ? keys : (keys + 1) / 2;  // the last rows, as in decoding
      const AdjacencyMLPSize size{2, 3, queries, keys, hidden};
      const auto a = random_tensor<T>(Maps(2, 3, queries, keys), 1);
      const auto w0 = random_tensor<T>(Shape<Dyn, 3>(hidden), 2);
      const auto b0 = random_tensor<T>(Shape<Dyn>(hidden), 3);
      const auto w3 = random_tensor<T>(Shape<1, Dyn>(hidden), 4);
      const auto b3 = random_tensor<T>(Shape<1>(), 5);
      const auto as = wide(a), w0s = wide(w0), b0s = wide(b0), w3s = wide(w3), b3s = wide(b3);
      std::vector<Wide<T>> expected(static_cast<std::size_t>(2 * queries * keys));
      kernels::adjacency_mlp_naive<Wide<T>>(size, as.data(), {w0s.data(), b0s.data(), w3s.data(), b3s.data()},
                                            expected.data());
      Inference inference;
      CHECK(error_in_epsilons(adjacency_mlp(inference, a, w0, b0, w3, b3), expected,
                              (1 + norm_of(w3s)) * (8 * norm_of(w0s) + norm_of(b0s))) < 8);
    }
  }
}

TEST_CASE("The network over heads names what does not fit") {
  Inference inference;
  const auto w0 = random_tensor<double>(Shape<4, Dyn>(3), 1);
  const auto b0 = random_tensor<double>(Shape<Dyn>(4), 2);
  const auto w3 = random_tensor<double>(Shape<1, Dyn>(4), 3);
  const auto b3 = random_tensor<double>(Shape<1>(), 4);
  CHECK_THROWS_WITH(adjacency_mlp(inference, random_weights<double>(1, 2, 5), w0, b0, w3, b3),
                    Catch::Matchers::ContainsSubstring("w0 must have one column for each head of a, found 2"));
  const auto narrow = random_tensor<double>(Shape<1, Dyn>(3), 3);
  CHECK_THROWS_WITH(adjacency_mlp(inference, random_weights<double>(1, 3, 5), w0, b0, narrow, b3),
                    Catch::Matchers::ContainsSubstring("w3 must have one value for each row of w0"));
}
