// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/cross_attention/cross_attention.hpp"
#include "weft/ops/cross_attention/cross_attention_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;
using namespace weft::kernels;
using Catch::Matchers::ContainsSubstring;

namespace {

template <class T>
using Sequence = Tensor<T, Shape<Dyn, Dyn, Dyn>>;

/// Every kind of mask, for any number of queries and keys; arrays have room for 80 x 80.
template <class T>
struct Masks {
  std::vector<std::int32_t> valid;
  std::vector<std::int32_t> pairs;
  Tensor<T, Shape<Dyn>> additive = random_tensor<T>(Shape<Dyn>(2 * 83 * 83), 9);

  Masks() {
    for (Index i = 0; i < 2 * 80; ++i) valid.push_back(i % 5 == 0 || i % 7 == 3 ? 0 : 1);
    for (Index i = 0; i < 4 * 80 * 80; ++i) pairs.push_back(i < 7 || i % 3 == 0 || i % 11 == 5 ? 1 : 0);
    additive.data()[3] = -std::numeric_limits<T>::infinity();
  }

  std::vector<CrossAttentionMask<T>> all(Index queries, Index keys, T penalty) const {
    const TokenMask<T> tokens[] = {{},
                                   {true, nullptr, nullptr, queries, keys},
                                   {true, nullptr, nullptr, queries / 2 + 1, keys},
                                   {false, valid.data(), nullptr, queries, keys},
                                   {true, valid.data(), nullptr, queries, keys / 2 + 1},
                                   {false, nullptr, additive.data(), queries, keys, queries * keys, keys},
                                   {false, nullptr, additive.data(), queries, keys, 0, keys + 3}};
    std::vector<CrossAttentionMask<T>> masks;
    for (const auto& token_mask : tokens) {
      for (const auto groups : {KeyGroups::none, KeyGroups::of_query, KeyGroups::of_key, KeyGroups::only_of_query,
                                KeyGroups::until_query}) {
        for (const bool causal : {false, true}) {
          if (causal && groups != KeyGroups::none) continue;
          for (const auto order : {FillOrder::mask_then_fill, FillOrder::fill_then_mask}) {
            if (!causal && order == FillOrder::fill_then_mask) continue;
            masks.push_back({causal, order, token_mask, groups, 3, penalty});
          }
        }
      }
    }
    for (const auto& fill : fills(queries, keys)) {
      for (const auto& token_mask : tokens) {
        masks.push_back({false, FillOrder::mask_then_fill, token_mask, KeyGroups::none, 1, penalty, {}, {}, 0, fill});
        masks.push_back({true, FillOrder::fill_then_mask, token_mask, KeyGroups::none, 1, penalty, {}, {}, 0, fill});
      }
      for (const auto groups : {KeyGroups::of_query, KeyGroups::only_of_query, KeyGroups::until_query}) {
        masks.push_back({false, FillOrder::mask_then_fill, {}, groups, 3, penalty, {}, {}, 0, fill});
      }
    }
    return masks;
  }

