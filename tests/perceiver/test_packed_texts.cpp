// SPDX-License-Identifier: Apache-2.0
// Packed texts: several in a row get from coarse-grained attention what each gets alone.
#include "weft/perceiver/cg_attention.hpp"
#include "weft/perceiver/cg_attention_interpolate.hpp"

#include "perceiver/perceiver_checks.hpp"
#include "support/layer_checks.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;

namespace {

using Rows = Shape<Dyn, Dyn, Dyn>;
constexpr Index kHidden = 4;

/// The lengths of texts, row by row; every row has as many tokens.
using Lengths = std::vector<std::vector<std::int32_t>>;

/// Single tokens, texts within a group, texts of several groups with and without an incomplete one, one that fills a row.
const std::vector<Lengths> kPackings{{{1, 4, 6}, {11}, {3, 8}}, {{1, 1, 1}}, {{12, 2, 1, 7}}, {{2, 1}, {1, 2}}, {{9}}};

std::vector<std::int32_t> first_keys(const Lengths& lengths) {
  std::vector<std::int32_t> keys;
  for (const auto& row : lengths) {
    std::int32_t begin = 0;
    for (const std::int32_t length : row) {
      keys.insert(keys.end(), static_cast<std::size_t>(length), begin);
      begin += length;
    }
  }
  return keys;
}

AttentionInputs<double> packed_inputs(const std::vector<std::int32_t>& keys) {
  auto inputs = causal_inputs<double>();
  inputs.first_key = keys.data();
  return inputs;
}

/// What a step leaves, one behind the other.
struct Outcome {
  std::vector<double> y;
  std::vector<double> dx;
  std::vector<double> d_residual;

  void append(const Outcome& more) {
    y.insert(y.end(), more.y.begin(), more.y.end());
    dx.insert(dx.end(), more.dx.begin(), more.dx.end());
    d_residual.insert(d_residual.end(), more.d_residual.begin(), more.d_residual.end());
  }
  /// The same and the gradients of parameters, in one array.
  std::vector<double> with(const std::vector<double>& gradients) const {
    std::vector<double> all;
    for (const auto* part : {&y, &dx, &d_residual, &gradients}) all.insert(all.end(), part->begin(), part->end());
    return all;
  }
};

template <class Layer, class X>
Outcome step(Layer& layer, X& x, X& residual, const X& seed, const AttentionInputs<double>& inputs) {
  Tape tape;
  const auto in = tape.watch(x), added = tape.watch(residual);
  const auto y = layer(tape, in, inputs, added);
  tape.backward(y, TensorView<const double, ShapeOf<decltype(y)>>(seed.data(), y.shape()));
  return {to_vector(y), to_vector(tape.gradient(in)), to_vector(tape.gradient(added))};
}

/// The gradients of all parameters, 1 before those of a parameter that has any and 0 before the others.
template <class Layer>
std::vector<double> take_gradients(Layer& layer) {
  std::vector<double> all;
  for_each_parameter(layer, [&](const ParameterName&, const auto& parameter) {
    all.push_back(parameter.has_gradient() ? 1 : 0);
    for (Index i = 0; i < parameter.size(); ++i) {
      all.push_back(parameter.has_gradient() ? parameter.gradient().data()[i] : 0);
    }
  });
  clear_gradients(layer);
  return all;
}

Hidden<double> part(const Hidden<double>& x, Index begin, Index length) {
  Hidden<double> own(Rows(1, length, kHidden));
  std::copy_n(x.data() + begin * kHidden, length * kHidden, own.data());
  return own;
}

/// The largest difference between packed texts and each alone, in results and gradients.
template <class Layer>
double largest_packing_error(Layer& layer, const Lengths& lengths) {
  const auto keys = first_keys(lengths);
  const auto rows = static_cast<Index>(lengths.size()), tokens = static_cast<Index>(keys.size()) / rows;
  const Rows shape(rows, tokens, kHidden);
  auto x = random_tensor<double>(shape, 2), residual = random_tensor<double>(shape, 3);
  const auto seed = random_tensor<double>(shape, 4);
  const Outcome packed = step(layer, x, residual, seed, packed_inputs(keys));
  const auto together = packed.with(take_gradients(layer));
  Outcome alone;
  Index begin = 0;
  for (const auto& row : lengths) {
    for (const std::int32_t length : row) {
      auto own = part(x, begin, length), added = part(residual, begin, length);
      alone.append(step(layer, own, added, part(seed, begin, length), causal_inputs<double>()));
      begin += length;
    }
  }
  return largest_difference(together, alone.with(take_gradients(layer)));
}

CG_Attention<Dyn, Dyn, double> grouped(CGMask cg_mask, bool use_skip = true) {
  CG_Attention<Dyn, Dyn, double> layer({{kHidden, 2, 12, 0, 0, 2, 0}, {4, 3}, use_skip, cg_mask});
  randomize_parameters(layer, 5, 0.4);
  return layer;
}

CG_Attention_Interpolate<Dyn, Dyn, double> mixed(const PerceiverScalingOptions& scaling, bool further = true) {
  CG_Attention_Interpolate<Dyn, Dyn, double> layer({{kHidden, 2, 12, 0, 0, 2, 0}, {4, 3}, further, further, scaling});
  randomize_parameters(layer, 5, 0.4);
  for (auto& level : layer.perceiver_layers) level.mix_weights.data()[0] = scaling.mix_weights_initial;
  return layer;
}

std::vector<PerceiverScalingOptions> all_scalings() {
  std::vector<PerceiverScalingOptions> all;
  for (const double mix : {0.4, -0.3}) {
    for (const bool mask_local : {false, true}) {
      all.push_back({mix, CGIAdjacency::reference, AdjacencyInterpolation::nearest, mask_local});
      all.push_back({mix, CGIAdjacency::active_latents, AdjacencyInterpolation::nearest, mask_local});
      all.push_back({mix, CGIAdjacency::active_latents, AdjacencyInterpolation::bilinear, mask_local});
    }
  }
  return all;
}

}  // namespace

