// SPDX-License-Identifier: Apache-2.0
// Packed texts: taken apart by table_rows, put together by add_group_rows.
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/group_rows/group_rows.hpp"
#include "weft/ops/group_rows/group_rows_naive.hpp"
#include "weft/ops/table_rows/table_rows.hpp"
#include "weft/ops/table_rows/table_rows_naive.hpp"

#include "ops/op_checks.hpp"
#include "ops/packing.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/layer_checks.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;
using namespace weft::kernels;
using Catch::Matchers::ContainsSubstring;

namespace {

using Rows = Shape<Dyn, Dyn, Dyn>;

}  // namespace

TEST_CASE("packed texts are found from the first keys of their tokens") {
  const Packing packing;
  CHECK(packing.rows.sequences == 5);
  CHECK(packing.rows.longest == 5);
  const Index starts[] = {0, 3, 4, 7, 12, 14};
  CHECK(std::equal(starts, starts + 6, packing.rows.starts));
  for (Index at = 0; at < 14; ++at) {
    const Index text = packing.rows.text_of(at, 7);
    CHECK((starts[text] <= at && at < starts[text + 1]));
  }
  Inference context;
  CHECK_FALSE(packed_rows(context, nullptr, 2, 7));
  const std::int32_t sliding[] = {0, 0, 1, 2}, late[] = {0, 0, -1, 2};
  CHECK_THROWS_WITH(packed_rows(context, sliding, 1, 4),
                    "packed texts: first_key must be the first token of each token's sequence, found 1 for token 2 of "
                    "row 0");
  CHECK_THROWS_WITH(packed_rows(context, late, 2, 2), ContainsSubstring("found -1 for token 0 of row 1"));
}

TEMPLATE_TEST_CASE("rows of packed texts agree with the naive form", "", float, double) {
  using T = TestType;
  const Packing packing;
  for (const Index features : kAwkwardSizes) {
    for (const Index rows : {0, 2, 5}) {
      const TableRowsSize size{5, 5, rows, features, 1, 6, packing.rows};
      const auto x = random_guarded<T>(14 * features, 1, 1);
      const auto table = random_guarded<T>(6 * features, 2, 3);
      Guarded<T> y(5 * rows * features, 2), slopes(14 * features, 1);
      std::vector<T> expected(static_cast<std::size_t>(y.size()));
      TableRowsKernels<Cpu>::forward(size, x.data(), table.data(), T(2), y.data());
      table_rows_naive(size, x.data(), table.data(), T(2), expected.data());
      CHECK(largest_error(y, expected, [](Index) { return 4.0; }) < 2);
      TableRowsKernels<Cpu>::backward_input(size, y.data(), GradientTarget<T>{slopes.data(), false});
      CHECK((y.intact() && slopes.intact()));
    }
    const TableRowsSize in_place{5, 5, 5, features, 1, 6, packing.rows, true};
    const auto x = random_guarded<T>(14 * features, 1, 1), table = random_guarded<T>(6 * features, 2, 3);
    Guarded<T> y(14 * features, 2);
    std::vector<T> expected(static_cast<std::size_t>(y.size()));
    TableRowsKernels<Cpu>::forward(in_place, x.data(), table.data(), T(2), y.data());
    table_rows_naive(in_place, x.data(), table.data(), T(2), expected.data());
    CHECK(largest_error(y, expected, [](Index) { return 4.0; }) < 2);
    CHECK(y.intact());
    for (const Index shift : {0, 1}) {
      const GroupRowsSize size{2, 7, 2, features, 2, shift, nullptr, packing.rows};
      const auto rows = random_guarded<T>(5 * 2 * features, 1, 1);
      const auto base = random_guarded<T>(14 * features, 2, 3);
      Guarded<T> y(14 * features, 2), slopes(5 * 2 * features, 1);
      std::vector<T> expected(static_cast<std::size_t>(y.size()));
      std::vector<T> slopes_expected(static_cast<std::size_t>(slopes.size()));
      GroupRowsKernels<Cpu>::forward(size, base.data(), rows.data(), y.data());
      group_rows_naive(size, base.data(), rows.data(), expected.data());
      CHECK(largest_error(y, expected, [](Index) { return 4.0; }) < 2);
      GroupRowsKernels<Cpu>::backward_rows(size, base.data(), GradientTarget<T>{slopes.data(), false});
      group_rows_backward_naive(size, base.data(), slopes_expected.data());
      CHECK(largest_error(slopes, slopes_expected, [](Index) { return 4.0; }) < 2);
      CHECK((y.intact() && slopes.intact()));
    }
  }
}

