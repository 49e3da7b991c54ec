// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <span>

#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/gin/gin.hpp"
#include "weft/ops/gin/gin_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::largest_difference;
using weft::testing::random_tensor;
using weft::testing::randomize_parameters;
using weft::testing::same_bits_for_any_thread_count;
using weft::testing::to_vector;

namespace {

template <class T, auto Dim, auto Hidden>
struct Head {
  Parameter<T, Shape<>> epsilon;
  Parameter<T, Shape<Hidden>> normlayer_weight;
  Parameter<T, Shape<Hidden, Dim>> mlp0_weight;
  Parameter<T, Shape<Hidden>> mlp0_bias;
  Parameter<T, Shape<Dim, Hidden>> mlp4_weight;
  Parameter<T, Shape<Dim>> mlp4_bias;

  Head(Index dim, Index hidden)
      : epsilon(Shape<>()),
        normlayer_weight(Shape<Hidden>::from({hidden})),
        mlp0_weight(Shape<Hidden, Dim>::from({hidden, dim})),
        mlp0_bias(Shape<Hidden>::from({hidden})),
        mlp4_weight(Shape<Dim, Hidden>::from({dim, hidden})),
        mlp4_bias(Shape<Dim>::from({dim})) {}

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName(prefix + "epsilon"), self.epsilon);
    visit(ParameterName(prefix + "normlayer_weight"), self.normlayer_weight);
    visit(ParameterName(prefix + "mlp0_weight"), self.mlp0_weight);
    visit(ParameterName(prefix + "mlp0_bias"), self.mlp0_bias);
    visit(ParameterName(prefix + "mlp4_weight"), self.mlp4_weight);
    visit(ParameterName(prefix + "mlp4_bias"), self.mlp4_bias);
  }
};

template <class T, auto Dim = Dyn, auto Hidden = Dyn>
struct Heads {
  std::vector<Head<T, Dim, Hidden>> all;

  Heads(Index count, Index dim, Index hidden, std::uint64_t seed = 100) {
    for (Index n = 0; n < count; ++n) {
      all.emplace_back(dim, hidden);
      randomize_parameters(all.back(), seed + 10 * static_cast<std::uint64_t>(n), 0.7);
    }
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for (std::size_t n = 0; n < self.all.size(); ++n) for_each_parameter(self.all[n], visit, concat(prefix, n, "."));
  }
};

/// Every gradient of a backward pass, one after the other.
template <class T, class Layer>
std::vector<T> all_gradients(const Layer& layer) {
  std::vector<T> all;
  for_each_parameter(layer, [&](const ParameterName&, const auto& parameter) {
    const auto gradient = parameter.gradient();
    all.insert(all.end(), gradient.data(), gradient.data() + gradient.size());
  });
  return all;
}

struct Case {
  GINSize size;
  GINUpdateOptions options{};
  bool dropout = false;
  bool residual = false;
};

/// The result and all gradients: x, aggregated, then parameters.
template <class T>
std::vector<T> run_operation(const Case& c, const Heads<T>& heads) {
  auto x = random_tensor<T>(Shape<1, Dyn, Dyn>(c.size.rows, c.size.input_width()), 1);
  auto aggregated = random_tensor<T>(Shape<1, Dyn, Dyn>(c.size.rows, c.size.width()), 2);
  auto residual = random_tensor<T>(aggregated.shape(), 3);
  const auto dy = random_tensor<T>(aggregated.shape(), 4);
  for (const auto& head : heads.all) {
    for_each_parameter(head, [](const ParameterName&, const auto& parameter) {
      if (parameter.gradient_slot() != nullptr) parameter.gradient_slot()->filled = false;
    });
  }
  Tape tape;
  if (c.dropout) tape.enable_dropout(Rng(5));
  const auto watched_x = tape.watch(x);
  const auto watched_aggregated = tape.watch(aggregated);
  std::vector<T> results;
  const auto finish = [&](const auto& y) {
    results = to_vector(y);
    tape.backward(y, TensorView<const T, ShapeOf<decltype(y)>>(dy.data(), y.shape()));
  };
  if (c.residual) {
    finish(gin_update(tape, watched_x, watched_aggregated, heads.all, c.options, residual));
  } else {
    finish(gin_update(tape, watched_x, watched_aggregated, heads.all, c.options));
  }
  for (const auto& gradient :
       {to_vector(tape.gradient(watched_x)), to_vector(tape.gradient(watched_aggregated)), all_gradients<T>(heads)}) {
    results.insert(results.end(), gradient.begin(), gradient.end());
  }
  return results;
}

