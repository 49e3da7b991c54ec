// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/head_aggregate/head_aggregate.hpp"
#include "weft/ops/head_aggregate/head_aggregate_naive.hpp"
#include "weft/ops/hop_sum/hop_sum.hpp"
#include "weft/ops/hop_sum/hop_sum_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Rows = Shape<Dyn, Dyn, Dyn>;
using Square = Shape<Dyn, Dyn, Dyn, Dyn>;

template <class T>
void make_causal(Tensor<T, Square>& a) {
  const Index queries = a.extent(2), keys = a.extent(3);
  for (Index i = 0; i < a.size(); ++i) {
    if (i % keys > i / keys % queries + keys - queries) a.data()[i] = 0;
  }
}

/// ε and the αs of every head.
template <class T>
struct Numbers {
  using Parameters = std::vector<Parameter<T, Shape<>>>;
  Parameters epsilons, first, second, third;

  explicit Numbers(Index heads) {
    for (Index head = 0; head < heads; ++head) {
      for (auto* list : {&epsilons, &first, &second, &third}) {
        list->emplace_back(Shape<>());
        list->back().data()[0] = static_cast<T>(0.3 + 0.2 * static_cast<double>(head));
      }
    }
  }
  std::array<const Parameters*, 1> one() const { return {&first}; }
  std::array<const Parameters*, 3> three() const { return {&first, &second, &third}; }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string&) {
    for (auto* list : {&self.epsilons, &self.first, &self.second, &self.third}) {
      for (auto& number : *list) visit(ParameterName("number"), number);
    }
  }
};

}  // namespace

TEST_CASE("head_aggregate agrees with the naive form for awkward sizes, causal or not") {
  for (const auto& size : {HeadAggregateSize{1, 1, 1, 1, 1}, HeadAggregateSize{2, 3, 7, 7, 5},
                           HeadAggregateSize{1, 2, 67, 67, 17}, HeadAggregateSize{2, 1, 3, 130, 9}}) {
    for (const bool causal : {false, true}) {
      auto a = random_tensor<float>(Square(size.batch, size.heads, size.queries, size.keys), 1);
      if (causal) make_causal(a);
      const auto u = random_tensor<float>(Rows(size.batch, size.keys, size.width()), 2);
      std::vector<float> expected(static_cast<std::size_t>(size.batch * size.queries * size.width()));
      kernels::head_aggregate_naive(size, a.data(), u.data(), expected.data());
      Inference inference;
      CHECK(largest_difference(to_vector(head_aggregate(inference, a, u)), expected) < 2e-5);
    }
  }
}

TEST_CASE("head_aggregate's derivatives agree with finite differences, with known and unknown extents") {
  auto a = random_tensor<double>(Shape<2, Dyn, 3, Dyn>(2, 4), 1);
  auto u = random_tensor<double>(Shape<Dyn, 4, 6>(2), 2);
  a.data()[3] = a.data()[7] = 0;  // rows that end early
  const auto function = [](auto& context, auto& x, auto& y) { return head_aggregate(context, x, y); };
  CHECK(gradcheck(function, std::tie(a, u)).message == "gradcheck: 96 derivatives agree");
  Inference inference;
  static_assert(std::is_same_v<ShapeOf<decltype(head_aggregate(inference, a, u))>, Shape<Dyn, 3, 6>>);
}

TEST_CASE("hop_sum agrees with powers of the adjacency") {
  for (const auto& size : {HeadAggregateSize{1, 1, 1, 1, 1}, HeadAggregateSize{2, 2, 67, 67, 5}}) {
    auto a = random_tensor<double>(Square(size.batch, size.heads, size.queries, size.keys), 1, 0.2);
    make_causal(a);
    const auto x = random_tensor<double>(Rows(size.batch, size.keys, size.width()), 2);
    Numbers<double> numbers(size.heads);
    for (auto* list : {&numbers.epsilons, &numbers.first, &numbers.second, &numbers.third}) {
      for (auto& number : *list) number.data()[0] = 0.5;
    }
    std::vector<double> expected(static_cast<std::size_t>(x.size()));
    kernels::hop_sum_naive(size, 0.5, {0.5, 0.5, 0.5}, a.data(), x.data(), expected.data());
    Inference inference;
    CHECK(largest_difference(to_vector(hop_sum(inference, a, x, numbers.epsilons, numbers.three())), expected) < 1e-11);
    kernels::hop_sum_naive(size, 0.5, {0.5}, a.data(), x.data(), expected.data());
    CHECK(largest_difference(to_vector(hop_sum(inference, a, x, numbers.epsilons, numbers.one())), expected) < 1e-11);
  }
}

