// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <limits>

#include "weft/tensor/tensor.hpp"

#include "support/catch.hpp"

using namespace weft;

TEST_CASE("a tensor is zero, aligned and row-major") {
  Tensor<float, Shape<Dyn, 3>> tensor(Shape<Dyn, 3>(2));
  CHECK(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64 == 0);
  for (const float value : tensor.span()) CHECK(value == 0.0F);
  tensor(1, 2) = 5;
  CHECK(tensor.data()[5] == 5.0F);
}

TEST_CASE("views share memory: rows, slices and reshapes") {
  Tensor<int, Shape<4, 3>> tensor;
  for (Index i = 0; i < 12; ++i) tensor.data()[i] = static_cast<int>(i);
  CHECK(tensor[2](1) == 7);
  CHECK(tensor.slice(1, 2)(1, 0) == 6);
  CHECK(tensor.reshape(Shape<2, 6>())(1, 1) == 7);
  CHECK(tensor.reshape(Shape<Dyn>(12))(11) == 11);
  tensor[2](1) = -1;
  CHECK(tensor(2, 1) == -1);
}

TEST_CASE("a view outside of its tensor is refused") {
  Tensor<int, Shape<Dyn, 3>> tensor(Shape<Dyn, 3>(4));
  CHECK_THROWS_WITH(tensor[4], "tensor[i]: i must be in [0, 4), found 4");
  CHECK_THROWS_WITH(tensor.slice(3, 2), "slice(begin, count): 2 from 3 on are not within [0, 4)");
  constexpr Index kLargest = std::numeric_limits<Index>::max();
  CHECK_THROWS_WITH(tensor.slice(kLargest, 2),
                    "slice(begin, count): 2 from 9223372036854775807 on are not within [0, 4)");
  CHECK_THROWS_WITH(tensor.reshape(Shape<Dyn>(11)),
                    "reshape(shape): the number of elements must not change, found [4, 3] and [11]");
  CHECK_THROWS_WITH(tensor.assign(std::vector<int>(3)), "assign(values): shape [4, 3] needs 12 values, found 3");
}

TEST_CASE("empty tensors are legal") {
  const Tensor<float, Shape<Dyn, 3>> tensor(Shape<Dyn, 3>(0));
  CHECK(tensor.size() == 0);
  CHECK(tensor.slice(0, 0).size() == 0);
}

TEST_CASE("a clone has memory of its own") {
  Tensor<float, Shape<2>> tensor;
  tensor(0) = 1;
  auto copy = tensor.clone();
  copy(0) = 2;
  CHECK(tensor(0) == 1.0F);
}

TEST_CASE("extents that no memory can have are refused, whatever their product is") {
  using Rows = Shape<Dyn, Dyn>;
  CHECK_THROWS_WITH((Tensor<float, Shape<Dyn>>(Shape<Dyn>(-1))), "Tensor: no extent may be negative, found shape [-1]");
  CHECK_THROWS_WITH((Tensor<float, Rows>(Rows(-2, -3))), "Tensor: no extent may be negative, found shape [-2, -3]");
  CHECK_THROWS_WITH((Tensor<float, Rows>(Rows(Index{1} << 40, Index{1} << 24))),
                    "Tensor: shape [1099511627776, 16777216] of 4-byte elements is larger than any memory");
  CHECK_THROWS_WITH((Tensor<double, Rows>(Rows(Index{1} << 40, Index{1} << 20))),
                    "Tensor: shape [1099511627776, 1048576] of 8-byte elements is larger than any memory");
}
