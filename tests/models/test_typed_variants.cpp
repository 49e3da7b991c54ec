// SPDX-License-Identifier: Apache-2.0
#include "models/tiny_models.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

struct SparsePNA {
  static constexpr LlamaConfig llama = TinyLlama::llama;
  static constexpr GNNConfig gnn{.num_layers = 2,
                                 .hidden_dim = 10,
                                 .activation = GNNActivation::prelu,
                                 .gnn_type = GNNType::causal_gin,
                                 .gnn_mode = GNNMode::single,
                                 .gnn_logic = GNNLogic::parallel_GNN_MLP,
                                 .use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA,
                                 .MLP_type = MLPType::LlamaMLP_HalfwayGIN_MultiHop,
                                 .semantics = Semantics::intended};
};

struct ThresholdGIN {
  static constexpr LlamaConfig llama = TinyGIN::llama;
  static constexpr GNNConfig gnn{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN,
                                 .attention_GIN_MLP_GIN_threshold_mode = ThresholdMode::silu,
                                 .attention_GIN_MLP_o_proj_at_end = true};
};

struct Coarse {
  static constexpr LlamaConfig llama = TinyLlama::llama;
  static constexpr GNNConfig gnn{.use_GNN_from_attention = GNNFromAttention::CG_Attention,
                                 .num_latents_list = {8, 4},
                                 .max_position_embeddings = 32,
                                 .num_latent_layers = 1,
                                 .MLP_type = MLPType::no_MLP};
};

}  // namespace

TEST_CASE("a configuration type without anything beside attention and MLP gets the lean layer") {
  static_assert(std::is_same_v<LlamaTypes<TinyLlama>::Layer,
                               DecoderLayer<24, LlamaAttention<24, 4, 2, 6>, LlamaMLP<24, 20>, float, Cpu>>);
  static_assert(std::is_same_v<LlamaTypes<Coarse>::Graph, NoGraph>);
  static_assert(std::is_same_v<LlamaTypes<Coarse>::MLP, NoMLP>);
  static_assert(std::is_same_v<LlamaTypes<SparsePNA>::Graph, GraphAdapter<24, float, Cpu>>);
  SUCCEED();
}

TEST_CASE("a configuration type whose GIN attention is plain gets no code for other adjacencies") {
  static_assert(std::is_same_v<decltype(LlamaTypes<TinyGIN>::Attention::scoring), None>);
  static_assert(std::is_same_v<decltype(LlamaTypes<TinyGIN>::Attention::differential), None>);
  static_assert(!std::is_same_v<decltype(LlamaTypes<ThresholdGIN>::Attention::scoring), None>);
  CHECK_THROWS_WITH(
      LlamaTypes<TinyGIN>::Attention({.use_softmax = false}),
      "LlamaAttentionGIN: this type's adjacency is the softmax of scores and nothing more (GINAdjacency::softmax); "
      "another choice needs GINAdjacency::any");
}

TEMPLATE_TEST_CASE("a typed variant and a dynamic one with the same weights give the same logits", "", SparsePNA,
                   Coarse, TinyGIN, ThresholdGIN) {
  const auto model = random_model<TestType>(1);
  const auto copy = dynamic_copy(model);
  const auto ids = random_ids(2, 9, 2);
  Inference inference;
  const auto logits = model(inference, ids);
  Inference other;
  const auto again = copy(other, ids);
  CHECK(std::equal(logits.data(), logits.data() + logits.size(), again.data(), again.data() + again.size()));
}

TEST_CASE("a typed variant whose graph network sends messages between tokens decodes what it computes of whole texts") {
  constexpr Index kTokens = 9, kVocab = 23;
  const auto model = random_model<SparsePNA>(1);
  REQUIRE(model.incremental());
  const auto ids = random_ids(2, kTokens, 2);
  Inference whole, context;
  const auto expected = model(whole, ids);
  for (Index split = 1; split <= kTokens; ++split) {
    auto cache = model.make_cache(2, kTokens);
    while (cache.length() < kTokens) {
      const Index begin = cache.length(), count = begin == 0 ? split : 1;
      Ids part(Shape<Dyn, Dyn>(2, count));
      for (Index b = 0; b < 2; ++b) std::copy_n(&ids(b, begin), count, &part(b, 0));
      context.reset();
      const auto logits = model(context, part, {}, &cache);
      for (Index i = 0; i < logits.size(); ++i) {
        const Index b = i / (count * kVocab), t = begin + i / kVocab % count;
        CHECK(logits.data()[i] == Approx(expected(b, t, i % kVocab)).margin(1e-4));
      }
    }
    CHECK_THROWS_WITH(model(context, random_ids(2, 1, 2), {}, &cache),
                      "KVCache: 1 more tokens do not fit: 9 of 9 are taken");
  }
}

TEMPLATE_TEST_CASE("loss and gradients of a typed variant are the same bits for any number of threads", "", SparsePNA,
                   Coarse) {
  auto model = random_model<TestType>(1);
  const auto ids = random_ids(44, 32, 2);  // so many rows that even sweeps over 24 features use two threads
  Tape tape;
  CHECK(same_bits_for_any_thread_count([&] { return loss_and_gradients(tape, model, ids); }));
}

TEST_CASE("a typed model refuses a configuration with parts of other kinds") {
  const auto refusal_of = []<class Config>(std::type_identity<Config>, const GNNConfig& gnn) -> std::string {
    try {
      make_decoder_layer<Config>(Config::llama, gnn);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  };
  const auto refusal = [&](const GNNConfig& gnn) { return refusal_of(std::type_identity<TinyLlama>(), gnn); };
  CHECK(refusal({}).empty());
  CHECK(refusal({.use_GNN_from_attention = GNNFromAttention::LlamaAttention_Original}).empty());
  CHECK(refusal({.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA}) ==
        "gnn_config.use_GNN_from_attention must be what the model's type has, found \"LlamaAttentionPNA\"");
  CHECK(refusal({.MLP_type = MLPType::linear_MLP}) ==
        "gnn_config.MLP_type must be what the model's type has, found \"linear_MLP\"");
  CHECK(refusal({.gnn_type = GNNType::causal_gin, .gnn_mode = GNNMode::single}) ==
        "gnn_config.gnn_mode must be what the model's type has, found \"single\"");
  CHECK_THAT(refusal({.use_original_hidden_states = true}),
             Catch::Matchers::ContainsSubstring("together with use_original_hidden_states"));
  CHECK_THAT(refusal_of(std::type_identity<TinyGIN>(), ThresholdGIN::gnn),
             Catch::Matchers::ContainsSubstring("has GIN attention on the softmax of scores alone"));
  const GNNConfig softmax{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN};
  CHECK(refusal_of(std::type_identity<ThresholdGIN>(), softmax).empty());
}
