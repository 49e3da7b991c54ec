// SPDX-License-Identifier: Apache-2.0
#include "weft/layers/rotary_embedding.hpp"
#include "weft/perceiver/cg_attention.hpp"

#include "perceiver/perceiver_checks.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;

namespace {

template <class T>
CG_Attention<Dyn, Dyn, T> two_levels(CGMask cg_mask, bool use_skip = true) {
  CG_Attention<Dyn, Dyn, T> layer({{4, 2, 12, 0, 0, 1, 0}, {4, 3}, use_skip, cg_mask});
  randomize_parameters(layer, 5, 0.4);
  return layer;
}

/// Naive: a token sees the latents of complete groups that have a valid token, a latent the valid tokens of its group.
std::vector<double> group_causal_naive(const PerceiverAR_Fixed_Token_Per_Latent<Dyn, Dyn, double>& layer,
                                       const Hidden<double>& x, const std::vector<std::int32_t>& valid) {
  Inference context;
  const Index tokens = x.extent(1), hidden = x.extent(2), size = layer.group_size(), groups = tokens / size;
  auto positioned = x.clone();
  for (Index i = 0; i < x.size(); ++i) positioned.data()[i] += layer.input_pos_emb.data()[i];
  auto queries = Hidden<double>(Shape<Dyn, Dyn, Dyn>(1, groups, hidden));
  for (Index i = 0; i < queries.size(); ++i) {
    queries.data()[i] = layer.latent_array.data()[i] + layer.latent_pos_emb.data()[i];
  }
  const double lowest = std::numeric_limits<double>::lowest();
  std::vector<double> encoding, latent_mask, decoding;
  const auto any_valid = [&](Index n) {
    return std::any_of(valid.begin() + n * size, valid.begin() + (n + 1) * size, [](auto v) { return v != 0; });
  };
  for (Index n = 0; n < groups; ++n) {
    for (Index j = 0; j < tokens; ++j) encoding.push_back(j / size == n && valid[std::size_t(j)] != 0 ? 0 : lowest);
    for (Index m = 0; m < groups; ++m) latent_mask.push_back(m <= n && any_valid(m) ? 0 : lowest);
  }
  for (Index t = 0; t < tokens; ++t) {
    for (Index n = 0; n < groups; ++n) decoding.push_back((n + 1) * size <= t + 1 && any_valid(n) ? 0 : lowest);
  }
  kernels::CrossAttentionMask<double> mask;
  mask.tokens = {false, nullptr, encoding.data(), groups, tokens, groups * tokens, tokens};
  const auto normed = layer.norm2(context, positioned);
  auto latents = layer.input_to_latent(context, layer.norm1(context, queries), normed, normed, mask);
  mask.tokens = {false, nullptr, latent_mask.data(), groups, groups, groups * groups, groups};
  for (const auto& stage : layer.latent_transformer) latents = stage(context, latents, mask);
  latents = layer.final_norm(context, latents);
  mask.tokens = {false, nullptr, decoding.data(), tokens, groups, tokens * groups, groups};
  const auto asked = layer.decoder_queries.value().view();
  const TensorView<const double, Shape<Dyn, Dyn, Dyn>> asked_first(asked.data(),
                                                                   Shape<Dyn, Dyn, Dyn>(1, tokens, hidden));
  auto y = to_vector(layer.latent_to_output(context, asked_first, latents, latents, mask));
  for (Index t = 0; t < tokens; ++t) {
    const auto row = decoding.begin() + t * groups;
    if (std::all_of(row, row + groups, [&](double m) { return m == lowest; })) {
      std::fill_n(y.begin() + t * hidden, hidden, 0.0);
    }
  }
  return y;
}

}  // namespace