TEST_CASE("packed texts get from coarse-grained attention what they get alone, gradients too") {
  for (const auto cg_mask : {CGMask::reference, CGMask::group_causal}) {
    for (const bool use_skip : {true, false}) {
      auto layer = grouped(cg_mask, use_skip);
      for (std::size_t p = 0; p < kPackings.size(); ++p) {
        CAPTURE(int(cg_mask), use_skip, p);
        CHECK(largest_packing_error(layer, kPackings[p]) < 1e-9);
      }
    }
  }
}

TEST_CASE("packed texts get from attention mixed with a coarse one what they get alone, gradients too") {
  for (const auto& scaling : all_scalings()) {
    auto layer = mixed(scaling, scaling.mask_local);
    for (std::size_t p = 0; p < kPackings.size(); ++p) {
      CAPTURE(scaling.mix_weights_initial, int(scaling.adjacency), int(scaling.interpolation), scaling.mask_local, p);
      CHECK(largest_packing_error(layer, kPackings[p]) < 1e-9);
    }
  }
}

TEST_CASE("a row of packed texts may be longer than the longest text may be") {
  const auto keys = first_keys({{12, 12, 7}}), too_long = first_keys({{5, 13}});
  auto layer = grouped(CGMask::reference);
  CHECK(largest_packing_error(layer, {{12, 12, 7}}) < 1e-9);
  const auto x = random_tensor<double>(Rows(1, 18, kHidden), 2);
  CHECK_THROWS_WITH(values_of(layer, x, packed_inputs(too_long)),
                    ContainsSubstring("must not have more than 12 tokens (max_position_embeddings), found 13"));
}