  /// Pairs for two texts and two heads; for each text; for each head; for all. The first row sees nothing.
  std::vector<KeyFill> fills(Index queries, Index keys) const {
    const Index size = queries * keys;
    return {{pairs.data(), queries, keys, 2 * size, size, keys},
            {pairs.data(), queries, keys, size, 0, keys},
            {pairs.data(), queries, keys, 0, size, keys},
            {pairs.data(), queries, keys, 0, 0, keys}};
  }
};

template <class T>
std::vector<CrossAttentionMixing<T>> all_mixings(const Masks<T>& masks, Index queries, Index keys, T mix) {
  const TokenMask<T> visible{false, masks.valid.data(), nullptr, queries, keys};
  const Index extent = (std::max(queries, keys) + 2) / 3;
  std::vector<CrossAttentionMixing<T>> mixings;
  for (const auto kind :
       {SuppliedWeights::dense, SuppliedWeights::ones, SuppliedWeights::nearest, SuppliedWeights::bilinear}) {
    for (const auto& hidden : {TokenMask<T>{}, visible}) {
      mixings.push_back({kind, nullptr, kind == SuppliedWeights::dense ? Index{0} : extent, 3, hidden, {}, mix});
    }
  }
  return mixings;
}

template <class T>
Tensor<T, Shape<Dyn, Dyn, Dyn, Dyn>> supplied_for(const CrossAttentionMixing<T>& mixing, Index batch, Index heads,
                                                  Index queries, Index keys) {
  const bool dense = mixing.kind == SuppliedWeights::dense || mixing.kind == SuppliedWeights::ones;
  const Shape<Dyn, Dyn, Dyn, Dyn> shape(batch, heads, dense ? queries : mixing.extent, dense ? keys : mixing.extent);
  auto supplied = random_tensor<T>(shape, 77, 0.3);
  for (auto& weight : supplied.span()) weight = std::abs(weight) + T(0.1);  // no row sums near 0
  return supplied;
}

/// Fast against naive: result and weights.
template <class T>
void compare_with_naive(const CrossAttentionOptions<T>& options, Index batch, Index queries, Index keys, Index width) {
  const auto q = random_tensor<T>(Shape<Dyn, Dyn, Dyn>(queries % 2 == 0 ? 1 : batch, queries, width), 1);
  const auto k = random_tensor<T>(Shape<Dyn, Dyn, Dyn>(batch, keys, width), 2);
  const auto v = random_tensor<T>(Shape<Dyn, Dyn, Dyn>(batch, keys, width), 3);
  auto in = weft::detail::cross_attention_input(q, k, v, options);
  const auto supplied = supplied_for(options.mixing, batch, options.heads, queries, keys);
  in.mixing.weights = supplied.data();
  std::vector<T> expected(static_cast<std::size_t>(batch * queries * width)), found(expected.size());
  cross_attention_naive(in, expected.data());
  CrossAttentionKernels<Cpu>::forward(in, found.data());
  const double allowed = std::is_same_v<T, float> ? 2e-5 : 1e-12;
  CHECK(largest_difference(found, expected) < allowed);
  std::vector<T> weights(static_cast<std::size_t>(batch * options.heads * queries * keys)), dense(weights.size());
  cross_attention_weights_naive(in, weights.data());
  CrossAttentionKernels<Cpu>::weights(in, dense.data());
  CHECK(largest_difference(dense, weights) < allowed);
}

}  // namespace

TEMPLATE_TEST_CASE("cross attention agrees with the naive form for every mask and awkward sizes", "", float, double) {
  using T = TestType;
  const Masks<T> masks;
  const std::pair<Index, Index> sizes[] = {{1, 1}, {5, 7}, {7, 5}, {17, 17}, {70, 33}};
  for (const auto& [queries, keys] : sizes) {
    for (const auto& mask : masks.all(queries, keys, T(-1e9))) {
      CAPTURE(queries, keys, int(mask.groups), mask.causal, mask.tokens.causal, mask.tokens.dense());
      compare_with_naive<T>({2, 0.4, mask, {}, {}}, 2, queries, keys, 6);
    }
  }
}

TEMPLATE_TEST_CASE("mixed cross attention agrees with the naive form", "", float, double) {
  using T = TestType;
  const Masks<T> masks;
  for (const Index tokens : {1, 7, 17}) {
    for (const T mix : {T(0.3), T(1.4), T(0), T(-0.5)}) {
      for (const auto& mixing : all_mixings(masks, tokens, tokens, mix)) {
        for (auto mask : masks.all(tokens, tokens, T(-1e9))) {
          const bool fills = mask.fill.given() && mask.groups == KeyGroups::none;
          if (!mask.causal && !(fills && mixing.kind == SuppliedWeights::dense)) continue;
          if (mix > 1 && mixing.kind != SuppliedWeights::ones) continue;  // sums near 0 there
          CAPTURE(tokens, mix, int(mixing.kind), mask.tokens.dense(), int(mask.order));
          compare_with_naive<T>({2, 0.4, mask, mixing, {}}, 2, tokens, tokens, 6);
        }
      }
    }
  }
  CrossAttentionMask<T> causal;
  causal.causal = true;
  compare_with_naive<T>({2, 0.4, causal, {SuppliedWeights::ones, nullptr, 0, 1, {}, {}, T(0.4)}, {}}, 2, 71, 71, 6);
}

