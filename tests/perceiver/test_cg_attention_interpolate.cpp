// SPDX-License-Identifier: Apache-2.0
#include "weft/perceiver/cg_attention_interpolate.hpp"

#include "perceiver/perceiver_checks.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;

namespace {

template <class T>
using Scaling = PerceiverAR_Fixed_Token_Per_Latent_Scaling<Dyn, Dyn, T>;

template <class T>
Scaling<T> perceiver(PerceiverScalingOptions scaling, Index layers = 2) {
  Scaling<T> layer({4, 2, 12, 4, 0, layers, 0}, scaling);
  randomize_parameters(layer, 5, 0.4);
  layer.mix_weights.data()[0] = static_cast<T>(scaling.mix_weights_initial);
  return layer;
}

std::vector<PerceiverScalingOptions> all_choices(double mix) {
  std::vector<PerceiverScalingOptions> choices;
  for (const bool mask_local : {false, true}) {
    choices.push_back({mix, CGIAdjacency::reference, AdjacencyInterpolation::nearest, mask_local});
    choices.push_back({mix, CGIAdjacency::active_latents, AdjacencyInterpolation::nearest, mask_local});
    choices.push_back({mix, CGIAdjacency::active_latents, AdjacencyInterpolation::bilinear, mask_local});
  }
  return choices;
}

/// The closed form of the mixture, from a dense supplied matrix [heads, tokens, tokens] for one text.
std::vector<double> mixture_naive(const Scaling<double>& layer, const Hidden<double>& x,
                                  const std::vector<double>& supplied, const std::vector<std::int32_t>& valid,
                                  bool mask_local) {
  Inference context;
  const Index tokens = x.extent(1);
  const double m = layer.mix_weights.data()[0];
  const auto& attention = layer.sequence_self_attention;
  const auto normed = layer.norm1(context, x);
  const auto q = attention.to_q(context, normed);
  const auto k = attention.to_k(context, normed);
  const auto v = attention.to_v(context, normed);
  Hidden<double> attended(q.shape());
  for (Index h = 0; h < 2; ++h) {
    for (Index i = 0; i < tokens; ++i) {
      std::vector<double> a(static_cast<std::size_t>(i + 1));
      double sum = 0, total = 1e-9;
      const bool any = std::any_of(valid.begin(), valid.begin() + i + 1, [](auto seen) { return seen != 0; });
      for (Index j = 0; j <= i; ++j) {
        const double score =
            (q(0, i, 2 * h) * k(0, j, 2 * h) + q(0, i, 2 * h + 1) * k(0, j, 2 * h + 1)) / std::sqrt(2.0);
        const bool hidden = mask_local && valid[std::size_t(j)] == 0;
        sum += a[std::size_t(j)] = hidden ? (any ? 0.0 : 1.0) : std::exp(score);
      }
      for (Index j = 0; j <= i; ++j) {
        double& weight = a[std::size_t(j)];
        const double s = valid[std::size_t(j)] != 0 ? supplied[std::size_t((h * tokens + i) * tokens + j)] : 0;
        weight = m > 0 ? m * weight / sum + (1 - m) * s : s;
        total += weight;
      }
      for (Index j = 0; j <= i; ++j) {
        const double weight = m > 0 ? a[std::size_t(j)] / total : a[std::size_t(j)];
        for (Index c = 2 * h; c < 2 * h + 2; ++c) attended(0, i, c) += weight * v(0, j, c);
      }
    }
  }
  return to_vector(layer.final_norm(context, attention.to_out(context, attended)));
}

}  // namespace

TEST_CASE("attention mixed with ones is local attention blended with a mean of earlier tokens") {
  const Index tokens = 7;
  const auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, tokens, 4), 2);
  const std::vector<std::int32_t> all(tokens, 1), left{0, 0, 1, 1, 1, 1, 1};
  const std::vector<double> ones(2 * tokens * tokens, 1.0);
  for (const double mix : {0.5, 1.0, 1.6, 0.0, -2.0}) {
    for (const bool mask_local : {false, true}) {
      const auto layer = perceiver<double>({mix, CGIAdjacency::reference, AdjacencyInterpolation::nearest, mask_local});
      CAPTURE(mix, mask_local);
      for (const auto& valid : {all, left}) {
        CHECK(largest_difference(values_of(layer, x, causal_inputs<double>(valid.data())),
                                 mixture_naive(layer, x, ones, valid, mask_local)) < 1e-8);
      }
      CHECK(largest_difference(values_of(layer, x, causal_inputs<double>()),
                               mixture_naive(layer, x, ones, all, false)) < 1e-8);
    }
  }
}

