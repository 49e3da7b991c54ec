// SPDX-License-Identifier: Apache-2.0
// Packed texts: taken apart by table_rows, put together by add_group_rows, kept apart by cross_attention.
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/cross_attention/cross_attention.hpp"
#include "weft/ops/cross_attention/cross_attention_naive.hpp"
#include "weft/ops/group_rows/group_rows.hpp"
#include "weft/ops/group_rows/group_rows_naive.hpp"
#include "weft/ops/table_rows/table_rows.hpp"
#include "weft/ops/table_rows/table_rows_naive.hpp"

#include "ops/op_checks.hpp"
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
using Matrices = Shape<Dyn, Dyn, Dyn, Dyn>;

/// Two rows of 7 tokens in five texts of 3, 1, 3, 5 and 2 tokens.
const std::vector<std::int32_t> kFirstKeys{0, 0, 0, 3, 4, 4, 4, 0, 0, 0, 0, 0, 5, 5};

/// The same as operations are told.
struct Packing {
  Inference context;
  PackedRows rows = packed_rows(context, kFirstKeys.data(), 2, 7);
};

/// Every kind of supplied weights that packed texts may have, for groups of two.
std::vector<CrossAttentionMixing<double>> packed_mixings(double mix) {
  std::vector<CrossAttentionMixing<double>> mixings(4);
  const SuppliedWeights kinds[] = {SuppliedWeights::none, SuppliedWeights::ones, SuppliedWeights::nearest,
                                   SuppliedWeights::bilinear};
  for (std::size_t i = 0; i < 4; ++i) {
    mixings[i].kind = kinds[i];
    mixings[i].extent = 3;
    mixings[i].group_size = 2;
    mixings[i].mix = mix;
  }
  return mixings;
}

CrossAttentionOptions<double> packed_options(const PackedRows& packed, const CrossAttentionMixing<double>& mixing) {
  CrossAttentionOptions<double> options{2, 0.6, {}, mixing, {}};
  options.mask.causal = true;
  options.mask.query_texts = options.mask.key_texts = packed;
  return options;
}

/// Attention in which only queries or only keys are packed, and the shapes of q and of k and v.
struct HalfPacked {
  CrossAttentionOptions<double> options;
  Rows queries;
  Rows keys;
};

std::vector<HalfPacked> half_packed(const PackedRows& packed) {
  const CrossAttentionOptions<double> plain{2, 0.6, {}, {}, {}};
  std::vector<HalfPacked> cases{{plain, Rows(1, 3, 4), Rows(2, 7, 4)},
                                {plain, Rows(5, 2, 4), Rows(2, 7, 4)},
                                {plain, Rows(1, 4, 4), Rows(5, 3, 4)},
                                {plain, Rows(2, 7, 4), Rows(5, 3, 4)}};
  for (HalfPacked& c : cases) {
    const bool keys = c.keys[1] == 7;
    (keys ? c.options.mask.key_texts : c.options.mask.query_texts) = packed;
    c.options.mask.groups = keys ? KeyGroups::only_of_query : KeyGroups::until_query;
    c.options.mask.group_size = 2;
  }
  cases[2].options.mask.skipped = 1;  // of the longest text's five tokens four ask
  return cases;
}

/// Fast against naive: result and weights.
template <class X, class Supplied>
void compare_with_naive(const CrossAttentionOptions<double>& options, const X& q, const X& k, const X& v,
                        const Supplied& supplied) {
  auto in = weft::detail::cross_attention_input(q, k, v, options);
  in.mixing.weights = supplied.data();
  const auto extents = weft::detail::cross_attention_extents(in, q.shape());
  std::vector<double> expected(static_cast<std::size_t>(extents[0] * extents[1] * extents[2]), 7), found(expected);
  cross_attention_naive(in, expected.data());
  CrossAttentionKernels<Cpu>::forward(in, found.data());
  CHECK(largest_difference(found, expected) < 1e-12);
  const CrossAttentionSize& size = in.size;
  std::vector<double> weights(static_cast<std::size_t>(size.batch * size.heads * size.queries * size.keys), 7);
  auto dense = weights;
  cross_attention_weights_naive(in, weights.data());
  CrossAttentionKernels<Cpu>::weights(in, dense.data());
  CHECK(largest_difference(dense, weights) < 1e-12);
}

