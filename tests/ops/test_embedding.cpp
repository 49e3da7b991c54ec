// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/embedding/embedding.hpp"
#include "weft/ops/embedding/embedding_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::random_tensor;
using weft::testing::same_bits_for_any_thread_count;
using weft::testing::to_vector;

namespace {

template <class Id, class ShapeType>
Tensor<Id, ShapeType> random_ids(const ShapeType& shape, Index vocabulary, std::uint64_t seed) {
  Tensor<Id, ShapeType> ids(shape);
  const Rng rng(seed);
  for (Index i = 0; i < ids.size(); ++i) {
    ids.data()[i] = static_cast<Id>(rng.below(static_cast<std::uint64_t>(i), static_cast<std::uint32_t>(vocabulary)));
  }
  return ids;
}

template <class T, class Id>
void compare_with_naive(const EmbeddingSize& size, bool accumulate) {
  const auto weight = random_tensor<T>(Shape<Dyn, Dyn>(size.vocabulary, size.features), 1);
  const auto dy = random_tensor<T>(Shape<Dyn, Dyn>(size.rows, size.features), 2);
  const auto ids = random_ids<Id>(Shape<Dyn>(size.rows), size.vocabulary, 3);
  const auto before = random_tensor<T>(weight.shape(), 4);

  std::vector<T> y(static_cast<std::size_t>(dy.size()), T(-1));
  std::vector<T> expected_y(y.size());
  EmbeddingKernels<Cpu>::forward(size, ids.data(), weight.data(), y.data());
  kernels::embedding_naive(size, ids.data(), weight.data(), expected_y.data());
  CHECK(y == expected_y);

  std::vector<T> dweight = to_vector(before);
  std::vector<T> expected = accumulate ? to_vector(before) : std::vector<T>(dweight.size());
  EmbeddingKernels<Cpu>::backward_weight(size, ids.data(), dy.data(), GradientTarget<T>{dweight.data(), accumulate});
  kernels::embedding_backward_naive(size, ids.data(), dy.data(), expected.data());
  CHECK(dweight == expected);  // the same sums in the same order
}

}  // namespace

TEST_CASE("embedding agrees with the naive form for every awkward size") {
  for (const Index features : {0, 1, 15, 16, 17, 33, 70}) {
    for (const Index rows : {0, 1, 7, 64}) {
      compare_with_naive<float, std::int32_t>({rows, 5, features}, false);
      compare_with_naive<double, std::int64_t>({rows, 5, features}, true);
      compare_with_naive<float, std::int64_t>({rows, 1, features}, true);
      compare_with_naive<float, std::int32_t>({rows, 5, features, 3}, false);
      compare_with_naive<double, std::int64_t>({rows, 5, features, 0}, true);
    }
  }
}

TEST_CASE("embedding returns rows of the table for ids of any rank") {
  const auto weight = random_tensor<float>(Shape<11, 6>(), 1);
  const auto ids = random_ids<std::int32_t>(Shape<Dyn, 3>(2), 11, 2);
  Inference inference;
  const auto y = embedding(inference, ids, weight);
  static_assert(std::is_same_v<ShapeOf<decltype(y)>, Shape<Dyn, 3, 6>>);
  CHECK(y(1, 2, 5) == weight(ids(1, 2), 5));

  Tensor<std::int64_t, Shape<>> scalar;
  scalar.data()[0] = 10;
  const auto row = embedding(inference, scalar, weight);
  static_assert(std::is_same_v<ShapeOf<decltype(row)>, Shape<6>>);
  CHECK(row(3) == weight(10, 3));
}

TEST_CASE("embedding reads a bf16 table as float") {
  Tensor<bf16, Shape<2, 3>> weight;
  for (int i = 0; i < 6; ++i) weight.data()[i] = bf16(static_cast<float>(i) + 0.5F);
  Tensor<std::int32_t, Shape<1>> ids;
  ids(0) = 1;
  Inference inference;
  const auto y = embedding(inference, ids, weight);
  static_assert(std::is_same_v<ElementOf<decltype(y)>, float>);
  CHECK(y(0, 2) == 5.5F);
}

