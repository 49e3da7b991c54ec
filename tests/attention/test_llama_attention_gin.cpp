// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "weft/attention/llama_attention_gin.hpp"
#include "weft/attention/reset_thresholds.hpp"
#include "weft/autograd/gradcheck.hpp"

#include "attention/gin_kinds.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::all_kinds;
using weft::testing::largest_difference;
using weft::testing::random_tensor;
using weft::testing::randomize_parameters;
using weft::testing::small_gin;
using weft::testing::to_vector;

namespace {

using Layer = LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn, Dyn, double>;
using StaticLayer = LlamaAttentionGIN<8, 2, 2, 4, 2, double>;
using Hidden = Tensor<double, Shape<Dyn, Dyn, Dyn>>;
using Options = LlamaAttentionGINOptions;

/// Rotary tables of random angles, and the inputs that point to them.
struct Inputs {
  Hidden cos;
  Hidden sin;
  AttentionInputs<double> all;

  explicit Inputs(Index tokens, Index head_dim = 4, Index first = 0)
      : cos(Shape<Dyn, Dyn, Dyn>(1, tokens, head_dim)), sin(cos.shape()) {
    for (Index i = 0; i < cos.size(); ++i) {
      const double angle = 0.3 * static_cast<double>((first * head_dim + i) % (head_dim / 2) + first + i / head_dim);
      cos.data()[i] = std::cos(angle);
      sin.data()[i] = std::sin(angle);
    }
    all.cos = cos;
    all.sin = sin;
    all.causal = true;
  }
};

template <class L = Layer>
L layer_of(const Options& options) {
  L layer(options);
  randomize_parameters(layer, 10, 0.6);
  return layer;
}

}  // namespace

TEST_CASE("GIN attention's derivatives agree with finite differences for every kind of adjacency") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 3, 8), 1);
  auto fixed = random_tensor<double>(Shape<2, 2, 8>(), 1);
  const Inputs inputs(3);
  const Inputs two(2);
  for (const auto& [name, options] : all_kinds()) {
    auto layer = layer_of(options);
    const auto result =
        gradcheck([&](auto& context, auto& h) { return layer(context, h, inputs.all); }, std::tie(x), layer);
    INFO(name << ": " << result.message);
    CHECK(result.passed);
    if (options.heads != 2) continue;
    auto typed = layer_of<StaticLayer>(options);
    const auto typed_result =
        gradcheck([&](auto& context, auto& h) { return typed(context, h, two.all, h); }, std::tie(fixed), typed);
    INFO(typed_result.message);
    CHECK(typed_result.passed);
  }
}

TEST_CASE("gradients flow through the weights that GIN attention returns") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 3, 8), 1);
  const Inputs inputs(3);
  for (const auto& [name, options] : all_kinds()) {
    auto layer = layer_of(options);
    const auto result = gradcheck(
        [&](auto& context, auto& h) { return layer.with_weights(context, h, inputs.all).weights; }, std::tie(x), layer);
    INFO(name << ": " << result.message);
    CHECK(result.passed);
    Inference inference;
    const auto both = layer.with_weights(inference, x, inputs.all);
    CHECK(largest_difference(to_vector(both.output), to_vector(layer(inference, x, inputs.all))) < 1e-12);
    CHECK(to_vector(both.weights) == to_vector(layer.attention_weights(inference, x, inputs.all)));
    REQUIRE(both.weights.extent(1) == options.heads);
  }
}

TEST_CASE("GIN attention looks at no later token, unless it says that it is not incremental") {
  const Index tokens = 7;
  const Inputs inputs(tokens);
  auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, tokens, 8), 1);
  for (const auto& [name, options] : all_kinds()) {
    const auto layer = layer_of(options);
    INFO(name);
    CHECK(layer.incremental() == (name != "top-k" && name != "differential with norm"));
    if (!layer.incremental()) continue;
    for (const Index changed : {Index{6}, Index{3}}) {
      Inference inference;
      const auto before = to_vector(layer(inference, x, inputs.all));
      x(1, changed, 2) += 1.5;
      const auto after = to_vector(layer(inference, x, inputs.all));
      const std::size_t width = before.size() / (2 * tokens);
      const std::size_t place = (tokens + static_cast<std::size_t>(changed)) * width;
      CHECK(std::equal(before.begin(), before.begin() + static_cast<Index>(place), after.begin()));
      CHECK(before != after);
    }
  }
}

