// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/adamw/adamw_kernels.hpp"
#include "weft/ops/adamw/adamw_naive.hpp"
#include "weft/ops/global_norm/global_norm_kernels.hpp"
#include "weft/ops/global_norm/global_norm_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::random_tensor;

TEMPLATE_TEST_CASE("AdamW's kernel agrees with its definition on awkward sizes", "", float, double) {
  // Each of the five roundings of an update moves the value by at most half an epsilon of its size.
  const double tolerance = 8 * static_cast<double>(std::numeric_limits<TestType>::epsilon());
  for (const Index count : {0, 1, 2, 7, 15, 16, 17, 31, 33, 1000}) {
    auto value = random_tensor<TestType>(Shape<Dyn>(count), 1);
    auto first = random_tensor<TestType>(Shape<Dyn>(count), 2, 0.1);
    auto second = random_tensor<TestType>(Shape<Dyn>(count), 3, 0.1);
    for (auto& v : second.span()) v = v * v;
    const auto gradient = random_tensor<TestType>(Shape<Dyn>(count), 4);
    auto naive_value = value.clone(), naive_first = first.clone(), naive_second = second.clone();
    const AdamWStep step{1e-2, 0.9, 0.999, 1e-8, 0.1, 3};
    AdamWKernels<Cpu>::update(step, count, gradient.data(), value.data(), first.data(), second.data());
    kernels::adamw_naive(step, count, gradient.data(), naive_value.data(), naive_first.data(), naive_second.data());
    for (Index i = 0; i < count; ++i) {
      CHECK(value(i) == Approx(naive_value(i)).epsilon(tolerance).margin(tolerance));
      CHECK(first(i) == Approx(naive_first(i)).epsilon(tolerance).margin(tolerance));
      CHECK(second(i) == Approx(naive_second(i)).epsilon(tolerance).margin(tolerance));
    }
  }
}

TEMPLATE_TEST_CASE("the sum of squares agrees with double arithmetic and does not depend on threads", "", float,
                   double) {
  for (const Index count : {0, 1, 17, 1000, 100003}) {
    const auto x = random_tensor<TestType>(Shape<Dyn>(count), 1);
    const double expected = kernels::sum_of_squares_naive(count, x.data());
    set_threads(1);
    const double one = GlobalNormKernels<Cpu>::sum_of_squares(count, x.data());
    set_threads(2);
    CHECK(GlobalNormKernels<Cpu>::sum_of_squares(count, x.data()) == one);
    CHECK(one == Approx(expected).epsilon(1e-5));
  }
}

TEST_CASE("scaling reaches every element once") {
  std::vector<float> values(37, 2.0F);
  GlobalNormKernels<Cpu>::scale(37, 0.5, values.data());
  CHECK(values == std::vector<float>(37, 1.0F));
}

TEST_CASE("AdamW's update has the same bits for any number of threads") {
  const auto gradient = random_tensor<float>(Shape<Dyn>(70001), 1);
  CHECK(weft::testing::same_bits_for_any_thread_count([&] {
    std::vector<float> all(3 * 70001, 0.5F);
    AdamWKernels<Cpu>::update(AdamWStep{1e-2, 0.9, 0.999, 1e-8, 0.1, 3}, 70001, gradient.data(), all.data(),
                              all.data() + 70001, all.data() + 2 * 70001);
    return all;
  }));
}