TEST_CASE("coarse-grained attention has the derivatives of finite differences") {
  const std::vector<std::int32_t> valid{0, 0, 1, 1, 1, 1, 1};
  for (const auto cg_mask : {CGMask::reference, CGMask::group_causal}) {
    auto layer = two_levels<double>(cg_mask, cg_mask == CGMask::reference);
    auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 7, 4), 2);
    auto residual = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 7, 4), 3);
    for (const std::int32_t* padding : {static_cast<const std::int32_t*>(nullptr), valid.data()}) {
      const auto inputs = causal_inputs<double>(padding);
      const auto run = [&](auto& context, auto& in, auto& r) { return layer(context, in, inputs, r); };
      const auto result = gradcheck(run, std::tie(x, residual), layer, kCoarseStep);
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("coarse-grained attention of static extents has the derivatives of finite differences") {
  CG_Attention<4, 2, double> layer({{0, 0, 6, 0, 2, 1, 0}, {3}, true});
  randomize_parameters(layer, 5, 0.4);
  auto x = random_tensor<double>(Shape<1, 5, 4>(), 2);
  const auto run = [&](auto& context, auto& in) { return layer(context, in, causal_inputs<double>()); };
  CHECK(gradcheck(run, std::tie(x), layer, kCoarseStep).passed);
  const auto free = [&](auto& context, auto& in) { return layer(context, in, AttentionInputs<double>{}); };
  CHECK(gradcheck(free, std::tie(x), layer).passed);
  Inference inference;
  static_assert(std::is_same_v<ShapeOf<decltype(run(inference, x))>, Shape<1, 5, 4>>);
}

TEST_CASE("coarse-grained attention is causal under a causal mask and not without") {
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 11, 4), 2);
  for (const auto cg_mask : {CGMask::reference, CGMask::group_causal}) {
    CHECK(is_causal(two_levels<float>(cg_mask), x, causal_inputs<float>()));
    const std::vector<std::int32_t> valid{0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    if (cg_mask == CGMask::group_causal) {
      CHECK(is_causal(two_levels<float>(cg_mask), x, causal_inputs<float>(valid.data())));
    }
  }
  CHECK_FALSE(is_causal(two_levels<float>(CGMask::reference), x, {}));
}

TEST_CASE("the causal mask by flag, as padding without padded tokens and as a tensor mean the same") {
  for (const Index tokens : {1, 2, 3, 7, 12}) {
    const auto layer = two_levels<float>(CGMask::reference, false);
    const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, tokens, 4), 2);
    const std::vector<std::int32_t> valid(static_cast<std::size_t>(2 * tokens), 1);
    const auto fast = values_of(layer, x, causal_inputs<float>());
    CAPTURE(tokens);
    CHECK(largest_difference(values_of(layer, x, causal_inputs<float>(valid.data())), fast) < 1e-5);
    // Of a wider mask the first columns count, but for texts shorter than the latents, and one text's mask may serve all.
    const Index wider = tokens < 4 ? tokens : tokens + 3;
    for (const auto& [texts, columns] : {std::pair{Index{2}, tokens}, {Index{2}, wider}, {Index{1}, tokens}}) {
      Tensor<float, Shape<Dyn, 1, Dyn, Dyn>> mask(Shape<Dyn, 1, Dyn, Dyn>(texts, tokens, columns));
      for (Index i = 0; i < mask.size(); ++i) {
        mask.data()[i] = i % columns > i / columns % tokens ? std::numeric_limits<float>::lowest() : 0;
      }
      AttentionInputs<float> additive;
      additive.additive_mask = mask;
      CHECK(largest_difference(values_of(layer, x, additive), fast) < 1e-5);
    }
  }
}

TEST_CASE("under the reference's mask a group depends on its first tokens by number and on nothing else") {
  const auto layer = two_levels<float>(CGMask::reference, false);
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 12, 4), 2);
  const auto before = values_of(layer, x, causal_inputs<float>());
  for (Index i = 4 * 4; i < x.size(); ++i) x.data()[i] += 1;  // 4 latents at most: tokens 4 and later never reach one
  CHECK(values_of(layer, x, causal_inputs<float>()) == before);
}