TEST_CASE("GIN attention decodes with a cache what it computes at once, weights too") {
  const Index tokens = 6;
  const Inputs inputs(tokens);
  const auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, tokens, 8), 1);
  const auto rows_differ = [&](const auto& weights, const auto& all_weights, Index first) {
    double worst = 0;
    for (Index b = 0; b < 2; ++b) {
      for (Index head = 0; head < all_weights.extent(1); ++head) {
        for (Index i = 0; i < weights.extent(2); ++i) {
          for (Index j = 0; j < first + weights.extent(2); ++j) {
            worst = std::max(worst, std::abs(weights(b, head, i, j) - all_weights(b, head, first + i, j)));
          }
        }
      }
    }
    return worst;
  };
  for (const auto& [name, options] : all_kinds()) {
    const auto layer = layer_of(options);
    INFO(name);
    const Index capacity = 9;
    const Index heads = options.heads;
    std::vector<double> keys(static_cast<std::size_t>(2 * capacity * layer.key_width()));
    std::vector<double> values(static_cast<std::size_t>(2 * capacity * layer.value_width()));
    const auto piece = [&](Inference& inference, Index first, Index count) {
      Hidden part(Shape<Dyn, Dyn, Dyn>(2, count, 8));
      for (Index b = 0; b < 2; ++b) {
        for (Index i = 0; i < count; ++i) {
          for (Index c = 0; c < 8; ++c) part(b, i, c) = x(b, first + i, c);
        }
      }
      Inputs some(count, 4, first);
      some.all.cache = {keys.data(), values.data(), capacity, first, layer.key_width(), layer.value_width()};
      const auto alone = to_vector(layer(inference, part, some.all));
      const auto [output, weights] = layer.with_weights(inference, part, some.all);
      CHECK(weights.shape().text() == concat("[2, ", heads, ", ", count, ", ", first + count, "]"));
      CHECK(rows_differ(weights, layer.attention_weights(inference, x, inputs.all), first) < 1e-11);
      CHECK(largest_difference(to_vector(output), alone) < 1e-12);
      return alone;
    };
    Inference inference;
    if (!layer.incremental()) {
      CHECK_THROWS_WITH(piece(inference, 0, 3), Catch::Matchers::ContainsSubstring("decode without a cache"));
      continue;
    }
    const auto all = to_vector(layer(inference, x, inputs.all));
    const auto width = static_cast<Index>(all.size()) / (2 * tokens);
    double worst = 0;
    for (const auto& [first, count] : {std::pair<Index, Index>{0, 3}, {3, 1}, {4, 2}}) {
      const auto part = piece(inference, first, count);
      for (Index b = 0; b < 2; ++b) {
        for (Index i = 0; i < count * width; ++i) {
          const double expected = all[static_cast<std::size_t>((b * tokens + first) * width + i)];
          worst = std::max(worst, std::abs(expected - part[static_cast<std::size_t>(b * count * width + i)]));
        }
      }
    }
    CHECK(worst < 1e-11);
  }
}

TEST_CASE("GIN attention stays finite for one token, and where padding leaves rows with nothing to see") {
  const std::int32_t key_valid[] = {0, 0, 1, 1, 1, 1, 1, 0};
  Tensor<double, Shape<Dyn, 1, Dyn, Dyn>> masked(Shape<Dyn, 1, Dyn, Dyn>(2, 4, 4));
  for (double& value : masked.span()) value = std::numeric_limits<double>::lowest();
  const auto finite = [](const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  };
  for (const auto& [name, options] : all_kinds()) {
    INFO(name);
    const auto layer = layer_of(options);
    Inference inference;
    CHECK(finite(to_vector(layer(inference, random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 1, 8), 1), Inputs(1).all))));
    Inputs inputs(4);
    auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 4, 8), 1);
    inputs.all.key_valid = key_valid;
    Tape tape;
    const auto h = tape.watch(x);
    const auto y = layer(tape, h, inputs.all);
    tape.backward(y, TensorView<const double, ShapeOf<decltype(y)>>(y.data(), y.shape()));
    CHECK(finite(to_vector(y)));
    CHECK(finite(to_vector(tape.gradient(h))));
    inputs.all.key_valid = nullptr;
    inputs.all.additive_mask = masked;
    CHECK(finite(to_vector(layer(inference, x, inputs.all))));
  }
}

TEST_CASE("GIN attention drops the same weights for its output and for those that it returns") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 5, 8), 1);
  const Inputs inputs(5);
  for (auto [name, options] : all_kinds()) {
    options.attention_dropout = 0.4;
    options.gin.dropout_rate = 0;
    const auto layer = layer_of(options);
    Tape tape;
    tape.enable_dropout(Rng(3));
    const auto h = tape.watch(x);
    const auto output = to_vector(layer(tape, h, inputs.all));
    tape.enable_dropout(Rng(3));
    const auto both = layer.with_weights(tape, h, inputs.all);
    Inference inference;
    INFO(name);
    CHECK(largest_difference(to_vector(both.output), output) < 1e-12);
    CHECK(largest_difference(to_vector(layer(inference, x, inputs.all)), output) > 1e-3);
  }
}