template <class T>
GINHead<T> plain(const Head<T, Dyn, Dyn>& head) {
  return {{head.epsilon.data(), nullptr},   {head.normlayer_weight.data(), nullptr}, {head.mlp0_weight.data(), nullptr},
          {head.mlp0_bias.data(), nullptr}, {head.mlp4_weight.data(), nullptr},      {head.mlp4_bias.data(), nullptr}};
}

/// The same by the naive kernels.
template <class T>
std::vector<T> run_naive(const Case& c, const Heads<T>& heads) {
  const auto x = random_tensor<T>(Shape<Dyn, Dyn>(c.size.rows, c.size.input_width()), 1);
  const auto aggregated = random_tensor<T>(Shape<Dyn, Dyn>(c.size.rows, c.size.width()), 2);
  const auto residual = random_tensor<T>(aggregated.shape(), 3);
  const auto dy = random_tensor<T>(aggregated.shape(), 4);
  Rng streams(5);
  const GINRules rules{c.options.rms_norm_eps, c.options.self_term,
                       DropoutMask(streams.next_stream(), c.dropout ? c.options.dropout_rate : 0)};
  std::vector<GINHead<T>> parameters;
  for (const auto& head : heads.all) parameters.push_back(plain(head));

  const auto head_size = static_cast<std::size_t>(1 + 2 * c.size.hidden + c.size.dim + 2 * c.size.hidden * c.size.dim);
  std::vector<T> results(static_cast<std::size_t>(x.size() + 2 * aggregated.size()) + head_size * heads.all.size());
  T* dx = results.data() + aggregated.size();
  T* daggregated = dx + x.size();
  T* next = daggregated + aggregated.size();
  const auto take = [&](Index count) {
    const GradientTarget<T> target{next, true};
    next += count;
    return target;
  };
  std::vector<GINHeadTargets<T>> targets(heads.all.size());
  for (auto& target : targets) {
    target.epsilon = take(1);
    target.norm_weight = take(c.size.hidden);
    target.mlp0_weight = take(c.size.hidden * c.size.dim);
    target.mlp0_bias = take(c.size.hidden);
    target.mlp4_weight = take(c.size.hidden * c.size.dim);
    target.mlp4_bias = take(c.size.dim);
  }
  kernels::gin_naive(c.size, rules, x.data(), aggregated.data(), parameters.data(),
                     c.residual ? residual.data() : nullptr, results.data());
  kernels::gin_backward_naive(c.size, rules, x.data(), aggregated.data(), parameters.data(), dy.data(), dx, daggregated,
                              targets.data());
  return results;
}

/// Both in double, and the fast one in float beside it.
void compare_with_naive(const Case& c) {
  INFO("rows " << c.size.rows << ", heads " << c.size.heads << " on " << c.size.key_value_heads << ", dim "
               << c.size.dim << ", hidden " << c.size.hidden << (c.dropout ? ", dropout" : ""));
  const Heads<double> heads(c.size.heads, c.size.dim, c.size.hidden);
  const auto expected = run_naive(c, heads);
  const auto found = run_operation(c, heads);
  double norm = 1;
  for (const double value : expected) norm = std::max(norm, std::abs(value));
  // A result passes three sums and a norm: their lengths bound how far rounding carries, relative to the largest value.
  const double length = static_cast<double>(c.size.dim + c.size.hidden + c.size.rows);
  CHECK(largest_difference(found, expected) <= 4 * length * norm * std::numeric_limits<double>::epsilon());
  const Heads<float> float_heads(c.size.heads, c.size.dim, c.size.hidden);
  CHECK(largest_difference(run_operation(c, float_heads), expected) <=
        4 * length * norm * static_cast<double>(std::numeric_limits<float>::epsilon()));
}

}  // namespace

