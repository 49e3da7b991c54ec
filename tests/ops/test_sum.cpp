// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/sum/sum.hpp"
#include "weft/ops/sum/sum_naive.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

TEMPLATE_TEST_CASE("sum agrees with the naive form for every awkward size and for many blocks", "", float, double) {
  using T = TestType;
  std::vector<Index> sizes(std::begin(kAwkwardSizes), std::end(kAwkwardSizes));
  sizes.insert(sizes.end(), {4095, 4096, 4097, 100000});
  for (const Index count : sizes) {
    const auto x = random_guarded<T>(count, 1, 1);
    T y = -1;
    SumKernels<Cpu>::forward(count, T{1}, x.data(), &y);
    double sizes_of_terms = 0;
    for (Index i = 0; i < count; ++i) sizes_of_terms += std::abs(double(x[i]));
    // At most 64 additions follow one another in T: in a block of 4096 there are at least 64 lanes and ways.
    CHECK(std::abs(double(y) - double(kernels::sum_naive(count, x.data()))) <= 4 * epsilon<T> * sizes_of_terms);
    Guarded<T> dx(count, 2);
    const T dy = 3;
    SumKernels<Cpu>::backward(count, T{2}, &dy, GradientTarget<T>{dx.data(), false});
    for (Index i = 0; i < count; ++i) REQUIRE(dx[i] == T{1.5});
    CHECK(dx.intact());
  }
}

TEST_CASE("the derivatives of sum and mean agree with finite differences") {
  auto fixed = random_tensor<double>(Shape<3, 4>(), 1);
  auto dynamic = random_tensor<double>(Shape<Dyn, Dyn>(2, 5), 2);
  const auto total = [](auto& context, auto& x) { return sum(context, x); };
  const auto average = [](auto& context, auto& x) { return mean(context, x); };
  CHECK(gradcheck(total, std::tie(fixed)).message == "gradcheck: 12 derivatives agree");
  CHECK(gradcheck(average, std::tie(fixed)).passed);
  CHECK(gradcheck(total, std::tie(dynamic)).passed);
  CHECK(gradcheck(average, std::tie(dynamic)).message == "gradcheck: 10 derivatives agree");
}

TEST_CASE("sum and mean of nothing are the scalars 0 and NaN, and NaN and infinities pass through") {
  Inference inference;
  const TensorView<const float, Shape<Dyn>> nothing(nullptr, Shape<Dyn>(0));
  static_assert(std::is_same_v<ShapeOf<decltype(sum(inference, nothing))>, Shape<>>);
  CHECK(sum(inference, nothing)() == 0);
  CHECK(std::isnan(mean(inference, nothing)()));
  auto x = random_tensor<float>(Shape<100>(), 1);
  CHECK(mean(inference, x)() == Approx(sum(inference, x)() / 100));
  x(57) = infinity<float>;
  CHECK(sum(inference, x)() == infinity<float>);
  x(58) = not_a_number<float>;
  CHECK(std::isnan(sum(inference, x)()));
}

TEST_CASE("sum has the same bits for any number of threads") {
  const auto x = random_tensor<float>(Shape<Dyn>(300007), 1);
  Inference inference;
  CHECK(same_bits_for_any_thread_count([&] { return to_vector(sum(inference, x)); }));
}