TEST_CASE("attention mixed with that of the groups agrees with its definition") {
  const Index tokens = 8;  // three groups of three, the last not full
  const auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, tokens, 4), 2);
  const auto layer = perceiver<double>({0.4, CGIAdjacency::active_latents, AdjacencyInterpolation::nearest, false}, 1);
  Inference context;
  // The attention of the only latent layer among the first three latents, from all four of them.
  std::vector<double> mask;
  for (Index n = 0; n < 4; ++n) {
    for (Index j = 0; j < tokens; ++j) {
      mask.push_back((j > n ? std::numeric_limits<double>::lowest() : 0) + (j / 3 == n ? 0 : -1e9));
    }
  }
  auto positioned = x.clone();
  for (Index i = 0; i < x.size(); ++i) positioned.data()[i] += 2 * layer.input_pos_emb.data()[i];
  Hidden<double> queries(Shape<Dyn, Dyn, Dyn>(1, 4, 4));
  for (Index i = 0; i < 16; ++i) queries.data()[i] = layer.latent_array.data()[i] + layer.latent_pos_emb.data()[i];
  kernels::CrossAttentionMask<double> encoding, causal;
  encoding.tokens = {false, nullptr, mask.data(), 4, tokens, 4 * tokens, tokens};
  causal.causal = true;
  const auto normed = layer.norm2(context, positioned);
  const auto latents = layer.input_to_latent(context, layer.norm1(context, queries), normed, normed, encoding);
  const auto& last = layer.latent_transformer[0];
  const auto inner = last.norm1(context, latents);
  const auto among = last.self_attn.attention_weights(context, inner, inner, causal);
  std::vector<double> supplied;
  for (Index h = 0; h < 2; ++h) {
    for (Index i = 0; i < tokens; ++i) {
      for (Index j = 0; j < tokens; ++j) supplied.push_back(among(0, h, i / 3, j / 3));
    }
  }
  const std::vector<std::int32_t> all(tokens, 1);
  CHECK(largest_difference(values_of(layer, x, causal_inputs<double>()),
                           mixture_naive(layer, x, supplied, all, false)) < 1e-8);
}

TEST_CASE("attention mixed with a coarse one has the derivatives of finite differences") {
  const std::vector<std::int32_t> valid{0, 1, 1, 1, 0};
  auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 5, 4), 2);
  for (const auto& choices : all_choices(0.4)) {
    auto layer = perceiver<double>(choices, 1);
    for (const std::int32_t* padding : {static_cast<const std::int32_t*>(nullptr), valid.data()}) {
      const auto inputs = causal_inputs<double>(padding);
      const auto run = [&](auto& context, auto& in) { return layer(context, in, inputs); };
      const bool exact = choices.adjacency == CGIAdjacency::reference;
      const auto result = gradcheck(run, std::tie(x), layer, exact ? GradcheckOptions{} : kCoarseStep);
      INFO(result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("coarse-grained attention with interpolation has the derivatives of finite differences") {
  auto x = random_tensor<double>(Shape<1, 5, 4>(), 2);
  auto residual = random_tensor<double>(Shape<1, 5, 4>(), 3);
  for (const bool chosen : {false, true}) {
    CG_Attention_Interpolate<4, 2, double> layer({{0, 0, 12, 0, 0, 1, 0}, {4, 3}, chosen, chosen});
    randomize_parameters(layer, 5, 0.4);
    for (auto& level : layer.perceiver_layers) level.mix_weights.data()[0] = 0.6;
    const auto run = [&](auto& context, auto& in, auto& r) { return layer(context, in, causal_inputs<double>(), r); };
    CHECK(gradcheck(run, std::tie(x, residual), layer).passed);
    Inference inference;
    static_assert(std::is_same_v<ShapeOf<decltype(run(inference, x, residual))>, Shape<1, 5, 4>>);
  }
}

TEST_CASE("coarse-grained attention with interpolation is causal for every length") {
  for (const auto& choices : all_choices(0.4)) {
    const auto layer = perceiver<float>(choices);
    for (const Index tokens : {1, 2, 3, 4, 11, 12}) {
      const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, tokens, 4), 2);
      CAPTURE(tokens, int(choices.adjacency), int(choices.interpolation), choices.mask_local);
      CHECK(is_causal(layer, x, causal_inputs<float>()));
      const auto values = values_of(layer, x, causal_inputs<float>());
      CHECK(std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }));
    }
  }
}

TEST_CASE("padding in front of a text does not reach it through latents that see nothing else") {
  const std::vector<std::int32_t> valid{0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const auto inputs = causal_inputs<double>(valid.data());
  for (const auto interpolation : {AdjacencyInterpolation::nearest, AdjacencyInterpolation::bilinear}) {
    const auto layer = perceiver<double>({0.4, CGIAdjacency::active_latents, interpolation, true}, 1);
    const auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 11, 4), 2);
    const auto before = values_of(layer, x, inputs);
    const auto same_rows = [&](Index changed, Index begin, Index end) {
      auto other = x.clone();
      for (Index c = 0; c < 4; ++c) other(0, changed, c) += 1.5;
      const auto after = values_of(layer, other, inputs);
      return std::equal(before.begin() + 4 * begin, before.begin() + 4 * end, after.begin() + 4 * begin);
    };
    for (Index padding = 0; padding < 2; ++padding) CHECK(same_rows(padding, 2, 11));
    for (Index t = 3; t < 11; ++t) CHECK(same_rows(t, 2, t));
    CHECK_FALSE(same_rows(2, 2, 11));
  }
}

