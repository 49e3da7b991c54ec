// SPDX-License-Identifier: Apache-2.0
#include "weft/attention/adj_rms_norm.hpp"
#include "weft/attention/gin_layer.hpp"
#include "weft/autograd/gradcheck.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::largest_difference;
using weft::testing::random_tensor;
using weft::testing::randomize_parameters;
using weft::testing::to_vector;

TEST_CASE("GINLayer's derivatives agree with finite differences with both self terms") {
  auto x = random_tensor<double>(Shape<2, Dyn, 4>(3), 1);
  auto adjacency = random_tensor<double>(Shape<2, Dyn, Dyn>(3, 3), 2);
  for (const GINSelfTerm self_term : {GINSelfTerm::epsilon, GINSelfTerm::one_plus_epsilon}) {
    GINLayer<4, Dyn, double> layer({.self_term = self_term}, 0, 3);
    randomize_parameters(layer, 5);
    const auto result =
        gradcheck([&](auto& context, auto& h, auto& a) { return layer(context, h, a); }, std::tie(x, adjacency), layer);
    INFO(result.message);
    CHECK(result.passed);
  }
}

TEST_CASE("the paper's self term is the reference's with epsilon one larger") {
  const auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 4, 5), 1);
  const auto adjacency = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 4, 4), 2);
  GINLayer<Dyn, Dyn, double> reference({}, 5, 7);
  GINLayer<Dyn, Dyn, double> paper({.self_term = GINSelfTerm::one_plus_epsilon}, 5, 7);
  randomize_parameters(reference, 5);
  randomize_parameters(paper, 5);
  *reference.epsilon.data() = 1.25;
  *paper.epsilon.data() = 0.25;
  Inference inference;
  CHECK(to_vector(reference(inference, x, adjacency)) == to_vector(paper(inference, x, adjacency)));
}

TEST_CASE("epsilon of GINLayer starts from 0 or what the constructor is told") {
  CHECK(*GINLayer<3, 2>().epsilon.data() == 0);
  GINLayer<Dyn, Dyn> layer({}, 3, 2, 0.3);
  Rng rng(1);
  layer.initialize(rng, 0.02);
  CHECK(*layer.epsilon.data() == 0.3F);
}

TEST_CASE("GINLayer takes a single isolated node") {
  const auto x = random_tensor<double>(Shape<1, 1, 3>(), 1);
  const Tensor<double, Shape<1, 1, 1>> adjacency;
  GINLayer<3, 2, double> layer;
  randomize_parameters(layer, 5);
  Inference inference;
  for (const double value : to_vector(layer(inference, x, adjacency))) CHECK(std::isfinite(value));
}

TEST_CASE("AdjRMSNorm has a weight unless told not to, and its derivatives") {
  auto x = random_tensor<double>(Shape<2, 3, Dyn>(4), 1);
  AdjRMSNorm<double> weighted;
  CHECK(*weighted.weight->data() == 1);
  *weighted.weight->data() = 0.6;
  const AdjRMSNorm<double> plain(1e-8, false);
  CHECK(count_parameters(weighted) == 1);
  CHECK(count_parameters(plain) == 0);
  const auto run = [&](auto& context, auto& a) { return weighted(context, plain(context, a)); };
  CHECK(gradcheck(run, std::tie(x), weighted).passed);
}
