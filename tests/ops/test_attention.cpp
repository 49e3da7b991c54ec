// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/attention/attention.hpp"
#include "weft/ops/attention/attention_diagonal.hpp"
#include "weft/ops/attention/attention_naive.hpp"
#include "weft/ops/attention/attention_weights.hpp"

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::random_tensor;

namespace {

AttentionOptions<double> options_for(Index heads, Index kv_heads, bool causal = true) {
  AttentionOptions<double> options;
  options.heads = heads;
  options.kv_heads = kv_heads;
  options.scale = 0.7;
  options.sharpness = 1.25;
  options.mask.causal = causal;
  return options;
}

}  // namespace

TEST_CASE("scaled_dot_product_attention's derivatives agree with finite differences") {
  auto q = random_tensor<double>(Shape<Dyn, Dyn, 6>(2, 3), 1);
  auto k = random_tensor<double>(Shape<Dyn, 5, 3>(2), 2);
  auto v = random_tensor<double>(Shape<2, Dyn, Dyn>(5, 4), 3);
  Tensor<double, Shape<>> sharpness;
  *sharpness.data() = 1.4;  // not below 0, where gradients pass through the causal mask (quirk A11)
  for (const bool causal : {false, true}) {
    const auto options = options_for(2, 1, causal);
    const auto attend = [&](auto& context, auto& a, auto& b, auto& c, auto& alpha) {
      return scaled_dot_product_attention(context, a, b, c, options, alpha);
    };
    const auto result = gradcheck(attend, std::tie(q, k, v, sharpness));
    INFO(result.message);
    CHECK(result.passed);
    const auto constant = [&](auto& context, auto& a, auto& b, auto& c) {
      return scaled_dot_product_attention(context, a, b, c, options);
    };
    CHECK(gradcheck(constant, std::tie(q, k, v)).passed);
  }
}

TEST_CASE("scaled_dot_product_attention's derivatives agree with finite differences under masks") {
  auto q = random_tensor<double>(Shape<2, 4, 6>(), 1);
  auto k = random_tensor<double>(Shape<2, 4, 6>(), 2);
  auto v = random_tensor<double>(Shape<2, 4, 6>(), 3);
  Tensor<double, Shape<1>> sharpness;
  sharpness(0) = 1.5;
  auto options = options_for(2, 2);
  const auto attend = [&](auto& context, auto& a, auto& b, auto& c, auto& alpha) {
    return scaled_dot_product_attention(context, a, b, c, options, alpha);
  };
  const std::int32_t key_valid[] = {1, 0, 1, 1, 1, 1, 1, 0};
  options.mask.key_valid = key_valid;
  const auto padded = gradcheck(attend, std::tie(q, k, v, sharpness));
  INFO(padded.message);
  CHECK(padded.passed);

  auto additive = random_tensor<double>(Shape<2, 1, 4, 4>(), 4);
  additive(0, 0, 1, 2) = additive(1, 0, 3, 0) = std::numeric_limits<double>::lowest();
  options.mask = {false, nullptr, additive.data(), 16, 4};
  CHECK(gradcheck(attend, std::tie(q, k, v, sharpness)).passed);
}

TEST_CASE("one tensor may be the queries, the keys and the values of attention") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn, 6>(2, 5), 1);
  auto y = random_tensor<double>(Shape<Dyn, Dyn, 6>(2, 5), 2);
  const auto options = options_for(2, 2);
  const auto all = [&](auto& context, auto& a) { return scaled_dot_product_attention(context, a, a, a, options); };
  CHECK(gradcheck(all, std::tie(x)).passed);
  const auto keys_are_values = [&](auto& context, auto& a, auto& b) {
    return scaled_dot_product_attention(context, a, b, b, options);
  };
  CHECK(gradcheck(keys_are_values, std::tie(x, y)).passed);
  const auto queries_are_values = [&](auto& context, auto& a, auto& b) {
    return scaled_dot_product_attention(context, a, b, a, options);
  };
  CHECK(gradcheck(queries_are_values, std::tie(x, y)).passed);
  // 4 query heads of 3 features share 2 heads of keys and of values of 6: still one width for q and v
  auto shared = random_tensor<double>(Shape<Dyn, Dyn, 12>(1, 4), 3);
  auto keys = random_tensor<double>(Shape<Dyn, Dyn, 6>(1, 4), 4);
  const auto grouped = [&, group = options_for(4, 2)](auto& context, auto& a, auto& b) {
    return scaled_dot_product_attention(context, a, b, a, group);
  };
  CHECK(gradcheck(grouped, std::tie(shared, keys)).passed);
}

