// SPDX-License-Identifier: Apache-2.0
// Packed texts are kept apart by cross_attention.
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/cross_attention/cross_attention.hpp"
#include "weft/ops/cross_attention/cross_attention_naive.hpp"

#include "ops/op_checks.hpp"
#include "ops/packing.hpp"
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

TEST_CASE("cross attention of packed texts keeps every promise") {
  const LongPacking packing;
  const PackedRows& packed = packing.rows;
  auto x = random_tensor<float>(Rows(2, 150, 36), 1);
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

TEST_CASE("cross attention of packed texts says what does not fit") {
  const Packing packing;
  Inference context;
  const auto x = random_tensor<float>(Rows(2, 7, 4), 1), longer = random_tensor<float>(Rows(2, 8, 4), 1);
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
                    ContainsSubstring("packed texts take no padding, mask as an array or dense supplied weights"));
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
