// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "weft/models/llama.hpp"

#include "models/tiny_models.hpp"
#include "support/catch.hpp"

using namespace weft;
using weft::testing::random_ids;

TEST_CASE("A model of run-time extents takes ids whose shape is typed") {
  const LlamaConfig llama{
      .vocab_size = 11, .hidden_size = 8, .intermediate_size = 6, .num_hidden_layers = 2, .num_attention_heads = 2};
  const GNNConfig gnn{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN,
                      .MLP_type = MLPType::LlamaMLP_HalfwayGIN};
  const LlamaForCausalLMWithGNN<Dynamic> model(llama, gnn, Rng(1));
  const auto open = random_ids(2, 3, 2, 11);
  Tensor<std::int32_t, Shape<2, 3>> typed;
  std::copy_n(open.data(), open.size(), typed.data());

  Tape tape;
  const auto from_open = model.loss(tape, open, open);
  const auto from_typed = model.loss(tape, typed, typed);
  CHECK(from_typed() == from_open());
}
