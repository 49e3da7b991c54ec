// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/batched_matmul/batched_matmul.hpp"
#include "weft/ops/batched_matmul/batched_matmul_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::random_tensor;

TEST_CASE("batched_matmul agrees with its definition on awkward sizes") {
  for (const BatchedMatmulSize size :
       {BatchedMatmulSize{1, 1, 1, 1}, {3, 7, 5, 17}, {2, 33, 64, 3}, {0, 2, 2, 2}, {2, 3, 0, 4}}) {
    const auto a = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(size.batch, size.rows, size.inner), 1);
    const auto b = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(size.batch, size.inner, size.columns), 2);
    Inference inference;
    const auto c = batched_matmul(inference, a, b);
    std::vector<float> expected(static_cast<std::size_t>(c.size()));
    kernels::batched_matmul_naive(size, a.data(), b.data(), expected.data());
    // A sum of `inner` products of standard normal values, each rounded once or twice.
    const double tolerance = 4 * 1.2e-7 * (static_cast<double>(size.inner) + 1);
    for (Index i = 0; i < c.size(); ++i)
      CHECK(c.data()[i] == Approx(expected[static_cast<std::size_t>(i)]).margin(tolerance));
  }
}

TEST_CASE("batched_matmul's derivatives agree with finite differences") {
  auto a = random_tensor<double>(Shape<Dyn, 3, Dyn>(2, 4), 1);
  auto b = random_tensor<double>(Shape<2, Dyn, 5>(4), 2);
  const auto product = [](auto& context, auto& x, auto& y) { return batched_matmul(context, x, y); };
  CHECK(gradcheck(product, std::tie(a, b)).message == "gradcheck: 64 derivatives agree");
  auto square = random_tensor<double>(Shape<2, 3, 3>(), 3);
  CHECK(gradcheck([](auto& context, auto& x) { return batched_matmul(context, x, x); }, std::tie(square)).passed);
}

TEST_CASE("batched_matmul names both extents when shapes disagree") {
  const Tensor<float, Shape<Dyn, Dyn, Dyn>> a(Shape<Dyn, Dyn, Dyn>(2, 3, 4));
  const Tensor<float, Shape<Dyn, Dyn, Dyn>> b(Shape<Dyn, Dyn, Dyn>(2, 5, 6));
  Inference inference;
  CHECK_THROWS_WITH(
      batched_matmul(inference, a, b),
      "batched_matmul(a, b): the last axis of a must equal the middle axis of b, found 4 (shape [2, 3, 4]) and "
      "5 (shape [2, 5, 6])");
}

TEST_CASE("batched_matmul's results have the same bits for any number of threads") {
  for (const Index batch : {1, 3}) {
    const BatchedMatmulSize size{batch, 65, 70, 67};
    const auto a = random_tensor<float>(Shape<Dyn, 65, 70>(batch), 1);
    const auto b = random_tensor<float>(Shape<Dyn, 70, 67>(batch), 2);
    CHECK(weft::testing::same_bits_for_any_thread_count([&] {
      std::vector<float> c(static_cast<std::size_t>(batch * 65 * 67));
      BatchedMatmulKernels<Cpu>::forward(size, a.data(), b.data(), c.data());
      return c;
    }));
  }
}