TEST_CASE("attention_weights' derivatives agree with finite differences") {
  auto q = random_tensor<double>(Shape<Dyn, Dyn, 6>(2, 3), 1);
  auto k = random_tensor<double>(Shape<Dyn, 5, 3>(2), 2);
  Tensor<double, Shape<>> sharpness;
  *sharpness.data() = 1.4;  // not below 0, where gradients pass through the causal mask (quirk A11)
  for (const bool causal : {false, true}) {
    const auto options = options_for(2, 1, causal);
    const auto weights = [&](auto& context, auto& a, auto& b, auto& alpha) {
      return attention_weights(context, a, b, options, alpha);
    };
    const auto result = gradcheck(weights, std::tie(q, k, sharpness));
    INFO(result.message);
    CHECK(result.passed);
  }
}

TEST_CASE("attention_diagonal's derivatives agree with finite differences") {
  auto q = random_tensor<double>(Shape<Dyn, Dyn, 6>(2, 4), 1);
  auto k = random_tensor<double>(Shape<Dyn, Dyn, 3>(2, 4), 2);
  auto longer = random_tensor<double>(Shape<Dyn, 7, 3>(2), 3);
  Tensor<double, Shape<1>> sharpness;
  sharpness(0) = 1.5;
  const std::int32_t key_valid[] = {1, 0, 1, 1, 1, 1, 1, 0};
  for (int kind = 0; kind < 4; ++kind) {
    auto options = options_for(2, 1, kind != 0);
    if (kind == 2) options.mask.key_valid = key_valid;
    if (kind == 3) options.dropout = DropoutMask(Rng(2), 0.4);
    const auto diagonal = [&](auto& context, auto& a, auto& b, auto& alpha) {
      return attention_diagonal(context, a, b, options, alpha);
    };
    INFO(kind);
    CHECK(gradcheck(diagonal, std::tie(q, k, sharpness)).passed);
    if (kind < 2) CHECK(gradcheck(diagonal, std::tie(q, longer, sharpness)).passed);
  }
}

TEST_CASE("attention_diagonal is the diagonal of the weights, bit for bit, for any number of threads") {
  const int threads = thread_count();
  for (const auto& [queries, keys] : {std::pair<Index, Index>{1, 1}, {1, 70}, {67, 67}, {130, 133}}) {
    const auto q = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, queries, 20), 1);
    const auto k = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, keys, 10), 2);
    std::vector<std::int32_t> key_valid(static_cast<std::size_t>(2 * keys), 1);
    key_valid.front() = key_valid.back() = 0;
    for (const bool padded : {false, true}) {
      AttentionOptions<float> options;
      options.heads = 4;
      options.kv_heads = 2;
      options.mask = {true, padded ? key_valid.data() : nullptr};
      Inference inference;
      const auto weights = attention_weights(inference, q, k, options);
      for (const int count : {1, 2}) {
        set_threads(count);
        const auto diagonal = attention_diagonal(inference, q, k, options);
        for (Index row = 0; row < 2 * 4 * queries; ++row) {
          const Index own = keys - queries + row % queries;
          REQUIRE(diagonal.data()[row] == weights.data()[row * keys + own]);
        }
      }
    }
  }
  set_threads(threads);
}

TEST_CASE("the derivatives of attention with dropout agree with finite differences") {
  auto q = random_tensor<double>(Shape<Dyn, Dyn, 6>(2, 3), 1);
  auto k = random_tensor<double>(Shape<Dyn, 5, 3>(2), 2);
  auto v = random_tensor<double>(Shape<2, Dyn, Dyn>(5, 4), 3);
  auto options = options_for(2, 1);
  options.dropout.emplace(Rng(3), 0.4);
  const auto attend = [&](auto& context, auto& a, auto& b, auto& c) {
    return scaled_dot_product_attention(context, a, b, c, options);
  };
  const auto result = gradcheck(attend, std::tie(q, k, v));
  INFO(result.message);
  CHECK(result.passed);
  const auto weights = [&](auto& context, auto& a, auto& b) { return attention_weights(context, a, b, options); };
  CHECK(gradcheck(weights, std::tie(q, k)).passed);
}

TEST_CASE("attention's result is the product of its weights and the values") {
  const auto q = random_tensor<double>(Shape<1, Dyn, 6>(4), 1);
  const auto k = random_tensor<double>(Shape<1, Dyn, 6>(7), 2);
  const auto v = random_tensor<double>(Shape<1, Dyn, 10>(7), 3);
  Inference inference;
  const auto options = options_for(2, 2);
  const auto y = scaled_dot_product_attention(inference, q, k, v, options);
  static_assert(std::is_same_v<ShapeOf<decltype(y)>, Shape<1, Dyn, Dyn>>);
  const auto weights = attention_weights(inference, q, k, options);
  static_assert(std::is_same_v<ShapeOf<decltype(weights)>, Shape<1, Dyn, Dyn, Dyn>>);
  REQUIRE(y.extent(2) == 10);
  for (Index i = 0; i < 4; ++i) {
    for (Index c = 0; c < 10; ++c) {
      double expected = 0;
      for (Index j = 0; j <= 3 + i; ++j) expected += weights(0, c / 5, i, j) * v(0, j, c);
      CHECK(y(0, i, c) == Approx(expected).epsilon(1e-12));
    }
    for (Index j = 4 + i; j < 7; ++j) CHECK(weights(0, 0, i, j) == 0.0);
  }
}

