// SPDX-License-Identifier: Apache-2.0
// table_rows, add_group_rows and with_zero_gradient.
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/add/add.hpp"
#include "weft/ops/group_rows/group_rows.hpp"
#include "weft/ops/group_rows/group_rows_naive.hpp"
#include "weft/ops/multiply/multiply.hpp"
#include "weft/ops/table_rows/table_rows.hpp"
#include "weft/ops/table_rows/table_rows_naive.hpp"
#include "weft/ops/zero_gradient/zero_gradient.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;

TEMPLATE_TEST_CASE("table_rows agrees with the naive form", "", float, double) {
  using T = TestType;
  for (const Index features : kAwkwardSizes) {
    for (const Index rows : {0, 1, 3}) {
      const TableRowsSize size{2, 4, rows, features, 1, 5};
      const auto x = random_guarded<T>(2 * 4 * features, 1, 1);
      const auto table = random_guarded<T>(5 * features, 2, 3);
      Guarded<T> y(2 * rows * features, 2);
      std::vector<T> expected(static_cast<std::size_t>(y.size()));
      for (const T* source : {x.data(), static_cast<const T*>(nullptr)}) {
        TableRowsKernels<Cpu>::forward(size, source, table.data(), T(2), y.data());
        kernels::table_rows_naive(size, source, table.data(), T(2), expected.data());
        CHECK(largest_error(y, expected, [](Index) { return 4.0; }) < 2);
        CHECK(y.intact());
      }
    }
  }
}

TEST_CASE("the derivatives of table_rows agree with finite differences") {
  auto x = random_tensor<double>(Shape<2, 4, 3>(), 1);
  auto dynamic = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 4, 3), 1);
  auto table = random_tensor<double>(Shape<1, Dyn, 3>(5), 2);
  for (const Index rows : {0, 2, 4}) {
    const auto add = [&](auto& context, auto& a, auto& t) { return table_rows(context, t, {rows, 1, 2.0}, a); };
    const auto alone = [&](auto& context, auto& t) { return table_rows(context, t, {rows, 1, 0.5}); };
    CHECK(gradcheck(add, std::tie(x, table)).message == "gradcheck: 39 derivatives agree");
    CHECK(gradcheck(add, std::tie(dynamic, table)).passed);
    CHECK(gradcheck(alone, std::tie(table)).passed);
  }
  const auto twice = [](auto& context, auto& a, auto& t) {
    const auto first = table_rows(context, t, {2, 1, 2.0}, a);
    return add(context, multiply(context, first, table_rows(context, t, {2, 3}, a)), first);
  };
  CHECK(gradcheck(twice, std::tie(x, table)).passed);
}

TEMPLATE_TEST_CASE("add_group_rows agrees with the naive form", "", float, double) {
  using T = TestType;
  const std::int32_t keep[] = {1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1};
  for (const Index features : kAwkwardSizes) {
    for (const Index shift : {0, 2}) {
      for (const std::int32_t* kept : {static_cast<const std::int32_t*>(nullptr), keep}) {
        const GroupRowsSize size{2, 7, 3, features, 2, shift, kept};
        const auto rows = random_guarded<T>(2 * 3 * features, 1, 1);
        const auto base = random_guarded<T>(2 * 7 * features, 2, 3);
        Guarded<T> y(2 * 7 * features, 2), slopes(2 * 3 * features, 1);
        std::vector<T> expected(static_cast<std::size_t>(y.size()));
        std::vector<T> slopes_expected(static_cast<std::size_t>(slopes.size()));
        for (const T* source : {base.data(), static_cast<const T*>(nullptr)}) {
          GroupRowsKernels<Cpu>::forward(size, source, rows.data(), y.data());
          kernels::group_rows_naive(size, source, rows.data(), expected.data());
          CHECK(largest_error(y, expected, [](Index) { return 4.0; }) < 2);
        }
        GroupRowsKernels<Cpu>::backward_rows(size, base.data(), GradientTarget<T>{slopes.data(), false});
        kernels::group_rows_backward_naive(size, base.data(), slopes_expected.data());
        CHECK(largest_error(slopes, slopes_expected, [](Index) { return 4.0; }) < 2);
        CHECK((y.intact() && slopes.intact()));
      }
    }
  }
}