TEST_CASE("embedding's derivatives agree with finite differences") {
  auto dynamic = random_tensor<double>(Shape<Dyn, Dyn>(4, 3), 1);
  auto fixed = random_tensor<double>(Shape<4, 3>(), 1);
  const auto ids = random_ids<std::int64_t>(Shape<Dyn, 4>(2), 4, 2);
  const auto lookup = [&](auto& context, auto& weight) { return embedding(context, ids, weight); };
  CHECK(gradcheck(lookup, std::tie(dynamic)).message == "gradcheck: 12 derivatives agree");
  CHECK(gradcheck(lookup, std::tie(fixed)).message == "gradcheck: 12 derivatives agree");
}

TEST_CASE("the row of padding is read like any other and takes no gradient") {
  Parameter<float, Shape<3, 2>> weight(Shape<3, 2>{});
  weight.value()(2, 0) = 5;
  Tensor<std::int32_t, Shape<3>> ids;
  ids(1) = 2;
  const auto seed = random_tensor<float>(Shape<3, 2>(), 1);
  Tape tape;
  const auto y = embedding(tape, ids, weight, {.padding_id = 2});
  CHECK(y(1, 0) == 5);
  tape.backward(y, seed.view());
  const auto gradient = weight.gradient();
  CHECK(gradient(0, 1) == seed(0, 1) + seed(2, 1));
  CHECK(gradient(2, 0) == 0);
  CHECK(gradient(2, 1) == 0);
}

TEST_CASE("embedding's gradients of several uses of one table add up") {
  Parameter<float, Shape<3, 2>> weight(Shape<3, 2>{});
  Tensor<std::int32_t, Shape<2>> first;
  Tensor<std::int32_t, Shape<2>> second;
  first(1) = 2;
  second(0) = 2;
  second(1) = 2;
  const auto seed = random_tensor<float>(Shape<2, 2>(), 1);
  Tape tape;
  for (const auto* ids : {&first, &second}) {
    tape.backward(embedding(tape, *ids, weight), seed.view());
    tape.reset();
  }
  const auto gradient = weight.gradient();
  CHECK(gradient(0, 0) == seed(0, 0));
  CHECK(gradient(1, 1) == 0);
  CHECK(gradient(2, 1) == seed(1, 1) + seed(0, 1) + seed(1, 1));
}

TEST_CASE("embedding's results have the same bits for any number of threads") {
  const EmbeddingSize size{700, 30, 70};
  const auto ids = random_ids<std::int32_t>(Shape<Dyn>(size.rows), size.vocabulary, 1);
  const auto weight = random_tensor<float>(Shape<Dyn, Dyn>(size.vocabulary, size.features), 2);
  const auto dy = random_tensor<float>(Shape<Dyn, Dyn>(size.rows, size.features), 3);
  CHECK(same_bits_for_any_thread_count([&] {
    std::vector<float> results(static_cast<std::size_t>(dy.size() + weight.size()));
    EmbeddingKernels<Cpu>::forward(size, ids.data(), weight.data(), results.data());
    EmbeddingKernels<Cpu>::backward_weight(size, ids.data(), dy.data(),
                                           GradientTarget<float>{results.data() + dy.size(), false});
    return results;
  }));
}

TEST_CASE("embedding refuses an id outside of the vocabulary") {
  const auto weight = random_tensor<float>(Shape<Dyn, 4>(10), 1);
  Tensor<std::int64_t, Shape<2, 3>> ids;
  Inference inference;
  ids(1, 1) = 10;
  CHECK_THROWS_WITH(embedding(inference, ids, weight),
                    "embedding(ids, weight): the id at position 4 is 10, outside of the vocabulary [0, 10)");
  ids(1, 1) = 0;
  ids(0, 0) = -1;
  CHECK_THROWS_WITH(embedding(inference, ids, weight),
                    "embedding(ids, weight): the id at position 0 is -1, outside of the vocabulary [0, 10)");
}