TEST_CASE("hop_sum's derivatives agree with finite differences") {
  auto a = random_tensor<double>(Square(2, 2, 5, 5), 1, 0.5);
  auto x = random_tensor<double>(Rows(2, 5, 6), 2);
  Numbers<double> numbers(2);
  const auto three = [&](auto& context, auto& adjacency, auto& values) {
    return hop_sum(context, adjacency, values, numbers.epsilons, numbers.three());
  };
  CHECK(gradcheck(three, std::tie(a, x), numbers).message == "gradcheck: 168 derivatives agree");
  auto typed_a = random_tensor<double>(Shape<2, 2, 5, 5>(), 1, 0.5);
  auto typed_x = random_tensor<double>(Shape<2, 5, 6>(), 2);
  CHECK(gradcheck(three, std::tie(typed_a, typed_x), numbers).passed);
  const auto constant = [&](auto& context, auto& values) {
    return hop_sum(context, a, values, numbers.epsilons, numbers.one());
  };
  CHECK(gradcheck(constant, std::tie(x)).passed);
}

TEST_CASE("head_aggregate and hop_sum give the same bits for any number of threads") {
  auto a = random_tensor<float>(Square(1, 3, 70, 70), 1);
  make_causal(a);
  auto x = random_tensor<float>(Rows(1, 70, 3 * 11), 2);
  Numbers<float> numbers(3);
  const auto gradients = [&](auto&& function) {
    return same_bits_for_any_thread_count([&] {
      Tape tape;
      const auto as = tape.watch(a);
      const auto xs = tape.watch(x);
      const auto y = function(tape, as, xs);
      tape.backward(y, TensorView<const float, Rows>(x.data(), x.shape()));
      auto all = to_vector(y);
      for (const auto& part : {to_vector(tape.gradient(as)), to_vector(tape.gradient(xs))}) {
        all.insert(all.end(), part.begin(), part.end());
      }
      return all;
    });
  };
  CHECK(gradients([](auto& tape, auto& as, auto& xs) { return head_aggregate(tape, as, xs); }));
  CHECK(gradients(
      [&](auto& tape, auto& as, auto& xs) { return hop_sum(tape, as, xs, numbers.epsilons, numbers.three()); }));
}

TEST_CASE("hop_sum_step appends to its levels and gives the last rows of hop_sum") {
  const Index tokens = 9;
  auto a = random_tensor<float>(Square(2, 2, tokens, tokens), 1, 0.4);
  make_causal(a);
  const auto x = random_tensor<float>(Rows(2, tokens, 6), 2);
  Numbers<float> numbers(2);
  Inference inference;
  const auto expected = hop_sum(inference, a, x, numbers.epsilons, numbers.three());
  std::vector<float> memory(3 * 2 * 12 * 6);
  HopLevels<float> levels{{memory.data(), memory.data() + 144, memory.data() + 288}, 12, 0};
  for (const Index count : {Index{4}, Index{1}, Index{4}}) {
    Tensor<float, Square> rows(Square(2, 2, count, levels.length + count));
    Tensor<float, Rows> own(Rows(2, count, 6));
    for (Index b = 0; b < 2; ++b) {
      for (Index i = 0; i < count; ++i) {
        for (Index head = 0; head < 2; ++head) {
          for (Index j = 0; j < levels.length + count; ++j) rows(b, head, i, j) = a(b, head, levels.length + i, j);
        }
        for (Index c = 0; c < 6; ++c) own(b, i, c) = x(b, levels.length + i, c);
      }
    }
    const auto y = hop_sum_step(inference, rows, own, numbers.epsilons, numbers.three(), levels);
    for (Index b = 0; b < 2; ++b) {
      for (Index i = 0; i < count; ++i) {
        for (Index c = 0; c < 6; ++c) CHECK(y(b, i, c) == Approx(expected(b, levels.length + i, c)).margin(1e-5));
      }
    }
    levels.length += count;
  }
  const auto late = random_tensor<float>(Rows(2, 1, 6), 3);
  CHECK_THROWS_WITH(hop_sum_step(inference, a, late, numbers.epsilons, numbers.three(), levels),
                    Catch::Matchers::ContainsSubstring("[batch, heads, new tokens, cached + new tokens]"));
}

TEST_CASE("head_aggregate and hop_sum say what does not fit") {
  const Tensor<float, Square> a(Square(1, 2, 3, 4));
  const Tensor<float, Rows> u(Rows(1, 4, 5));
  const Tensor<float, Rows> fitting(Rows(1, 4, 6));
  Inference inference;
  CHECK_THROWS_WITH(head_aggregate(inference, a, u),
                    "head_aggregate(a, u): the last axis of u must be heads * dim, found 5 for 2 heads");
  CHECK_THROWS_WITH(hop_sum(inference, a, fitting, Numbers<float>(2).epsilons, Numbers<float>(2).one()),
                    Catch::Matchers::ContainsSubstring("a must be square"));
}