TEST_CASE("the derivatives of cross attention agree with finite differences") {
  const Masks<double> masks;
  auto fixed_q = random_tensor<double>(Shape<1, 5, 4>(), 1);
  auto fixed_k = random_tensor<double>(Shape<2, 4, 4>(), 2);
  auto fixed_v = random_tensor<double>(Shape<2, 4, 4>(), 3);
  auto q = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 5, 4), 1);
  auto k = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 4, 4), 2);
  auto v = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 4, 4), 3);
  // With a penalty that leaves digits for the scores. Where the smallest number takes them all, gradients still pass.
  for (const auto& mask : masks.all(5, 4, -3.0)) {
    if (mask.groups == KeyGroups::only_of_query && mask.tokens.causal && mask.tokens.dense()) continue;
    const CrossAttentionOptions<double> options{2, 0.6, mask, {}, {}};
    const auto attend = [&](auto& context, auto& a, auto& b, auto& c) {
      return cross_attention(context, a, b, c, options);
    };
    CAPTURE(int(mask.groups), mask.causal, mask.tokens.causal, mask.tokens.dense());
    CHECK(gradcheck(attend, std::tie(q, k, v)).message == "gradcheck: 104 derivatives agree");
    CHECK(gradcheck(attend, std::tie(fixed_q, fixed_k, fixed_v)).message == "gradcheck: 84 derivatives agree");
  }
}

TEST_CASE("the derivatives of mixed cross attention agree with finite differences") {
  const Masks<double> masks;
  auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 5, 4), 1);
  auto y = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 5, 4), 2);
  auto v = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 5, 4), 3);
  Tensor<double, Shape<1>> mix;
  for (const double share : {0.7, -0.4}) {
    mix(0) = share;
    for (const auto& mixing : all_mixings(masks, 5, 5, share)) {
      auto supplied = supplied_for(mixing, 1, 2, 5, 5);
      for (const auto& mask : masks.all(5, 5, -3.0)) {
        if (!mask.causal) continue;
        const CrossAttentionOptions<double> options{2, 0.6, mask, mixing, {}};
        CAPTURE(share, int(mixing.kind), mask.tokens.dense(), int(mask.order));
        const auto attend = [&](auto& context, auto& a, auto& b, auto& c, auto& s, auto& m) {
          if (mixing.kind == SuppliedWeights::ones) return cross_attention(context, a, b, c, options, none, m);
          return cross_attention(context, a, b, c, options, s, m);
        };
        CHECK(gradcheck(attend, std::tie(x, y, v, supplied, mix)).passed);
      }
    }
  }
}

TEST_CASE("derivatives of cross attention hold over several blocks of rows and for one tensor in all roles") {
  auto x = random_tensor<double>(Shape<1, 70, 2>(), 4);
  CrossAttentionOptions<double> options{1, 0.6, {}, {}, {}};
  options.mask.causal = true;
  CHECK(gradcheck([&](auto& context, auto& a) { return cross_attention(context, a, a, a, options); }, std::tie(x))
            .passed);
}

TEST_CASE("a score below 32 disappears beside -1e9 and a larger one does not") {
  const auto v = random_tensor<float>(Shape<1, 9, 1>(), 3);
  Tensor<float, Shape<1, 9, 1>> q, k;
  for (Index i = 0; i < 9; ++i) q(0, i, 0) = 1, k(0, i, 0) = static_cast<float>(3 * i) - 9;
  CrossAttentionOptions<float> options{1, 1, {}, {}, {}};
  options.mask.tokens = {true, nullptr, nullptr, 9, 9};
  options.mask.groups = KeyGroups::of_query;
  options.mask.group_size = 2;
  Inference inference;
  const auto weights = cross_attention_weights(inference, q, k, options);
  CHECK(weights(0, 0, 0, 0) == 1);
  for (Index i = 1; i < 9; ++i) {
    for (Index j = 0; j < 9; ++j) CHECK(weights(0, 0, i, j) == Approx(j <= i ? 1 / static_cast<float>(i + 1) : 0));
  }
  k(0, 2, 0) = 40;  // becomes 64 there
  const auto large = cross_attention_weights(inference, q, k, options);
  CHECK(large(0, 0, 1, 1) == 0.5F);
  CHECK(large(0, 0, 5, 2) == 1);
}