TEST_CASE("decoder queries and the decoder's queries and keys have zero gradients") {
  auto layer = two_levels<float>(CGMask::reference);
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 7, 4), 2);
  const auto kinds = gradient_kinds(layer, x, causal_inputs<float>());
  CHECK(kinds.none.empty());
  const std::string first = "perceiver_layers.0.";
  CHECK(std::count(kinds.zeros.begin(), kinds.zeros.end(), first + "decoder_queries") == 1);
  CHECK(std::count(kinds.zeros.begin(), kinds.zeros.end(), first + "latent_to_output.to_q.weight") == 1);
  CHECK(std::count(kinds.zeros.begin(), kinds.zeros.end(), first + "latent_to_output.to_k.weight") == 1);
}

TEST_CASE("group_causal agrees with its definition, uses every complete group and no padding") {
  PerceiverAR_Fixed_Token_Per_Latent<Dyn, Dyn, double> layer({4, 2, 12, 4, 0, 2, 0}, CGMask::group_causal);
  randomize_parameters(layer, 5, 0.4);
  for (const Index tokens : {1, 2, 3, 7, 11, 12}) {
    auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, tokens, 4), 2);
    std::vector<std::int32_t> valid(static_cast<std::size_t>(tokens), 1);
    CAPTURE(tokens);
    if (tokens >= 3) {
      CHECK(largest_difference(values_of(layer, x, causal_inputs<double>()), group_causal_naive(layer, x, valid)) <
            1e-12);
    } else {
      for (const double value : values_of(layer, x, causal_inputs<double>())) CHECK(value == 0);
    }
    if (tokens < 7) continue;
    for (Index t = 0; t < 4; ++t) valid[std::size_t(t)] = 0;
    const auto padded = values_of(layer, x, causal_inputs<double>(valid.data()));
    CHECK(largest_difference(padded, group_causal_naive(layer, x, valid)) < 1e-12);
    for (Index i = 0; i < 4 * 4; ++i) x.data()[i] += 3;
    CHECK(values_of(layer, x, causal_inputs<double>(valid.data())) == padded);
  }
}

TEST_CASE("coarse-grained attention gives the same bits for any number of threads") {
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 70, 8), 2);
  for (const auto cg_mask : {CGMask::reference, CGMask::group_causal}) {
    CG_Attention<8, 2> layer({{0, 0, 80, 0, 0, 1, 0}, {20, 8}, true, cg_mask});
    randomize_parameters(layer, 5, 0.4);
    CHECK(same_bits_with_threads(layer, x, causal_inputs<float>()));
    CHECK(same_bits_with_threads(layer, x, {}));
  }
}

TEST_CASE("dropout of coarse-grained attention happens only in training") {
  CG_Attention<4, 2> layer({{0, 0, 12, 0, 0, 1, 0.3}, {4}, true});
  randomize_parameters(layer, 5, 0.4);
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 7, 4), 2);
  Tape tape;
  const auto quiet = values_of(layer, x, causal_inputs<float>());
  CHECK(to_vector(layer(tape, x, causal_inputs<float>())) == quiet);
  tape.enable_dropout(Rng(1));
  const auto y = layer(tape, x, causal_inputs<float>());
  CHECK(to_vector(y) != quiet);
  tape.backward(y, TensorView<const float, ShapeOf<decltype(y)>>(x.data(), y.shape()));
  CHECK(layer.perceiver_layers[0].decoder_queries.has_gradient());
}

