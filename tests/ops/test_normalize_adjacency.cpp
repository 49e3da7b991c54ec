// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/normalize_adjacency/normalize_adjacency.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

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

TEST_CASE("normalize_adjacency's derivatives agree with finite differences, the same for any number of threads") {
  const auto mask = causal_mask<double>(4);
  auto a = random_tensor<double>(Shape<Dyn, Dyn, 4, Dyn>(2, 3, 4), 1);
  for (double& entry : a.span()) entry = std::abs(entry) + 0.1;
  const auto function = [&](auto& context, auto& x) { return normalize_adjacency(context, x, mask); };
  CHECK(gradcheck(function, std::tie(a)).message == "gradcheck: 96 derivatives agree");
  Inference inference;
  CHECK(same_bits_for_any_thread_count([&] { return to_vector(function(inference, a)); }));
}
