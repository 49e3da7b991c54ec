// SPDX-License-Identifier: Apache-2.0
// Additive masks of the shapes that the reference takes, and of others.
#include "weft/attention/causal_mask.hpp"
#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_gin.hpp"
#include "weft/attention/llama_attention_pna.hpp"

#include "attention/attention_positions.hpp"
#include "attention/gin_kinds.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/layer_checks.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;

namespace {

using Mask = Tensor<double, Shape<Dyn, 1, Dyn, Dyn>>;
constexpr Index kTokens = 5;

/// A mask of other extents with the entries of `mask`, and nonsense where that has none.
Mask with_extents(const Mask& mask, Index batch, Index rows, Index columns) {
  Mask other(Shape<Dyn, 1, Dyn, Dyn>(batch, rows, columns));
  for (double& value : other.span()) value = 77;
  for (Index b = 0; b < batch; ++b) {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < std::min(columns, mask.extent(3)); ++j) {
        other(b, 0, i, j) = mask(std::min(b, mask.extent(0) - 1), 0, std::min(i, mask.extent(2) - 1), j);
      }
    }
  }
  return other;
}

/// Whether both masks mean the same to a layer, by the bits of its result and of the gradient of x.
template <class Layer>
bool mean_the_same(const Layer& layer, const Mask& a, const Mask& b) {
  const AttentionPositions<double> positions(kTokens, 4);
  auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, kTokens, 8), 1);
  const auto run = [&](const Mask& mask) {
    AttentionInputs<double> inputs = positions.inputs();
    inputs.causal = false;
    inputs.additive_mask = mask;
    Tape tape;
    const auto h = tape.watch(x);
    const auto y = layer(tape, h, inputs);
    tape.backward(y, TensorView<const double, ShapeOf<decltype(y)>>(y.data(), y.shape()));
    return std::pair(to_vector(y), to_vector(tape.gradient(h)));
  };
  return run(a) == run(b);
}

template <class Layer>
void check_masks(Layer layer) {
  randomize_parameters(layer, 3, 0.5);
  const std::int32_t padding[] = {1, 1, 1, 1, 1, 0, 1, 1, 1, 0};
  const Mask each =
      causal_mask<double>(TensorView<const std::int32_t, Shape<Dyn, Dyn>>(padding, Shape<Dyn, Dyn>(2, kTokens)));
  CHECK(mean_the_same(layer, each, with_extents(each, 2, kTokens, kTokens + 3)));
  const Mask shared = with_extents(each, 1, kTokens, kTokens);
  CHECK(mean_the_same(layer, with_extents(shared, 2, kTokens, kTokens), shared));
  CHECK(mean_the_same(layer, with_extents(shared, 2, kTokens, kTokens), with_extents(shared, 1, kTokens, kTokens + 2)));
  const Mask row = with_extents(random_tensor<double>(Shape<Dyn, 1, Dyn, Dyn>(2, 1, kTokens), 9), 2, 1, kTokens);
  CHECK(mean_the_same(layer, with_extents(row, 2, kTokens, kTokens), row));
}

}  // namespace

TEST_CASE("an additive mask may be wider than the keys, and one for all texts or all queries") {
  check_masks(
      LlamaAttention<Dyn, Dyn, Dyn, Dyn, double>({.hidden_size = 8, .heads = 2, .key_value_heads = 2, .head_dim = 4}));
  for (const auto& [name, options] : all_kinds()) {
    INFO(name);
    check_masks(LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn, Dyn, double>(options));
  }
  LlamaAttentionPNAOptions pna;
  pna.hidden_size = 8;
  pna.heads = pna.key_value_heads = 2;
  pna.head_dim = 4;
  check_masks(LlamaAttentionPNA<Dyn, Dyn, Dyn, Dyn, Dyn, double>(pna));
  check_masks(LlamaAttentionPNA_LM<Dyn, Dyn, Dyn, Dyn, Dyn, double>(pna));
}

TEST_CASE("an additive mask of other extents is refused") {
  LlamaAttention<Dyn, Dyn, Dyn, Dyn, double> layer({.hidden_size = 8, .heads = 2, .key_value_heads = 2, .head_dim = 4});
  const AttentionPositions<double> positions(kTokens, 4);
  const auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, kTokens, 8), 1);
  const auto with = [&](Index batch, Index rows, Index columns) {
    const Mask mask(Shape<Dyn, 1, Dyn, Dyn>(batch, rows, columns));
    AttentionInputs<double> inputs = positions.inputs();
    inputs.additive_mask = mask;
    Inference inference;
    layer(inference, x, inputs);
  };
  CHECK_NOTHROW(with(2, kTokens, kTokens));
  CHECK_THROWS_WITH(
      with(2, kTokens, 4),
      ContainsSubstring("additive_mask must be [1 or 2, 1, 1 or 5, 5 or more], found shape [2, 1, 5, 4]"));
  CHECK_THROWS_WITH(with(3, kTokens, kTokens), ContainsSubstring("found shape [3, 1, 5, 5]"));
  CHECK_THROWS_WITH(with(2, 4, kTokens), ContainsSubstring("found shape [2, 1, 4, 5]"));
}