TEST_CASE("packed texts come apart and together unchanged, with zeros behind the shorter ones") {
  const Packing packing;
  const auto x = random_tensor<float>(Rows(2, 7, 3), 1);
  const Tensor<float, Shape<1, Dyn, Dyn>> table(Shape<1, Dyn, Dyn>(5, 3));
  Inference context;
  const auto apart = table_rows(context, table, {5}, x, PackedTexts{packing.rows});
  CHECK(apart.shape() == Rows(5, 5, 3));
  for (Index text = 0; text < 5; ++text) {
    for (Index t = packing.rows.length(text, 7); t < 5; ++t) {
      for (Index c = 0; c < 3; ++c) CHECK(apart(text, t, c) == 0);
    }
  }
  CHECK(to_vector(add_group_rows(context, x.shape(), apart, {1, 0, nullptr, packing.rows})) == to_vector(x));
}

TEST_CASE("the derivatives of rows of packed texts agree with finite differences") {
  const Packing packing;
  auto x = random_tensor<double>(Shape<2, 7, 3>(), 1);
  auto dynamic = random_tensor<double>(Rows(2, 7, 3), 1);
  auto table = random_tensor<double>(Shape<1, Dyn, 3>(6), 2);
  auto rows = random_tensor<double>(Shape<Dyn, Dyn, 3>(5, 2), 3);
  for (const Index count : {0, 2, 5}) {
    const auto apart = [&](auto& context, auto& a, auto& t) {
      return table_rows(context, t, {count, 1, 2.0}, a, PackedTexts{packing.rows});
    };
    CHECK(gradcheck(apart, std::tie(x, table)).message == "gradcheck: 60 derivatives agree");
    CHECK(gradcheck(apart, std::tie(dynamic, table)).passed);
  }
  const auto in_place = [&](auto& context, auto& a, auto& t) {
    return table_rows(context, t, {5, 1, 2.0}, a, PackedTexts{packing.rows, true});
  };
  CHECK(gradcheck(in_place, std::tie(dynamic, table)).message == "gradcheck: 60 derivatives agree");
  for (const Index shift : {0, 1}) {
    const auto together = [&](auto& context, auto& r, auto& b) {
      const auto once = add_group_rows(context, b.shape(), r, {2, shift, nullptr, packing.rows}, b);
      return add_group_rows(context, b.shape(), r, {1, 0, nullptr, packing.rows}, once);
    };
    CHECK(gradcheck(together, std::tie(rows, x)).message == "gradcheck: 72 derivatives agree");
  }
}

TEST_CASE("taking packed texts apart and together keeps every promise") {
  const LongPacking packing;
  const PackedRows& packed = packing.rows;
  auto x = random_tensor<float>(Rows(2, 150, 36), 1);
  const auto table = random_tensor<float>(Shape<1, Dyn, Dyn>(150, 36), 2);
  const auto there_and_back = [&](auto& context, const auto& a) {
    const auto apart = table_rows(context, table, {packed.longest}, a, PackedTexts{packed});
    return add_group_rows(context, a.shape(), apart, {2, 1, nullptr, packed}, a);
  };
  check_operation(there_and_back, x);
}

TEST_CASE("taking packed texts apart and together says what does not fit") {
  const Packing packing;
  Inference context;
  const auto x = random_tensor<float>(Rows(2, 7, 4), 1), longer = random_tensor<float>(Rows(2, 8, 4), 1);
  const auto table = random_tensor<float>(Shape<1, Dyn, Dyn>(6, 4), 2);
  CHECK_THROWS_WITH(table_rows(context, table, {6}, x, PackedTexts{packing.rows}),
                    ContainsSubstring("x must have 6 rows or more, found packed texts of 5 at most"));
  CHECK_THROWS_WITH(table_rows(context, table, {5}, longer, PackedTexts{packing.rows}),
                    ContainsSubstring("the packed texts have 14 tokens, x has shape [2, 8, 4]"));
  CHECK_THROWS_WITH(
      add_group_rows(context, x.shape(), longer, {1, 0, nullptr, packing.rows}),
      ContainsSubstring("rows must be of 5 packed texts of 14 tokens together, found 2 for shape [2, 7, 4]"));
  CHECK_THROWS_WITH(table_rows(context, table, {4}, x, PackedTexts{packing.rows, true}),
                    ContainsSubstring("in place there must be a row for each token of the longest text, 5, found 4"));
}
