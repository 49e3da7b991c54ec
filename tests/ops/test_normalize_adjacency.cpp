// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/normalize_adjacency/normalize_adjacency.hpp"
#include "weft/ops/normalize_adjacency/normalize_adjacency_naive.hpp"

#include "ops/naive_checks.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

template <class T>
Tensor<T, Shape<Dyn, Dyn>> causal_mask(Index nodes) {
  Tensor<T, Shape<Dyn, Dyn>> mask(Shape<Dyn, Dyn>(nodes, nodes));
  for (Index i = 0; i < nodes * nodes; ++i) mask.data()[i] = i % nodes <= i / nodes ? T{1} : T{0};
  return mask;
}

}  // namespace

TEST_CASE("normalize_adjacency divides by the roots of both degrees, and leaves nodes without edges alone") {
  const auto mask = causal_mask<float>(2);
  Tensor<float, Shape<2, 2>> a;
  const float entries[] = {4, 100, 3, 6};
  std::copy_n(entries, 4, a.data());
  Inference inference;
  auto y = normalize_adjacency(inference, a, mask);
  CHECK(y(0, 0) == Approx(1.0));
  CHECK(y(0, 1) == 0);
  CHECK(y(1, 0) == Approx(0.5));
  CHECK(y(1, 1) == Approx(6.0 / 9.0));
  a(0, 0) = 0;
  y = normalize_adjacency(inference, a, mask);
  CHECK(y(0, 0) == 0);
  CHECK(y(1, 0) == 0);
  CHECK(std::isfinite(y(1, 1)));
}

TEMPLATE_TEST_CASE("normalize_adjacency agrees with the naive product of matrices", "", float, double) {
  using T = TestType;
  for (const Index nodes : {0, 1, 2, 7, 17, 67}) {
    for (const Index matrices : {0, 1, 3}) {
      const auto mask = causal_mask<T>(nodes);
      auto a = random_tensor<T>(Shape<Dyn, Dyn, Dyn>(matrices, nodes, nodes), 1);
      for (T& entry : a.span()) entry = std::abs(entry) + T(0.1);
      for (Index j = 0; matrices > 0 && j < nodes; ++j) a(0, nodes / 2, j) = 0;  // a node without edges
      const auto values = wide(a), masks = wide(mask);
      std::vector<Wide<T>> expected(values.size());
      kernels::normalize_adjacency_naive(matrices, nodes, values.data(), masks.data(), expected.data());
      Inference inference;
      CHECK(error_in_epsilons(normalize_adjacency(inference, a, mask), expected, 4) < 16);  // entries are 1 at most
    }
  }
}

TEST_CASE("normalize_adjacency's derivatives agree with finite differences, static and dynamic") {
  const auto mask = causal_mask<double>(4);
  auto a = random_tensor<double>(Shape<Dyn, Dyn, 4, Dyn>(2, 3, 4), 1);
  for (double& entry : a.span()) entry = std::abs(entry) + 0.1;
  auto fixed = random_tensor<double>(Shape<4, 4>(), 1);
  for (double& entry : fixed.span()) entry = std::abs(entry) + 0.1;
  const auto function = [&](auto& context, auto& x) { return normalize_adjacency(context, x, mask); };
  CHECK(gradcheck(function, std::tie(a)).message == "gradcheck: 96 derivatives agree");
  CHECK(gradcheck(function, std::tie(fixed)).message == "gradcheck: 16 derivatives agree");
}

TEST_CASE("normalize_adjacency has the same bits for any number of threads, and needs no heap") {
  const auto mask = causal_mask<float>(33);
  auto a = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(5, 33, 33), 1);
  for (float& entry : a.span()) entry = std::abs(entry) + 0.1F;
  check_operation([&](auto& context, const auto& x) { return normalize_adjacency(context, x, mask); }, a);
}

TEST_CASE("normalize_adjacency names what does not fit") {
  Inference inference;
  const auto mask = causal_mask<float>(3);
  const Tensor<float, Shape<Dyn, Dyn>> tall(Shape<Dyn, Dyn>(3, 4)), small(Shape<Dyn, Dyn>(2, 2));
  using Catch::Matchers::ContainsSubstring;
  CHECK_THROWS_WITH(normalize_adjacency(inference, tall, mask), ContainsSubstring("the last axes of a must agree"));
  CHECK_THROWS_WITH(normalize_adjacency(inference, small, mask),
                    ContainsSubstring("mask must have as many rows as a, found 2"));
}