/// Attention with or without an array of supplied weights.
template <class Context, class X, class Supplied, class Mix>
auto attend(Context& context, const CrossAttentionOptions<double>& options, const X& q, const X& k, const X& v,
            const Supplied& supplied, const Mix& mix) {
  const bool array = options.mixing.given() && options.mixing.kind != SuppliedWeights::ones;
  if (!array) return cross_attention(context, q, k, v, options, none, mix);
  return cross_attention(context, q, k, v, options, supplied, mix);
}

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

TEST_CASE("cross attention of packed texts agrees with the naive form and with that of each alone") {
  const Packing packing;
  const auto q = random_tensor<double>(Rows(2, 7, 6), 1), k = random_tensor<double>(Rows(2, 7, 6), 2);
  const auto v = random_tensor<double>(Rows(2, 7, 6), 3);
  const auto supplied = random_tensor<double>(Matrices(5, 2, 3, 3), 4, 0.3);
  const Tensor<double, Shape<1>> unused;
  for (const double mix : {0.4, -0.5}) {
    for (const auto& mixing : packed_mixings(mix)) {
      CAPTURE(mix, int(mixing.kind));
      auto options = packed_options(packing.rows, mixing);
      compare_with_naive(options, q, k, v, supplied);
      auto in = weft::detail::cross_attention_input(q, k, v, options);
      in.mixing.weights = supplied.data();
      std::vector<double> found(14 * 6);
      CrossAttentionKernels<Cpu>::forward(in, found.data());
      options.mask.query_texts = options.mask.key_texts = {};
      for (Index text = 0; text < 5; ++text) {
        const Index begin = packing.rows.starts[text], length = packing.rows.length(text, 7);
        const Index groups = (length + 1) / 2;
        in = {{1, 2, length, length, 3, false},
              q.data() + begin * 6,
              k.data() + begin * 6,
              v.data() + begin * 6,
              0.6,
              options.mask,
              options.mixing,
              {}};
        in.mixing.extent = groups;
        std::vector<double> own;
        for (Index entry = 0; entry < 2 * groups * groups; ++entry) {
          const Index head = entry / (groups * groups), r = entry / groups % groups, c = entry % groups;
          own.push_back(supplied(text, head, r, c));
        }
        in.mixing.weights = own.data();
        std::vector<double> alone(static_cast<std::size_t>(length * 6));
        CrossAttentionKernels<Cpu>::forward(in, alone.data());
        const std::vector<double> packed(found.begin() + begin * 6, found.begin() + (begin + length) * 6);
        CHECK(largest_difference(packed, alone) < 1e-12);
      }
    }
  }
}

