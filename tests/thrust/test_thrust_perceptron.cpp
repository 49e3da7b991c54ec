// SPDX-License-Identifier: Apache-2.0
#include "weft/thrust.hpp"

#include "ops/op_checks.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "thrust/perceptron.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("a perceptron trained on a Thrust device has the losses of the CPU") {
  const auto expected = cpu_perceptron_losses();
  const auto found = train_perceptron<Thrust>();
  REQUIRE(expected.size() == 51);
  CHECK(expected.back() < 0.3 * expected.front());
  CHECK(largest_difference(found, expected) <= kPerceptronTolerance);
}

TEST_CASE("training on a Thrust device has the same bits for any number of threads") {
  CHECK(same_bits_for_any_thread_count([] { return train_perceptron<Thrust>(); }));
}

TEST_CASE("once warm, training and inference on a Thrust device allocate nothing on the heap") {
  PerceptronTraining<Thrust> training;
  const auto step = [&] {
    training.step();
    training.loss();
  };
  for (int warm_up = 0; warm_up < 3; ++warm_up) step();
  const auto before = allocations();
  for (int measured = 0; measured < 3; ++measured) step();
  CHECK(allocations() == before);
}