TEST_CASE("attention computes no gradient that is not wanted") {
  const auto q = random_tensor<double>(Shape<1, 3, 4>(), 1);
  const auto k = random_tensor<double>(Shape<1, 3, 4>(), 2);
  auto v = random_tensor<double>(Shape<1, 3, 4>(), 3);
  Parameter<double, Shape<>> sharpness(Shape<>{});
  sharpness.data()[0] = 2;
  sharpness.set_trainable(false);
  Tape tape;
  const auto watched = tape.watch(v);
  const auto y = scaled_dot_product_attention(tape, q, k, watched, options_for(1, 1), sharpness);
  tape.backward(y, TensorView<const double, Shape<1, 3, 4>>(v.data(), {}));
  CHECK(tape.has_gradient(watched));
  CHECK(!sharpness.has_gradient());
  const auto guard = tape.no_grad();
  CHECK(scaled_dot_product_attention(tape, q, k, watched, options_for(1, 1)).gradient_slot() == nullptr);
}

TEST_CASE("attention needs memory in proportion to the number of tokens") {
  const auto peak_bytes = [](Index tokens) {
    auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, tokens, 8), 1);
    Tape tape;
    const auto q = tape.watch(x);
    const auto y = scaled_dot_product_attention(tape, q, q, q, options_for(4, 4));
    tape.backward(y, TensorView<const double, Shape<Dyn, Dyn, Dyn>>(x.data(), x.shape()));
    return tape.peak_bytes();
  };
  // result, its gradient, that of x, two numbers a row of each head; and gaps in the arena
  for (const Index tokens : {100, 300, 900}) CHECK(peak_bytes(tokens) < 6 * 8 * sizeof(double) * std::size_t(tokens));
}

TEST_CASE("attention refuses extents that do not fit, and says which") {
  Inference inference;
  const Tensor<double, Shape<Dyn, Dyn, Dyn>> x(Shape<Dyn, Dyn, Dyn>(2, 4, 12));
  const Tensor<double, Shape<Dyn, Dyn, Dyn>> narrow(Shape<Dyn, Dyn, Dyn>(2, 4, 10));
  const Tensor<double, Shape<Dyn, Dyn, Dyn>> brief(Shape<Dyn, Dyn, Dyn>(2, 3, 12));
  const auto attend = [&](const auto& q, const auto& k, const auto& v, Index heads, Index kv_heads) {
    return scaled_dot_product_attention(inference, q, k, v, options_for(heads, kv_heads));
  };
  CHECK_THROWS_WITH(attend(x, x, x, 3, 2),
                    "scaled_dot_product_attention(q, k, v): kv_heads must divide heads, found 2 and 3");
  CHECK_THROWS_WITH(attend(x, x, x, 0, 0),
                    "scaled_dot_product_attention(q, k, v): kv_heads must divide heads, found 0 and 0");
  CHECK_THROWS_WITH(attend(x, x, x, 4, 2),
                    "scaled_dot_product_attention(q, k, v): the last axes of q and k must be heads * head_dim and "
                    "kv_heads * head_dim, found 12 for 4 heads and 12 for 2");
  CHECK_THROWS_WITH(
      attend(x, x, narrow, 4, 4),
      "scaled_dot_product_attention(q, k, v): the last axis of v must be kv_heads * value_dim, found 10 for "
      "4 heads");
  CHECK_THROWS_WITH(
      attend(x, brief, brief, 4, 4),
      "scaled_dot_product_attention(q, k, v): there must be a key for each query, found 4 queries and 3 keys");
  CHECK_THROWS_WITH(
      attend(x, x, brief, 4, 4),
      Catch::Matchers::ContainsSubstring("k and v must have as many tokens, found 4 (shape [2, 4, 12]) and 3"));
  CHECK_THROWS_WITH(scaled_dot_product_attention(inference, x, x, x, options_for(4, 4), narrow),
                    "scaled_dot_product_attention(q, k, v): sharpness must have one element, found shape [2, 4, 10]");
  auto both = options_for(4, 4);
  const std::int32_t key_valid[8] = {};
  both.mask.key_valid = key_valid;
  both.mask.additive = x.data();
  auto packed = options_for(4, 4, false);
  const std::int32_t first_key[8] = {};
  packed.mask.first_key = first_key;
  CHECK_THROWS_WITH(attention_weights(inference, x, x, packed),
                    "attention_weights(q, k): a mask with first_key must be causal and without key_valid");
  CHECK_THROWS_WITH(attention_weights(inference, x, x, both),
                    "attention_weights(q, k): the mask must be key_valid or additive, found both");
}
