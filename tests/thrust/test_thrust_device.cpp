// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "weft/ops/cross_entropy/cross_entropy.hpp"
#include "weft/thrust.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

struct Counting {
  WEFT_HOST_DEVICE double operator()(Index i) const { return static_cast<double>(i); }
};

struct Square {
  const Index* in;
  Index* out;
  WEFT_HOST_DEVICE void operator()(Index i) const { out[i] = in[i] * in[i]; }
};

auto counting_tensor(Index count) {
  Tensor<Index, Shape<Dyn>> tensor(Shape<Dyn>{count});
  std::iota(tensor.data(), tensor.data() + count, Index{0});
  return tensor;
}

}  // namespace

TEST_CASE("elements travel to a Thrust device and back") {
  const auto values = random_tensor<float>(Shape<3, Dyn>(5), 1);
  const auto on_device = to_device<Thrust>(values);
  static_assert(std::is_same_v<decltype(on_device), const Tensor<float, Shape<3, Dyn>, Thrust>>);
  CHECK(to_vector(to_host(on_device)) == to_vector(values));
  CHECK(to_vector(to_host(on_device.clone())) == to_vector(values));
  CHECK(to_vector(to_host(on_device[2])) == to_vector(values[2]));
  const Tensor<float, Shape<3, 5>, Thrust> zeros;
  CHECK(to_vector(to_host(zeros)) == std::vector<float>(15));
}

TEST_CASE("a Thrust device moves ranges that overlap") {
  auto tensor = to_device<Thrust>(counting_tensor(100));
  Thrust::move(tensor.data() + 7, tensor.data(), 90 * sizeof(Index));
  const auto moved = to_vector(to_host(tensor));
  CHECK(moved[6] == 6);
  CHECK(moved[7] == 0);
  CHECK(moved[96] == 89);
  CHECK(moved[97] == 97);
}

TEST_CASE("a Thrust loop visits every index") {
  const auto in = to_device<Thrust>(counting_tensor(1001));
  Tensor<Index, Shape<Dyn>, Thrust> out(Shape<Dyn>(1001));
  Thrust::for_each_index(1001, Square{in.data(), out.data()});
  const auto squares = to_host(out);
  for (Index i = 0; i < 1001; ++i) REQUIRE(squares(i) == i * i);
}

TEST_CASE("a Thrust fold takes every value once, whatever their number") {
  Tensor<double, Shape<1>, Thrust> result;
  for (Index count : {0, 1, 2, 63, 64, 65, 128, 4095, 4096, 4097, 100000, 262145}) {
    kernels::thrust_fold(count, 0.0, Counting{}, kernels::Plus{}, result.data());
    CHECK(kernels::from_device(result.data()) == static_cast<double>(count * (count - 1) / 2));
  }
}

TEST_CASE("a Thrust fold has the same bits for any number of threads") {
  const auto values = to_device<Thrust>(random_tensor<float>(Shape<Dyn>(50000), 3));
  CHECK(same_bits_for_any_thread_count([&] {
    Tensor<float, Shape<>, Thrust> total;
    kernels::thrust_sum(values.size(), kernels::SumTerm<float>{values.data()}, 1, GradientTarget<float>{total.data()});
    return to_vector(to_host(total));
  }));
}

TEST_CASE("a target that is no column is named, on a Thrust device too") {
  auto targets = counting_tensor(200);
  for (Index i = 0; i < 200; ++i) targets(i) %= 10;
  targets(150) = 10;
  targets(77) = -1;
  const auto on_device = to_device<Thrust>(targets);
  const auto logits = to_device<Thrust>(random_tensor<float>(Shape<Dyn, 10>(200), 1));
  BasicInference<Thrust> inference;
  CHECK_THROWS_WITH(cross_entropy(inference, logits, on_device),
                    Catch::Matchers::ContainsSubstring("the target at position 77 is -1"));
}