TEST_CASE("coarse-grained attention refuses what it cannot do") {
  CHECK_THROWS_WITH((CG_Attention<4, 2>({{0, 0, 2048, 0, 0, 1, 0}, {48}})),
                    ContainsSubstring("max_position_embeddings must not exceed tokens_per_latent * num_latents, found "
                                      "2048 and 42 * 48"));
  CHECK_NOTHROW(CG_Attention<4, 2>({{0, 0, 14, 0, 3, 1, 0}, {5}}));
  CHECK_THROWS_WITH((CG_Attention<4, 2>({{0, 0, 8, 0, 0, 1, 0}, {}})), ContainsSubstring("num_latents_list"));
  CHECK_THROWS_WITH((CG_Attention<4, 2>({{0, 0, 8, 0, 0, -1, 0}, {4}})), ContainsSubstring("num_latent_layers"));
  CHECK_THROWS_WITH((CG_Attention<4, 2>({{0, 0, 0, 0, 0, 1, 0}, {4}})), ContainsSubstring("must be given"));
  const auto layer = two_levels<float>(CGMask::group_causal);
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 13, 4), 2);
  const auto short_x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 3, 4), 2);
  Inference inference;
  CHECK_THROWS_WITH(layer(inference, x, causal_inputs<float>()),
                    ContainsSubstring("must not have more than 12 tokens (max_position_embeddings), found 13"));
  AttentionInputs<float> inputs;
  float memory[64] = {};
  inputs.additive_mask = {memory, Shape<Dyn, 1, Dyn, Dyn>(1, 3, 3)};
  CHECK_THROWS_WITH(layer(inference, short_x, inputs), ContainsSubstring("group_causal needs padding as key_valid"));
  inputs = {};
  inputs.cache = {memory, memory, 8, 0, 4, 4};
  CHECK_THROWS_WITH(layer(inference, short_x, inputs), ContainsSubstring("no decoding with a key/value cache"));
  CHECK_THROWS_WITH(layer.attention_weights(inference, short_x, inputs),
                    ContainsSubstring("no weights of tokens against tokens"));
  CHECK_FALSE(layer.incremental());
  CHECK_NOTHROW(
      RotaryEmbedding(layer.head_dim(), 1e4, 64, {.type = RopeType::dynamic, .factor = 2}));  // a model makes one
  CHECK(layer.key_width() == 0);
}

TEST_CASE("a mask wider than a text of fewer tokens than latents is refused, at every level") {
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 3, 4), 2);
  float memory[15] = {};
  AttentionInputs<float> inputs;
  Inference inference;
  const auto masked = [&](Index columns) {
    inputs.additive_mask = {memory, Shape<Dyn, 1, Dyn, Dyn>(1, 3, columns)};
    return inputs;
  };
  const auto four_and_three = two_levels<float>(CGMask::reference);
  CHECK_NOTHROW(four_and_three(inference, x, masked(3)));
  CHECK_THROWS_WITH(four_and_three(inference, x, masked(5)),
                    "PerceiverAR_Fixed_Token_Per_Latent: additive_mask must have as many columns as the text has "
                    "tokens, 3, where these are fewer than the 4 latents, found 5 (quirk P7)");
  CHECK_THROWS_WITH(four_and_three.perceiver_layers[0].encode(inference, x, masked(4)), ContainsSubstring("quirk P7"));
  CHECK_NOTHROW(four_and_three.perceiver_layers[1](inference, x, masked(5)));
  const CG_Attention<4, 2> three_and_four({{0, 0, 12, 0, 0, 1, 0}, {3, 4}});
  CHECK_THROWS_WITH(three_and_four(inference, x, masked(4)), ContainsSubstring("the 4 latents, found 4"));
}

TEST_CASE("tables of coarse-grained attention start with the reference's deviation") {
  CG_Attention<16, 2> layer({{0, 0, 512, 0, 0, 1, 0}, {64}, true});
  Rng rng(1);
  layer.initialize(rng, 0.02);
  double sum = 0;
  const auto& table = layer.perceiver_layers[0].input_pos_emb;
  for (const float value : table.value().span()) sum += double(value) * double(value);
  CHECK(std::sqrt(sum / double(table.size())) == Approx(0.25).epsilon(0.03));
  CHECK(layer.level_projections[0].bias->data()[0] == 0);
}
