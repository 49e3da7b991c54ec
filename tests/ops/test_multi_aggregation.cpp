// SPDX-License-Identifier: Apache-2.0
// The operations of LlamaMLP_HalfwayGIN_MultiAggregation: offset_attention, neighbour_max, head_features.
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/head_features/head_features.hpp"
#include "weft/ops/head_features/head_features_naive.hpp"
#include "weft/ops/neighbour_max/neighbour_max.hpp"
#include "weft/ops/neighbour_max/neighbour_max_naive.hpp"
#include "weft/ops/offset_attention/offset_attention.hpp"
#include "weft/ops/offset_attention/offset_attention_naive.hpp"

#include "ops/naive_checks.hpp"
#include "ops/op_checks.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Rows = Shape<Dyn, Dyn, Dyn>;
using Square = Shape<Dyn, Dyn, Dyn, Dyn>;

/// Entries in (0.1, ...), some of them 0; the last row of every head has none.
template <class T>
Tensor<T, Square> edges(const Square& shape, bool with_zeros, std::uint64_t seed) {
  auto a = random_tensor<T>(shape, seed);
  const Index keys = shape[3];
  for (Index i = 0; i < a.size(); ++i) {
    a.data()[i] = std::abs(a.data()[i]) + T(0.1);
    const Index row = i / keys % shape[2];
    if (with_zeros && (i % keys > row || row + 1 == shape[2])) a.data()[i] = 0;
  }
  return a;
}

/// ε and α of every head.
template <class T>
struct Numbers {
  std::vector<Parameter<T, Shape<>>> epsilons, alphas;

  explicit Numbers(Index heads) {
    for (Index head = 0; head < heads; ++head) {
      epsilons.emplace_back(Shape<>());
      epsilons.back().data()[0] = static_cast<T>(0.3 * static_cast<double>(head + 1));
      alphas.emplace_back(Shape<>());
      alphas.back().data()[0] = static_cast<T>(0.7 - 0.4 * static_cast<double>(head));
    }
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string&) {
    for (auto& number : self.epsilons) visit(ParameterName("epsilon"), number);
    for (auto& number : self.alphas) visit(ParameterName("alpha"), number);
  }
};

}  // namespace

TEST_CASE("offset_attention agrees with the naive form for awkward sizes and both masks") {
  for (const auto& shape : {Square(1, 1, 1, 1), Square(2, 3, 7, 7), Square(1, 2, 67, 67)}) {
    for (const FutureMask mask : {FutureMask::soft_log, FutureMask::hard}) {
      const Index dim = 5, width = shape[1] * dim;
      const auto a = edges<float>(shape, true, 1);
      const auto q = random_tensor<float>(Rows(shape[0], shape[2], width), 2);
      const auto k = random_tensor<float>(Rows(shape[0], shape[2], width), 3);
      const auto v = random_tensor<float>(Rows(shape[0], shape[2], width), 4);
      const OffsetAttentionInput<float> in{
          {shape[0], shape[1], shape[2], shape[3], dim}, mask, 0.5F, q.data(), k.data(), v.data(), a.data()};
      std::vector<float> expected(static_cast<std::size_t>(v.size()));
      kernels::offset_attention_naive(in, expected.data());
      Inference inference;
      CHECK(largest_difference(to_vector(offset_attention(inference, q, k, v, a, 0.5, mask)), expected) < 2e-5);
    }
  }
}

TEST_CASE("offset_attention keeps packed sequences apart, whatever the adjacency says") {
  auto q = random_tensor<double>(Rows(2, 4, 6), 1);
  auto k = random_tensor<double>(Rows(2, 4, 6), 2);
  auto v = random_tensor<double>(Rows(2, 4, 6), 3);
  auto a = edges<double>(Square(2, 2, 4, 4), false, 4);
  const std::int32_t first[] = {0, 0, 2, 2, 0, 1, 1, 3};
  for (const FutureMask mask : {FutureMask::soft_log, FutureMask::hard}) {
    const OffsetAttentionInput<double> in{{2, 2, 4, 4, 3}, mask, 0.7, q.data(), k.data(), v.data(), a.data(), first};
    std::vector<double> expected(static_cast<std::size_t>(v.size()));
    kernels::offset_attention_naive(in, expected.data());
    const auto packed = [&](auto& context, auto&... all) {
      return offset_attention(context, all..., 0.7, mask, first);
    };
    Inference inference;
    CHECK(largest_difference(to_vector(packed(inference, q, k, v, a)), expected) < 1e-12);
    CHECK(expected[24] == v.data()[24]);  // the first sequence of the second text is one token
    CHECK(gradcheck(packed, std::tie(q, k, v, a)).passed);
  }
}