TEST_CASE("cross attention with packed queries or packed keys agrees with the naive form and finite differences") {
  const Packing packing;
  auto cases = half_packed(packing.rows);
  for (HalfPacked& c : cases) {
    auto q = random_tensor<double>(c.queries, 1), k = random_tensor<double>(c.keys, 2);
    auto v = random_tensor<double>(c.keys, 3);
    CAPTURE(c.queries.text(), c.keys.text());
    compare_with_naive(c.options, q, k, v, q);
    const auto run = [&](auto& context, auto& a, auto& b, auto& x) {
      return cross_attention(context, a, b, x, c.options);
    };
    for (const bool drops : {false, true}) {
      if (drops) c.options.dropout.emplace(Rng(5).next_stream(), 0.3);
      const auto result = gradcheck(run, std::tie(q, k, v));
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("the derivatives of cross attention of packed texts agree with finite differences") {
  const Packing packing;
  auto q = random_tensor<double>(Rows(2, 7, 2), 1), k = random_tensor<double>(Rows(2, 7, 2), 2);
  auto v = random_tensor<double>(Rows(2, 7, 2), 3);
  auto supplied = random_tensor<double>(Matrices(5, 2, 3, 3), 4, 0.3);
  for (auto& weight : supplied.span()) weight = std::abs(weight) + 0.1;  // no row sums near 0
  Tensor<double, Shape<1>> mix;
  for (const double share : {0.7, -0.4}) {
    mix(0) = share;
    for (const auto& mixing : packed_mixings(share)) {
      CAPTURE(share, int(mixing.kind));
      const auto options = packed_options(packing.rows, mixing);
      const auto run = [&](auto& context, auto& a, auto& b, auto& c, auto& s, auto& m) {
        return attend(context, options, a, b, c, s, m);
      };
      const auto result = gradcheck(run, std::tie(q, k, v, supplied, mix));
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("operations on packed texts keep every promise") {
  std::vector<std::int32_t> first_keys;
  for (std::int32_t row = 0; row < 2; ++row) {
    for (std::int32_t t = 0; t < 150; ++t) first_keys.push_back(t < 30 ? 0 : t < 31 + row ? 30 : 31 + row);
  }
  Inference keeper;
  const PackedRows packed = packed_rows(keeper, first_keys.data(), 2, 150);
  auto x = random_tensor<float>(Rows(2, 150, 36), 1);
  const auto table = random_tensor<float>(Shape<1, Dyn, Dyn>(150, 36), 2);
  const auto there_and_back = [&](auto& context, const auto& a) {
    const auto apart = table_rows(context, table, {packed.longest}, a, PackedTexts{packed});
    return add_group_rows(context, a.shape(), apart, {2, 1, nullptr, packed}, a);
  };
  check_operation(there_and_back, x);
  auto supplied = random_tensor<float>(Matrices(packed.sequences, 3, 30, 30), 4);
  CrossAttentionOptions<float> options{3, 0.3, {}, {}, {}};
  options.mask.causal = true;
  options.mask.query_texts = options.mask.key_texts = packed;
  options.mixing.kind = SuppliedWeights::bilinear;
  options.mixing.extent = 30;
  options.mixing.group_size = 4;
  options.mixing.mix = 0.6F;
  check_operation(
      [&](auto& context, const auto& a, const auto& s) { return cross_attention(context, a, a, a, options, s); }, x,
      supplied);
}

TEST_CASE("each packed text has its own dropped entry in each head") {
  const Packing packing;
  const auto x = random_tensor<double>(Rows(2, 7, 4), 1);
  auto options = packed_options(packing.rows, packed_mixings(0)[1]);
  options.mixing.entry_drop.emplace(Rng(5).next_stream(), 0.5);
  Inference context;
  const auto weights = cross_attention_weights(context, x, x, options);
  CHECK(weights.shape() == Matrices(5, 2, 5, 5));
  std::vector<double> entries;
  for (Index text = 0; text < 5; ++text) {
    for (Index head = 0; head < 2; ++head) {
      entries.push_back(weights(text, head, 0, 0));
      for (Index i = 0; i < 5; ++i) {
        for (Index j = 0; j < 5; ++j) {
          const bool visible = j <= i && i < packing.rows.length(text, 7);
          CHECK(weights(text, head, i, j) == (visible ? entries.back() : 0));
        }
      }
    }
  }
  const auto dropped = std::count(entries.begin(), entries.end(), 0.0);
  CHECK((0 < dropped && dropped < 10));
  CHECK(dropped + std::count(entries.begin(), entries.end(), 2.0) == 10);
}

TEST_CASE("operations on packed texts say what does not fit") {
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
  CrossAttentionOptions<float> options{2, 1, {}, {}, {}};
  options.mask.causal = true;
  options.mask.query_texts = options.mask.key_texts = packing.rows;
  const auto shapes = ContainsSubstring("must be rows of the 5 packed texts of 14 tokens");
  CHECK_THROWS_WITH(cross_attention(context, longer, longer, longer, options), shapes);
  CHECK_THROWS_WITH(cross_attention(context, x, longer, longer, options), shapes);
  options.mask.skipped = 1;
  CHECK_THROWS_WITH(cross_attention(context, x, x, x, options), shapes);
  options.mask.skipped = 0;
  options.mask.query_texts = {};
  CHECK_THROWS_WITH(cross_attention(context, x, x, x, options), shapes);
  options.mask.query_texts = packing.rows;
  const std::int32_t valid[14] = {};
  options.mask.tokens = {false, valid, nullptr, 7, 7};
  CHECK_THROWS_WITH(cross_attention(context, x, x, x, options),
                    ContainsSubstring("packed texts take no padding, additive mask or dense supplied weights"));
  options.mask.tokens = {};
  options.mixing.kind = SuppliedWeights::nearest;
  options.mixing.extent = 2;
  options.mixing.group_size = 2;
  const auto cells = random_tensor<float>(Matrices(2, 2, 2, 2), 1),
             right = random_tensor<float>(Matrices(5, 2, 2, 2), 1);
  CHECK_THROWS_WITH(cross_attention(context, x, x, x, options, cells),
                    ContainsSubstring("supplied weights must be [5, 2, 2, 2], found [2, 2, 2, 2]"));
  CHECK_THROWS_WITH(cross_attention(context, x, x, x, options, right), ContainsSubstring("do not reach token 4"));
}