TEST_CASE("gin_update agrees with the naive form for every awkward size") {
  compare_with_naive({{0, 2, 2, 3, 2}});
  compare_with_naive({{1, 1, 1, 1, 1}});
  compare_with_naive({{33, 6, 2, 400, 5}});  // too wide for all heads at once, and three of them share a slice of x
  for (const Index rows : {1, 7, 32, 33, 130}) {
    compare_with_naive({{rows, 2, 2, 16, 8}, {}, false, true});
    compare_with_naive({{rows, 3, 1, 17, 33}, {.rms_norm_eps = 1e-3}, false, false});
    compare_with_naive({{rows, 4, 2, 70, 35}, {.self_term = GINSelfTerm::one_plus_epsilon}, true, true});
    compare_with_naive({{rows, 2, 2, 5, 67}, {.dropout_rate = 0.5}, true, false});
  }
}

TEST_CASE("gin_update's derivatives agree with finite differences") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn, 6>(2, 2), 1);
  auto aggregated = random_tensor<double>(Shape<Dyn, Dyn, 12>(2, 2), 2);
  auto residual = random_tensor<double>(Shape<Dyn, Dyn, 12>(2, 2), 3);
  Heads<double> dynamic(4, 3, 2);
  Heads<double, 3, 2> fixed(4, 3, 2);
  const auto update = [](const auto& heads, GINSelfTerm self_term) {
    return [&heads, self_term](auto& context, auto& own, auto& gathered, auto& shortcut) {
      return gin_update(context, own, gathered, heads.all, {.self_term = self_term}, shortcut);
    };
  };
  CHECK(gradcheck(update(dynamic, GINSelfTerm::epsilon), std::tie(x, aggregated, residual), dynamic).message ==
        "gradcheck: 200 derivatives agree");
  CHECK(gradcheck(update(fixed, GINSelfTerm::one_plus_epsilon), std::tie(x, aggregated, residual), fixed).passed);
}

TEST_CASE("gin_update adds up the contributions of one tensor in several roles") {
  auto x = random_tensor<double>(Shape<1, 3, 4>(), 1);
  const Heads<double> heads(2, 2, 3);
  const auto thrice = [&](auto& context, auto& all) { return gin_update(context, all, all, heads.all, {}, all); };
  CHECK(gradcheck(thrice, std::tie(x)).message == "gradcheck: 12 derivatives agree");
}

TEST_CASE("gin_update takes arrays and spans of heads, and works without a tape") {
  const auto x = random_tensor<float>(Shape<1, Dyn, 4>(3), 1);
  const auto aggregated = random_tensor<float>(Shape<1, Dyn, 4>(3), 2);
  const Heads<float> heads(2, 2, 3);
  Inference inference;
  const auto from_vector = to_vector(gin_update(inference, x, aggregated, heads.all));
  CHECK(from_vector == to_vector(gin_update(inference, x, aggregated, std::span(heads.all))));
  Tape tape;
  CHECK(from_vector == to_vector(gin_update(tape, x, aggregated, heads.all)));
}