TEST_CASE("offset_attention's derivatives agree with finite differences") {
  auto q = random_tensor<double>(Rows(2, 4, 6), 1);
  auto k = random_tensor<double>(Rows(2, 4, 6), 2);
  auto v = random_tensor<double>(Rows(2, 4, 6), 3);
  auto positive = edges<double>(Square(2, 2, 4, 4), false, 4);
  const auto soft = [](auto& context, auto& a, auto& b, auto& c, auto& e) {
    return offset_attention(context, a, b, c, e, 0.7);
  };
  CHECK(gradcheck(soft, std::tie(q, k, v, positive)).message == "gradcheck: 208 derivatives agree");
  const auto causal = edges<double>(Square(2, 2, 4, 4), true, 4);
  const auto hard = [&](auto& context, auto& a, auto& b, auto& c) {
    return offset_attention(context, a, b, c, causal, 0.7, FutureMask::hard);
  };
  CHECK(gradcheck(hard, std::tie(q, k, v)).passed);
  auto typed_q = random_tensor<double>(Shape<2, 4, 6>(), 1);
  auto typed_k = random_tensor<double>(Shape<2, 4, 6>(), 2);
  auto typed_v = random_tensor<double>(Shape<2, Dyn, 6>(4), 3);
  CHECK(gradcheck(soft, std::tie(typed_q, typed_k, typed_v, positive)).passed);
}

TEMPLATE_TEST_CASE("neighbour_max is that of the naive form, bit for bit", "", float, double) {
  using T = TestType;
  for (const auto& size : {HeadAggregateSize{0, 1, 2, 2, 3}, HeadAggregateSize{1, 1, 1, 1, 1},
                           HeadAggregateSize{2, 3, 9, 9, 5}, HeadAggregateSize{1, 2, 3, 67, 17}}) {
    const auto a = edges<T>(Square(size.batch, size.heads, size.queries, size.keys), true, 1);
    auto u = random_tensor<T>(Rows(size.batch, size.keys, size.width()), 2);
    for (Index i = 0; i < u.size(); i += 7) u.data()[i] = T(0.5);  // several of one value
    std::vector<T> expected(static_cast<std::size_t>(size.batch * size.queries * size.width()));
    kernels::neighbour_max_naive(size, a.data(), u.data(), expected.data());
    Inference inference;
    const auto y = neighbour_max(inference, a, u);
    CHECK(std::equal(expected.begin(), expected.end(), y.data(), y.data() + y.size()));
  }
}

TEMPLATE_TEST_CASE("head_features agrees with the naive form", "", float, double) {
  using T = TestType;
  for (const auto& size :
       {HeadFeaturesSize{0, 2, 3}, HeadFeaturesSize{1, 1, 1}, HeadFeaturesSize{7, 3, 17}, HeadFeaturesSize{5, 2, 8}}) {
    std::vector<Tensor<T, Rows>> parts;
    for (const std::uint64_t seed : {1, 2, 3, 4})
      parts.push_back(random_tensor<T>(Rows(1, size.rows, size.width()), seed));
    const Numbers<T> numbers(size.heads);
    std::vector<Wide<T>> values[4], epsilons, alphas;
    for (std::size_t part = 0; part < 4; ++part) values[part] = wide(parts[part]);
    for (std::size_t head = 0; head < numbers.epsilons.size(); ++head) {
      epsilons.push_back(static_cast<Wide<T>>(numbers.epsilons[head].data()[0]));
      alphas.push_back(static_cast<Wide<T>>(numbers.alphas[head].data()[0]));
    }
    std::vector<Wide<T>> expected(static_cast<std::size_t>(size.rows * size.width() * 4));
    kernels::head_features_naive<Wide<T>>(size,
                                          {values[0].data(), values[1].data(), values[2].data(), values[3].data()},
                                          epsilons, alphas, expected.data());
    Inference inference;
    const auto y = head_features(inference, parts[0], parts[1], parts[2], parts[3], numbers.epsilons, numbers.alphas);
    CHECK(error_in_epsilons(y, expected, 1 + norm_of(values[0])) < 2);
  }
}