TEST_CASE("masking after scaling keeps a negative sharpening from turning the mask round") {
  const auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 4, 8), 1);
  const std::int32_t key_valid[] = {0, 1, 1, 1};
  Inputs inputs(4), alone(4);
  inputs.all.key_valid = key_valid;
  auto options = small_gin([](Options& o) { o.use_sharpening = true; });
  Inference inference;
  auto reference = layer_of(options);
  *reference.sharpening.value->data() = -2;
  options.mask_after_scaling = true;
  auto corrected = layer_of(options);
  *corrected.sharpening.value->data() = -2;
  const auto masked_share = [&](const auto& weights, Index row) {
    double share = weights(0, 0, row, 0);
    for (Index j = row + 1; j < 4; ++j) share += weights(0, 0, row, j);
    return share;
  };
  CHECK(masked_share(reference.attention_weights(inference, x, inputs.all), 2) == Approx(1));
  const auto later = reference.attention_weights(inference, x, alone.all);
  for (Index j = 0; j < 4; ++j) CHECK(later(0, 0, 1, j) == (j > 1 ? Approx(0.5) : Approx(0.0)));
  CHECK_FALSE(reference.incremental());
  CHECK(corrected.incremental());
  const auto weights = corrected.attention_weights(inference, x, inputs.all);
  CHECK(masked_share(weights, 2) == 0);
  CHECK(weights(0, 0, 2, 1) + weights(0, 0, 2, 2) == Approx(1));
  for (Index j = 0; j < 4; ++j) CHECK(weights(0, 0, 0, j) == 0);  // a row that sees nothing
}

TEST_CASE("raw scores need a threshold mode under a mask, and are weights without one") {
  const auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 3, 8), 1);
  const auto layer = layer_of(small_gin([](Options& o) { o.use_softmax = false; }));
  Inputs inputs(3);
  Inference inference;
  CHECK_THROWS_WITH(
      layer(inference, x, inputs.all),
      "LlamaAttentionGIN: without softmax, threshold mode \"none\" would sum values with the mask itself; "
      "choose another mode, or use_softmax");
  inputs.all.causal = false;
  const auto weights = layer.attention_weights(inference, x, inputs.all);
  CHECK(std::abs(weights(0, 0, 2, 0)) < 100);
  CHECK(weights(0, 0, 0, 2) == Approx(-1e9));
}

TEST_CASE("GIN attention refuses choices that cannot be computed, and names them") {
  const auto make = [](std::function<void(Options&)> change) { return Layer(small_gin(std::move(change))); };
  CHECK_THROWS_WITH(make([](Options& o) {
                      o.use_differential_attention = true;
                      o.layer_idx = -1;
                    }),
                    "LlamaAttentionGIN: differential attention needs layer_idx, from which lambda starts; found -1");
  CHECK_THROWS_WITH(make([](Options& o) {
                      o.threshold.mode = ThresholdMode::scaled_topk_causal_4d;
                      o.threshold.top_k_fraction = 0;
                    }),
                    "LlamaAttentionGIN: top_k_fraction must be in (0, 1] in the mode scaled_topk_causal_4d, found 0");
  CHECK_THROWS_WITH(make([](Options& o) {
                      o.threshold.mode = ThresholdMode::top_k;
                      o.threshold.top_k_fraction = 1.5;
                    }),
                    "LlamaAttentionGIN: top_k_fraction must be at most 1 in the mode top_k, found 1.5");
  CHECK_THROWS_WITH(make([](Options& o) { o.softmax_temperature = 0; }),
                    "LlamaAttentionGIN: softmax_temperature must be positive, found 0");
  CHECK_THROWS_WITH(make([](Options& o) {
                      o.use_scoring_fnct = true;
                      o.scoring_hidden_dim = 0;
                    }),
                    "LlamaAttentionGIN: scoring_hidden_dim must be positive, found 0");
  CHECK_THROWS_WITH(make([](Options& o) { o.key_value_heads = 1; }),
                    Catch::Matchers::ContainsSubstring("key_value_heads * head_dim must equal hidden_size"));
  Inference inference;
  const auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 3, 8), 1);
  CHECK_THROWS_WITH(make({}).scoring_weights(inference, x, Inputs(3).all),
                    "LlamaAttentionGIN: scoring_weights needs use_scoring_fnct");
}

TEST_CASE("GIN attention starts with the reference's constants") {
  Layer layer(small_gin([](Options& o) {
    o.use_differential_attention = o.differential_group_norm = o.use_scoring_fnct = o.learnable_threshold = true;
    o.layer_idx = 3;
  }));
  Rng rng(1);
  layer.initialize(rng, 0.02);
  CHECK(*layer.differential->lambda_param.data() == Approx(0.8 - 0.6 * std::exp(-0.6)));
  CHECK(layer.differential->norm_weight->data()[1] == 1);
  CHECK(layer.differential->norm_bias->data()[1] == 0);
  CHECK(layer.scoring->second.bias->data()[0] == 0);
  CHECK(std::abs(layer.scoring->first.weight.data()[3]) < 0.2);
  CHECK(*layer.threshold->data() == Approx(0.2));
  CHECK(small_gin([](Options& o) { o.layer_idx = 0; }).lambda_init() == Approx(-0.009915).epsilon(1e-4));
  CHECK(reset_threshold_parameters(layer, 0.35) == std::vector<std::string>{"threshold.0"});
  CHECK(*layer.threshold->data() == 0.35);
}