TEST_CASE("gin_update leaves frozen parameters and unwatched inputs without gradients") {
  const auto x = random_tensor<float>(Shape<1, 3, 4>(), 1);
  const auto aggregated = random_tensor<float>(Shape<1, 3, 4>(), 2);
  Heads<float> heads(2, 2, 3);
  set_trainable(heads, false);
  heads.all[1].mlp4_bias.set_trainable(true);
  Tape tape;
  const auto y = gin_update(tape, x, aggregated, heads.all);
  tape.backward(y, TensorView<const float, Shape<1, 3, 4>>(x.data(), {}));
  CHECK(heads.all[1].mlp4_bias.gradient()(0) == Approx(x(0, 0, 2) + x(0, 1, 2) + x(0, 2, 2)));
  CHECK_FALSE(heads.all[0].mlp4_bias.has_gradient());
  CHECK_FALSE(heads.all[1].mlp0_weight.has_gradient());
}

TEST_CASE("gin_update's dropout drops the share it is told and repeats with its seed") {
  const Case c{{500, 2, 2, 8, 40}, {.dropout_rate = 0.3}, true, false};
  const Heads<float> heads(2, 8, 40);
  CHECK(run_operation(c, heads) == run_operation(c, heads));
  const GINSize size{1000, 1, 1, 1, 40};
  std::vector<float> factors(40 * kGINPanelRows);
  Index dropped = 0;
  for (Index row = 0; row < 992; row += kGINPanelRows) {
    kernels::gin_dropout_factors(size, DropoutMask(Rng(3), 0.3), 0, row, factors.data());
    dropped += std::count(factors.begin(), factors.end(), 0.0F);
  }
  const double drawn = 40 * 992;
  CHECK(std::abs(static_cast<double>(dropped) - 0.3 * drawn) <
        5 * std::sqrt(drawn * 0.3 * 0.7));  // 5 standard deviations
}

TEST_CASE("gin_update's results have the same bits for any number of threads") {
  const Case many_heads{{300, 4, 4, 70, 35}, {}, true, true};
  const Heads<float> four(4, 70, 35);
  CHECK(same_bits_for_any_thread_count([&] { return run_operation(many_heads, four); }));
  const Case many_rows{{1100, 1, 1, 9, 20}, {}, false, false};
  const Heads<float> one(1, 9, 20);
  CHECK(same_bits_for_any_thread_count([&] { return run_operation(many_rows, one); }));
}

TEST_CASE("gin_update refuses shapes that do not fit") {
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 3, 4), 1);
  const auto aggregated = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 3, 4), 2);
  Inference inference;
  const Heads<float> three(3, 2, 3);
  CHECK_THROWS_WITH(
      gin_update(inference, x, aggregated, three.all),
      "gin_update(x, aggregated, heads): the last axis of aggregated must be heads * dim, found 4 for 3 heads "
      "of 2");
  const auto wide = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 3, 6), 1);
  CHECK_THROWS_WITH(gin_update(inference, x, wide, three.all),
                    "gin_update(x, aggregated, heads): the last axis of x must be key_value_heads * dim, where "
                    "key_value_heads divides the number of heads, found 4 for 3 heads of 2");
  Heads<float> mixed(2, 2, 3);
  mixed.all[1] = Head<float, Dyn, Dyn>(2, 5);
  CHECK_THROWS_WITH(
      gin_update(inference, x, aggregated, mixed.all),
      "gin_update(x, aggregated, heads): all heads must be of one size, found mlp0_weight [5, 2] after [3, 2]");
  const Heads<float> heads(2, 2, 3);
  CHECK_THROWS_WITH(
      gin_update(inference, x, aggregated, heads.all, {}, wide),
      "gin_update(x, aggregated, heads, options, residual): residual must have shape [1, 3, 4], found [1, 3, "
      "6]");
  CHECK_THROWS_WITH(gin_update(inference, x, aggregated, heads.all, {.dropout_rate = 1}),
                    Catch::Matchers::ContainsSubstring("dropout_rate must be in [0, 1), found 1"));
  const std::vector<Head<float, Dyn, Dyn>> nobody;
  CHECK_THROWS_WITH(gin_update(inference, x, aggregated, nobody),
                    "gin_update(x, aggregated, heads): there must be at least one head");
}