TEST_CASE("the derivatives of neighbour_max and head_features agree with finite differences, static and dynamic") {
  const auto a = edges<double>(Square(2, 2, 4, 4), true, 1);
  auto u = random_tensor<double>(Rows(2, 4, 18), 2);
  auto s = random_tensor<double>(Rows(2, 4, 18), 3);
  auto t = random_tensor<double>(Rows(2, 4, 18), 4);
  auto fixed = random_tensor<double>(Shape<2, 4, 6>(), 2);
  const auto largest = [&](auto& context, auto& x) { return neighbour_max(context, a, x); };
  CHECK(gradcheck(largest, std::tie(u)).passed);
  CHECK(gradcheck(largest, std::tie(fixed)).passed);
  Numbers<double> numbers(2);
  const auto features = [&](auto& context, auto& x, auto& y, auto& z) {
    return head_features(context, x, y, x, z, numbers.epsilons, numbers.alphas);
  };
  CHECK(gradcheck(features, std::tie(u, s, t), numbers).message == "gradcheck: 436 derivatives agree");
  auto fixed_sum = random_tensor<double>(Shape<2, 4, 6>(), 3);
  auto fixed_attended = random_tensor<double>(Shape<2, 4, 6>(), 4);
  CHECK(gradcheck(features, std::tie(fixed, fixed_sum, fixed_attended), numbers).passed);
}

TEST_CASE("the operations of multi-aggregation give the same bits for any number of threads") {
  const auto a = edges<float>(Square(1, 3, 70, 70), true, 1);
  auto u = random_tensor<float>(Rows(1, 70, 3 * 11), 2);
  const auto bits = [&](auto&& function) {
    return same_bits_for_any_thread_count([&] {
      Tape tape;
      const auto us = tape.watch(u);
      const auto y = function(tape, us);
      tape.backward(y, TensorView<const float, Rows>(u.data(), u.shape()));
      auto all = to_vector(y);
      const auto gradient = to_vector(tape.gradient(us));
      all.insert(all.end(), gradient.begin(), gradient.end());
      return all;
    });
  };
  CHECK(bits([&](auto& tape, auto& us) { return offset_attention(tape, us, us, us, a, 0.5); }));
  CHECK(bits([&](auto& tape, auto& us) { return neighbour_max(tape, a, us); }));
  auto wide_u = random_tensor<float>(Rows(2, 150, 3 * 70), 2);
  const Numbers<float> numbers(3);
  const auto features = [&](auto& context, auto& x) {
    return head_features(context, x, x, x, x, numbers.epsilons, numbers.alphas);
  };
  check_operation(features, wide_u);
}

TEST_CASE("offset_attention says what does not fit, and negative entries are found") {
  Tensor<float, Square> a(Square(1, 2, 3, 3));
  const Tensor<float, Rows> v(Rows(1, 3, 4)), other(Rows(1, 3, 6));
  Inference inference;
  CHECK_THROWS_WITH(offset_attention(inference, other, v, v, a, 1.0),
                    Catch::Matchers::ContainsSubstring("q, k and v must have one shape"));
  std::fill_n(a.data(), a.size(), 0.0F);
  CHECK_FALSE(has_negative(inference, a));
  a.data()[17] = -1e-9F;
  CHECK(has_negative(inference, a));
}

TEST_CASE("neighbour_max and head_features say what does not fit") {
  const Tensor<float, Square> a(Square(1, 2, 3, 3));
  const Tensor<float, Rows> u(Rows(1, 3, 5)), fitting(Rows(1, 3, 6)), other(Rows(1, 4, 6));
  Inference inference;
  CHECK_THROWS_WITH(neighbour_max(inference, a, u),
                    "neighbour_max(a, u): the last axis of u must be heads * dim, found 5 for 2 heads");
  CHECK_THROWS_WITH(neighbour_max(inference, a, other),
                    Catch::Matchers::ContainsSubstring("must equal the middle axis of u"));
  const Numbers<float> two(2), three(3);
  const auto features = [&](const auto& x, const auto& y, const auto& epsilons, const auto& alphas) {
    return head_features(inference, x, x, x, y, epsilons, alphas);
  };
  CHECK_THROWS_WITH(features(fitting, other, two.epsilons, two.alphas),
                    "head_features: self and attended must have the same shape, found [1, 3, 6] and [1, 4, 6]");
  CHECK_THROWS_WITH(features(u, u, two.epsilons, two.alphas),
                    "head_features: the last axis of self must be heads * dim, found 5 for 2 heads");
  CHECK_THROWS_WITH(features(fitting, fitting, two.epsilons, three.alphas),
                    "head_features: there must be one epsilon and one alpha for each head, found 2 and 3");
}