TEST_CASE("coarse-grained attention of packed texts has the derivatives of finite differences") {
  const auto keys = first_keys({{1, 6, 4}});
  const auto inputs = packed_inputs(keys);
  auto x = random_tensor<double>(Shape<1, 11, 4>(), 2);
  const auto check = [&](auto layer, const GradcheckOptions& options) {
    randomize_parameters(layer, 5, 0.4);
    for (auto& level : layer.perceiver_layers) {
      if constexpr (requires { level.mix_weights; }) level.mix_weights.data()[0] = 0.6;
    }
    const auto run = [&](auto& context, auto& in) { return layer(context, in, inputs); };
    const auto result = gradcheck(run, std::tie(x), layer, options);
    INFO(result.message);
    CHECK(result.passed);
  };
  const PerceiverOptions perceiver{0, 0, 12, 0, 0, 1, 0};
  check(CG_Attention<4, 2, double>({perceiver, {4}, true, CGMask::reference}), kCoarseStep);
  check(CG_Attention<4, 2, double>({perceiver, {4}, true, CGMask::group_causal}), {});
  check(CG_Attention_Interpolate<4, 2, double>({perceiver, {4}, true, false, {0.6}}), {});
  check(CG_Attention_Interpolate<4, 2, double>(
            {perceiver, {4}, true, false, {0.6, CGIAdjacency::active_latents, AdjacencyInterpolation::bilinear}}),
        kCoarseStep);
}

TEST_CASE("coarse-grained attention of packed texts keeps every promise, with dropout too") {
  const auto keys = first_keys({{1, 30, 9}, {40}});
  auto inputs = causal_inputs<float>();
  inputs.first_key = keys.data();
  auto x = random_tensor<float>(Rows(2, 40, 8), 1);
  const auto check = [&](auto layer) {
    randomize_parameters(layer, 5, 0.4);
    const auto run = [&](auto& context, const auto& in) { return layer(context, in, inputs); };
    check_promises(run, layer, x);
    Tape tape;
    const auto quiet = to_vector(layer(tape, x, inputs));
    tape.enable_dropout(Rng(1));
    const auto y = layer(tape, x, inputs);
    CHECK((all_finite(to_vector(y)) && to_vector(y) != quiet));
    clear_gradients(layer);
    tape.backward(y, TensorView<const float, ShapeOf<decltype(y)>>(x.data(), y.shape()));
    for_each_parameter(layer, [&](const ParameterName&, const auto& parameter) {
      if (parameter.has_gradient()) CHECK(all_finite(to_vector(parameter.gradient())));
    });
  };
  const PerceiverOptions perceiver{8, 2, 40, 0, 0, 2, 0.3};
  for (const auto cg_mask : {CGMask::reference, CGMask::group_causal}) {
    check(CG_Attention<Dyn, Dyn>({perceiver, {10, 4}, true, cg_mask}));
  }
  for (const auto adjacency : {CGIAdjacency::reference, CGIAdjacency::active_latents}) {
    check(CG_Attention_Interpolate<Dyn, Dyn>(
        {perceiver, {10, 4}, true, true, {0.4, adjacency, AdjacencyInterpolation::bilinear}}));
  }
}

TEST_CASE("packed texts are refused by name with what would join them") {
  const auto keys = first_keys({{2, 4}});
  const std::vector<std::int32_t> valid(6, 1);
  const auto x = random_tensor<double>(Rows(1, 6, kHidden), 2);
  const double zeros[36] = {};
  for (const auto cg_mask : {CGMask::reference, CGMask::group_causal}) {
    const auto layer = grouped(cg_mask);
    const std::string message =
        "PerceiverAR_Fixed_Token_Per_Latent: packed texts (first_key) must be causal, without key_valid and "
        "additive_mask";
    auto inputs = packed_inputs(keys);
    inputs.causal = false;
    CHECK_THROWS_WITH(values_of(layer, x, inputs), message);
    inputs = packed_inputs(keys);
    inputs.key_valid = valid.data();
    CHECK_THROWS_WITH(values_of(layer, x, inputs), message);
    inputs = packed_inputs(keys);
    inputs.additive_mask = {zeros, Shape<Dyn, 1, Dyn, Dyn>(1, 6, 6)};
    CHECK_THROWS_WITH(values_of(layer, x, inputs), message);
    Inference inference;
    CHECK_THROWS_WITH(layer.perceiver_layers[0].encode(inference, x, packed_inputs(keys)),
                      "PerceiverAR_Fixed_Token_Per_Latent::encode: takes one text a row, found packed texts");
  }
  auto inputs = packed_inputs(keys);
  inputs.key_valid = valid.data();
  CHECK_THROWS_WITH(values_of(mixed({}), x, inputs), ContainsSubstring("Scaling: packed texts (first_key) must be"));
}
