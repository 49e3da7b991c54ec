// SPDX-License-Identifier: Apache-2.0
// The operations of LlamaMLP_HalfwayGIN_MultiAggregation: offset_attention, neighbour_max, head_features.
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/head_features/head_features.hpp"
#include "weft/ops/neighbour_max/neighbour_max.hpp"
#include "weft/ops/offset_attention/offset_attention.hpp"
#include "weft/ops/offset_attention/offset_attention_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

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

/// ε and α of two heads.
struct Numbers {
  std::vector<Parameter<double, Shape<>>> epsilons, alphas;

  Numbers() {
    for (const double value : {0.3, 0.6}) {
      for (auto* list : {&epsilons, &alphas}) {
        list->emplace_back(Shape<>());
        list->back().data()[0] = value;
      }
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
}

TEST_CASE("neighbour_max takes the largest neighbour of every channel") {
  const auto a = edges<float>(Square(2, 3, 9, 9), true, 1);
  const auto u = random_tensor<float>(Rows(2, 9, 3 * 5), 2);
  Inference inference;
  const auto y = neighbour_max(inference, a, u);
  for (Index b = 0; b < 2; ++b) {
    for (Index i = 0; i < 9; ++i) {
      for (Index c = 0; c < 15; ++c) {
        float expected = i == 8 ? 0.0F : u(b, Index{0}, c);
        for (Index j = 0; j <= i && i < 8; ++j) expected = std::max(expected, u(b, j, c));
        CHECK(y(b, i, c) == expected);
      }
    }
  }
}

TEST_CASE("the derivatives of neighbour_max and head_features agree with finite differences") {
  const auto a = edges<double>(Square(2, 2, 4, 4), true, 1);
  auto u = random_tensor<double>(Rows(2, 4, 6), 2);
  auto s = random_tensor<double>(Rows(2, 4, 6), 3);
  auto t = random_tensor<double>(Rows(2, 4, 6), 4);
  CHECK(gradcheck([&](auto& context, auto& x) { return neighbour_max(context, a, x); }, std::tie(u)).passed);
  Numbers numbers;
  const auto features = [&](auto& context, auto& x, auto& y, auto& z) {
    return head_features(context, x, y, x, z, numbers.epsilons, numbers.alphas);
  };
  CHECK(gradcheck(features, std::tie(u, s, t), numbers).message == "gradcheck: 148 derivatives agree");
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