TEST_CASE("a latent layer of coarse-grained attention with interpolation learns only where it matters") {
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 7, 4), 2);
  auto reference = perceiver<float>({0.4});
  const auto kinds = gradient_kinds(reference, x, causal_inputs<float>());
  CHECK(kinds.none.size() == 10);
  CHECK(kinds.zeros.size() == 3 + 5 + 13 + 4 + 2);
  auto corrected = perceiver<float>({0.4, CGIAdjacency::active_latents});
  CHECK(gradient_kinds(corrected, x, causal_inputs<float>()).none == kinds.none);
  CHECK(corrected.latent_array.has_gradient());
  CHECK(std::abs(corrected.latent_array.gradient()(0, 1, 0)) > 0);
  auto supplied_only = perceiver<float>({0});
  CHECK(gradient_kinds(supplied_only, x, causal_inputs<float>()).none.size() == 13);
}

TEST_CASE("coarse-grained attention with interpolation gives the same bits for any number of threads") {
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 70, 8), 2);
  for (const auto& choices : all_choices(0.4)) {
    CG_Attention_Interpolate<8, 2> layer({{0, 0, 80, 0, 0, 1, 0}, {20, 8}, true, true, choices});
    randomize_parameters(layer, 5, 0.4);
    CHECK(same_bits_with_threads(layer, x, causal_inputs<float>()));
  }
}

TEST_CASE("dropout of coarse-grained attention with interpolation happens only in training") {
  for (const auto& choices : all_choices(0.4)) {
    CG_Attention_Interpolate<4, 2> layer({{0, 0, 12, 0, 0, 1, 0.3}, {4}, true, false, choices});
    randomize_parameters(layer, 5, 0.4);
    const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 7, 4), 2);
    Tape tape;
    const auto quiet = values_of(layer, x, causal_inputs<float>());
    CHECK(to_vector(layer(tape, x, causal_inputs<float>())) == quiet);
    tape.enable_dropout(Rng(1));
    CHECK(to_vector(layer(tape, x, causal_inputs<float>())) != quiet);
  }
}

TEST_CASE("coarse-grained attention with interpolation refuses what it cannot do") {
  CHECK_THROWS_WITH((Scaling<float>({4, 2, 12, 12, 0, 1, 0})),
                    ContainsSubstring("num_latents must be smaller than max_position_embeddings, found 12 and 12"));
  CHECK_THROWS_WITH((Scaling<float>({4, 2, 12, 5, 0, 1, 0})), ContainsSubstring("must not exceed tokens_per_latent"));
  CHECK_THROWS_WITH((Scaling<float>({4, 2, 12, 4, 0, 0, 0})),
                    ContainsSubstring("num_latent_layers must be 1 or more, found 0"));
  for (const auto kind :
       {AdjacencyInterpolation::bicubic, AdjacencyInterpolation::area, AdjacencyInterpolation::nearest_exact}) {
    CHECK_NOTHROW(Scaling<float>({4, 2, 12, 4, 0, 1, 0}, {0.5, CGIAdjacency::reference, kind}));
    CHECK_THROWS_WITH((Scaling<float>({4, 2, 12, 4, 0, 1, 0}, {0.5, CGIAdjacency::active_latents, kind})),
                      ContainsSubstring("interpolation must be nearest or bilinear"));
  }
  const CG_Attention_Interpolate<4, 2> layer({{0, 0, 12, 0, 0, 1, 0}, {4}});
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 13, 4), 2);
  Inference inference;
  CHECK_THROWS_WITH(layer(inference, x, causal_inputs<float>()), ContainsSubstring("more than 12 tokens"));
  AttentionInputs<float> inputs;
  float memory[4] = {};
  inputs.cache = {memory, memory, 1, 0, 4, 4};
  const auto short_x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 1, 4), 2);
  CHECK_THROWS_WITH(layer(inference, short_x, inputs), ContainsSubstring("no decoding with a key/value cache"));
  CHECK_THROWS_WITH(layer.attention_weights(inference, short_x, inputs), ContainsSubstring("no weights of tokens"));
  inputs = {};
  inputs.additive_mask = {memory, Shape<Dyn, 1, Dyn, Dyn>(1, 1, 2)};
  CHECK_THROWS_WITH(layer(inference, short_x, inputs),
                    ContainsSubstring("fewer than the 4 latents, found 2 (quirk P7)"));
}