TEST_CASE("the derivatives of add_group_rows agree with finite differences") {
  auto rows = random_tensor<double>(Shape<2, 3, 2>(), 1);
  auto dynamic = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 3, 2), 1);
  auto base = random_tensor<double>(Shape<2, 7, 2>(), 2);
  const std::int32_t keep[] = {1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1};
  const auto grow = [&](auto& context, auto& r, auto& b) {
    const auto once = add_group_rows(context, b.shape(), r, {2, 2, keep}, b);
    return add(context, add_group_rows(context, b.shape(), r, {3}, once), b);
  };
  CHECK(gradcheck(grow, std::tie(rows, base)).message == "gradcheck: 40 derivatives agree");
  CHECK(gradcheck(grow, std::tie(dynamic, base)).passed);
  const auto alone = [&](auto& context, auto& r) { return add_group_rows(context, Shape<2, 7, 2>(), r, {3}); };
  CHECK(gradcheck(alone, std::tie(rows)).passed);
}

TEST_CASE("rows for groups and rows of tables give the same bits for any number of threads") {
  const auto rows = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 100, 65), 1);
  auto table = random_tensor<float>(Shape<1, Dyn, 65>(900), 1);
  const Shape<Dyn, Dyn, Dyn> shape(2, 900, 65);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    auto watched = tape.watch(table);
    const auto y = table_rows(tape, watched, {900, 0, 2}, add_group_rows(tape, shape, rows, {9}));
    tape.backward(y, TensorView<const float, ShapeOf<decltype(y)>>(y.data(), y.shape()));
    auto all = to_vector(y);
    const auto slopes = to_vector(tape.gradient(watched));
    all.insert(all.end(), slopes.begin(), slopes.end());
    return all;
  }));
}

TEST_CASE("a parameter without influence gets zeros, and keeps what others gave it") {
  Parameter<double, Shape<3>> unused{Shape<3>()}, used{Shape<3>()};
  auto x = random_tensor<double>(Shape<3>(), 1);
  Tape tape;
  auto watched = tape.watch(x);
  const auto product = multiply(tape, watched, used);
  auto y = with_zero_gradient(tape, product, unused);
  y = add(tape, with_zero_gradient(tape, y, used), product);
  tape.backward(y, TensorView<const double, Shape<3>>(x.data(), x.shape()));
  for (Index i = 0; i < 3; ++i) {
    CHECK(unused.gradient()(i) == 0);
    CHECK(used.gradient()(i) == 2 * x(i) * x(i));
  }
  Inference inference;
  const auto view = x.view();
  CHECK(with_zero_gradient(inference, view, unused).data() == x.data());
}

TEST_CASE("a parameter without influence gets zeros where nothing else has a gradient") {
  Parameter<float, Shape<2>> unused{Shape<2>()};
  const auto x = random_tensor<float>(Shape<2>(), 1);
  Tape tape;
  const auto y = with_zero_gradient(tape, add(tape, x, x), unused);
  tape.backward(y, TensorView<const float, Shape<2>>(x.data(), x.shape()));
  CHECK(unused.has_gradient());
  unused.set_trainable(false);
  const auto z = with_zero_gradient(tape, add(tape, x, x), unused);
  CHECK(z.gradient_slot() == nullptr);
}

TEST_CASE("rows for groups and rows of tables say what does not fit") {
  Inference inference;
  const auto table = random_tensor<float>(Shape<1, Dyn, Dyn>(5, 3), 1);
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 4, 3), 1);
  CHECK_THROWS_WITH(table_rows(inference, table, {4, 2}, x),
                    ContainsSubstring("rows 2 to 6 are not in a table of shape [1, 5, 3]"));
  CHECK_THROWS_WITH(table_rows(inference, table, {5}, x), ContainsSubstring("x must have 5 rows or more"));
  CHECK_THROWS_WITH(add_group_rows(inference, Shape<Dyn, Dyn, Dyn>(2, 9, 4), x, {2}),
                    ContainsSubstring("both must have as many features"));
  CHECK_THROWS_WITH(add_group_rows(inference, Shape<Dyn, Dyn, Dyn>(2, 9, 3), x, {0}),
                    ContainsSubstring("groups must have 1 token or more"));
  CHECK_THROWS_WITH(add_group_rows(inference, Shape<Dyn, Dyn, Dyn>(2, 9, 3), x, {2}, x),
                    ContainsSubstring("base must have shape [2, 9, 3], found [2, 4, 3]"));
}