TEST_CASE("dropout of cross attention keeps an expected share and has a derivative") {
  auto q = random_tensor<double>(Shape<2, 30, 4>(), 1);
  auto v = random_tensor<double>(Shape<2, 30, 4>(), 3);
  CrossAttentionOptions<double> options{2, 0, {}, {}, {}};
  options.dropout.emplace(Rng(5).next_stream(), 0.25);
  Inference inference;
  const auto weights = cross_attention_weights(inference, q, q, options);
  Index dropped = 0;
  for (const double weight : to_vector(weights)) {
    CHECK((weight == 0 || weight == Approx(1 / 0.75 / 30)));
    dropped += weight == 0 ? 1 : 0;
  }
  CHECK(std::abs(static_cast<double>(dropped) / static_cast<double>(weights.size()) - 0.25) < 0.03);
  options.scale = 0.5;
  auto short_q = random_tensor<double>(Shape<1, 4, 4>(), 1);
  auto short_v = random_tensor<double>(Shape<1, 4, 4>(), 2);
  const auto attend = [&](auto& context, auto& a, auto& b) { return cross_attention(context, a, a, b, options); };
  CHECK(gradcheck(attend, std::tie(short_q, short_v)).passed);
  options.mask.causal = true;
  options.mixing.kind = SuppliedWeights::ones;
  options.mixing.mix = 0.4;
  options.mixing.entry_drop.emplace(Rng(6).next_stream(), 0.5);
  CHECK(gradcheck(attend, std::tie(short_q, short_v)).passed);
  options.mixing.mix = 0;
  CHECK(gradcheck(attend, std::tie(short_q, short_v)).passed);
}

TEST_CASE("cross attention gives the same bits for any number of threads") {
  const auto q = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 70, 12), 1);
  const auto k = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(3, 70, 12), 2);
  const auto v = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(3, 70, 12), 3);
  Tensor<float, Shape<1>> mix;
  mix(0) = 0.4F;
  CrossAttentionOptions<float> options{3, 0.5, {}, {}, {}};
  options.mask.causal = true;
  options.mixing.kind = SuppliedWeights::ones;
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    auto qs = q.clone(), ks = k.clone(), vs = v.clone();
    auto a = tape.watch(qs), b = tape.watch(ks), c = tape.watch(vs);
    auto m = tape.watch(mix);
    const auto y = cross_attention(tape, a, b, c, options, none, m);
    tape.backward(y, TensorView<const float, ShapeOf<decltype(y)>>(v.data(), y.shape()));
    auto all = to_vector(y);
    for (const auto& part : {to_vector(tape.gradient(a)), to_vector(tape.gradient(b)), to_vector(tape.gradient(c)),
                             to_vector(tape.gradient(m))}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }));
}

TEST_CASE("cross attention says what does not fit") {
  Inference inference;
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 4, 6), 1);
  const auto y = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(3, 4, 6), 2);
  const auto narrow = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 4, 3), 2);
  CrossAttentionOptions<float> options{4, 1, {}, {}, {}};
  CHECK_THROWS_WITH(cross_attention(inference, x, x, x, options),
                    ContainsSubstring("heads must divide the last axis of v, found 4 and 6"));
  options.heads = 2;
  CHECK_THROWS_WITH(cross_attention(inference, x, x, y, options),
                    ContainsSubstring("k and v must have the same batch"));
  CHECK_THROWS_WITH(cross_attention(inference, x, y, y, options),
                    ContainsSubstring("q must have the batch of k or 1, found 2 and 3"));
  CHECK_THROWS_WITH(cross_attention(inference, narrow, x, x, options),
                    ContainsSubstring("equally wide, found 3, 6 and 6"));
  options.mask.group_size = 0;
  CHECK_THROWS_WITH(cross_attention(inference, x, x, x, options), ContainsSubstring("a group must have a member"));
  options.mask.group_size = 1;
  const std::int32_t pairs[20] = {};
  options.mask.fill = {pairs, 4, 5, 0, 0, 5};
  CHECK_THROWS_WITH(
      cross_attention(inference, x, x, x, options),
      ContainsSubstring("a row for each query and a column for each key, expected 4 and 4, found 4 and 5"));
  options.mask.fill = {};
  options.mixing.kind = SuppliedWeights::ones;
  CHECK_THROWS_WITH(cross_attention(inference, x, x, x, options), ContainsSubstring("need mask.causal"));
  options.mask.causal = true;
  options.mixing.kind = SuppliedWeights::nearest;
  CHECK_THROWS_WITH(cross_attention(inference, x, x, x, options), ContainsSubstring("supplied weights are missing"));
  options.mixing.extent = 3;
  const auto cells = random_tensor<float>(Shape<2, 2, 3, 3>(), 1);
  CHECK_THROWS_WITH(cross_attention(inference, x, x, x, options, cells), ContainsSubstring("do not reach token 3"));
  options.mixing.extent = 4;
  CHECK_THROWS_WITH(cross_attention(inference, x, x, x, options, cells),
                    ContainsSubstring("supplied weights must be [2, 2, 4, 4], found [2, 2, 3, 3]"));
}
