// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/layers/checkpointed.hpp"
#include "weft/models/adjacency.hpp"

#include "models/tiny_models.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

template <class Model>
std::vector<float> logits_of(const Model& model, const Ids& ids, const ModelInputs& inputs = {}) {
  Inference inference;
  const auto logits = model(inference, ids, inputs);
  return {logits.data(), logits.data() + logits.size()};
}

}  // namespace

TEMPLATE_TEST_CASE("a typed model and a dynamic one with the same weights give the same logits", "", TinyLlama,
                   TinyGIN) {
  const auto model = random_model<TestType>(1);
  const auto ids = random_ids(2, 9, 2);
  CHECK(logits_of(model, ids) == logits_of(dynamic_copy(model), ids));
}

TEMPLATE_TEST_CASE("changing a token moves no logit before it", "", TinyLlama, TinyGIN) {
  const auto model = random_model<TestType>(1);
  auto ids = random_ids(1, 11, 2);
  const auto before = logits_of(model, ids);
  for (const Index t : {1, 5, 10}) {
    auto changed = ids.clone();
    changed(0, t) = (changed(0, t) + 1) % 23;
    const auto after = logits_of(model, changed);
    const auto vocab = static_cast<std::size_t>(TestType::llama.vocab_size);
    const auto unchanged = vocab * static_cast<std::size_t>(t);
    CHECK(std::equal(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(unchanged), after.begin()));
    CHECK_FALSE(std::equal(before.begin(), before.end(), after.begin()));
  }
}

TEMPLATE_TEST_CASE("logits do not depend on the number of threads, bit for bit", "", TinyLlama, TinyGIN) {
  const auto model = random_model<TestType>(1);
  const auto ids = random_ids(3, 40, 2);
  set_threads(1);
  const auto one = logits_of(model, ids);
  set_threads(2);
  CHECK(logits_of(model, ids) == one);
}

TEMPLATE_TEST_CASE("loss and gradients do not depend on the number of threads, bit for bit", "", TinyLlama, TinyGIN) {
  auto model = random_model<TestType>(1);
  const auto ids = random_ids(44, 32, 2);  // so many rows that even sweeps over 24 features use two threads
  Tape tape;
  CHECK(same_bits_for_any_thread_count([&] { return loss_and_gradients(tape, model, ids); }));
}

TEMPLATE_TEST_CASE("the derivative of the loss by every parameter agrees with finite differences", "", TinyLlama,
                   TinyGIN) {
  auto model = random_model<TestType, double>(3);
  const auto ids = random_ids(1, 4, 4);
  const std::vector<std::int32_t> mask{1, 1, 1, 0};
  const ModelInputs inputs{.attention_mask = mask.data(), .position_ids = {}};
  const auto result =
      gradcheck([&](auto& context) { return model.loss(context, ids, ids, inputs); }, std::tuple<>(), model);
  CHECK(result.message.starts_with("gradcheck: "));
  CHECK(result.passed);
}

TEST_CASE("checkpointed layers give the same loss and gradients as plain ones, bit for bit, in less memory") {
  using Block = DecoderLayer<24, LlamaAttentionGIN<24, 4>, LlamaMLP<24, 40>>;
  const auto block = [](int) {
    return Block(LlamaAttentionGIN<24, 4>({.attention_dropout = 0.2}), LlamaMLP<24, 40>());
  };
  CausalLM<Vocab<23>, Stack<Block, 4>> plain((Stack<Block, 4>(block)));
  CausalLM<Vocab<23>, Stack<Checkpointed<Block>, 4>> checkpointed(
      Stack<Checkpointed<Block>, 4>([&](int l) { return Checkpointed<Block>(block(l)); }));
  Rng rng(5);
  plain.initialize(rng);
  rng = Rng(5);
  checkpointed.initialize(rng);
  const auto ids = random_ids(2, 64, 6);
  const auto train = [&](auto& model) {
    Tape tape;
    auto all = loss_and_gradients(tape, model, ids);
    return std::pair(std::move(all), tape.peak_bytes());
  };
  const auto [expected, plain_bytes] = train(plain);
  const auto [found, checkpointed_bytes] = train(checkpointed);
  CHECK(found == expected);
  CHECK(checkpointed_bytes < plain_bytes);
}

TEST_CASE("ids without a text or without a token are refused") {
  const auto model = random_model<TinyGIN>(3);
  Inference inference;
  Tape tape;
  const std::string refusal =
      "model(context, ids): ids must be [batch, tokens] with at least one text and one token, found ";
  for (const auto& [batch, tokens] : {std::pair<Index, Index>(1, 0), {0, 4}, {0, 0}}) {
    const Ids ids(Shape<Dyn, Dyn>(batch, tokens));
    CHECK_THROWS_WITH(model(inference, ids), refusal + ids.shape().text());
    CHECK_THROWS_WITH(model.loss(tape, ids, ids), refusal + ids.shape().text());
  }
}

TEST_CASE("the embedding of padding stays 0 in training, unless the head shares it") {
  for (const bool tied : {false, true}) {
    LlamaConfig config = TinyLlama::llama;
    config.pad_token_id = 0;
    config.tie_word_embeddings = tied;
    LlamaForCausalLMWithGNN<Dynamic> model(config, GNNConfig{}, Rng(1));
    Ids ids(Shape<Dyn, Dyn>(1, 6));
    for (Index t = 0; t < 3; ++t) ids(0, t) = static_cast<std::int32_t>(t + 4);  // then padding
    Tape tape;
    tape.backward(model.loss(tape, ids, ids));
    const auto& weight = model.model.embed_tokens.weight;
    for (Index i = 0; i < config.hidden_size; ++i) {
      CHECK(weight.value()(0, i) == 0);
      CHECK((weight.gradient()(0, i) != 0) == tied);
      CHECK(weight.gradient()(4, i) != 0);
    }
  }
  CHECK_THROWS_WITH((Embedding<Dyn, Dyn>(5, 2, 5)),
                    "Embedding: padding_id must be below the vocabulary size 5, found 5");
}

TEMPLATE_TEST_CASE("packed sequences have the logits, loss and gradients of separate ones", "", TinyLlama, TinyGIN) {
  auto model = random_model<TestType, double>(3);
  const auto ids = random_ids(1, 12, 4);
  const std::int32_t ends[] = {0, 5, 6, 12};
  const PackedSequences packed(ends, 1, 12);
  const auto gradients = [&] {
    std::vector<double> all;
    for_each_parameter(model, [&](const ParameterName&, const auto& parameter) {
      if (!parameter.has_gradient()) return;
      all.insert(all.end(), parameter.gradient().data(), parameter.gradient().data() + parameter.size());
    });
    clear_gradients(model);
    return all;
  };
  Tape tape;
  const auto labels = packed.labels(ids);
  const auto loss = model.loss(tape, ids, labels, {.packed = &packed});
  tape.backward(loss);
  const auto found = gradients();

  Inference inference;
  const auto logits = model(inference, ids, {.packed = &packed});
  double expected_loss = 0;
  Tape separate;
  for (std::size_t s = 0; s < 3; ++s) {
    const Index length = ends[s + 1] - ends[s];
    const TensorView<const std::int32_t, Shape<Dyn, Dyn>> own(ids.data() + ends[s], Shape<Dyn, Dyn>(1, length));
    const auto alone = model(inference, own);
    for (Index i = 0; i < alone.size(); ++i) {
      CHECK(logits.data()[ends[s] * 23 + i] == Approx(alone.data()[i]).margin(1e-12));
    }
    if (length < 2) continue;
    const double share = static_cast<double>(length - 1) / 9;  // of the predicted tokens
    const auto own_loss = model.loss(separate, own, own);
    separate.backward(own_loss, share);
    expected_loss += share * *own_loss.data();
  }
  CHECK(*loss.data() == Approx(expected_loss).epsilon(1e-12));
  const auto expected = gradients();
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-10));
}

TEST_CASE("packed sequences are refused where they do not fit, in one sentence") {
  const auto make = [](std::vector<std::int32_t> ends) { return PackedSequences(ends, 2, 4); };
  CHECK_THROWS_WITH(make({0, 4, 7}),
                    "PackedSequences: cu_seq_lens must begin with 0 and end with batch * tokens = 8, found 3 values "
                    "from 0 to 7");
  CHECK_THROWS_WITH(make({0, 4, 4, 8}), "PackedSequences: cu_seq_lens must rise, found 4 before 4");
  CHECK_THROWS_WITH(make({0, 3, 8}),
                    "PackedSequences: a sequence must stay in its row of 4 tokens, found one from 3 to 8");
  const auto model = random_model<TinyGIN>(1);
  const auto packed = make({0, 4, 6, 8});
  Inference inference;
  const auto ids = random_ids(2, 4, 2);
  CHECK_THROWS_WITH(model(inference, random_ids(2, 3, 2), {.packed = &packed}),
                    "model(context, ids): packed describes 2 rows of 4 tokens, ids has 2 of 3");
  const std::vector<std::int32_t> mask(8, 1);
  CHECK_THROWS_WITH(model(inference, ids, {.attention_mask = mask.data(), .packed = &packed}),
                    "model(context, ids): packed sequences need no attention_mask, found one");
  auto cache = model.make_cache(2, 8);
  CHECK_THROWS_WITH(model(inference, ids, {.packed = &packed}, &cache),
                    "model(context, ids, cache): packed sequences are not supported with a cache");
}

TEST_CASE("attention dropout acts in training only, where the tape's dropout is switched on") {
  using Block = DecoderLayer<24, LlamaAttention<24, 4>, LlamaMLP<24, 40>>;
  const auto make = [](double probability) {
    CausalLM<Vocab<23>, Stack<Block, 1>> model(Stack<Block, 1>(
        [&](int) { return Block(LlamaAttention<24, 4>({.attention_dropout = probability}), LlamaMLP<24, 40>()); }));
    randomize_parameters(model, 3, 0.3);
    return model;
  };
  const auto plain = make(0);
  const auto dropping = make(0.5);
  const auto ids = random_ids(2, 9, 6);
  const auto loss = [&](auto&& context, const auto& model) { return *model.loss(context, ids, ids).data(); };
  const auto training_loss = [&](const auto& model) {
    Tape tape;
    tape.enable_dropout(Rng(9));
    return loss(tape, model);
  };
  CHECK(loss(Inference(), dropping) == loss(Inference(), plain));
  CHECK(loss(Tape(), dropping) == loss(Tape(), plain));
  CHECK(training_loss(dropping) != training_loss(plain));
  CHECK(training_loss(dropping) == training_loss(dropping));
}

TEST_CASE("a tied head shares the embedding's weights and their gradient") {
  using Block = DecoderLayer<24, LlamaAttention<24, 4>, LlamaMLP<24, 40>>;
  CausalLM<Vocab<23>, Stack<Block, 1>> tied(Rng(5), {.tie_word_embeddings = true});
  CausalLM<Vocab<23>, Stack<Block, 1>> untied(Rng(5));
  CHECK(count_parameters(untied) - count_parameters(tied) == 23 * 24);
  const auto ids = random_ids(1, 5, 6);
  Tape tape;
  tape.backward(tied.loss(tape, ids, ids));
  Index rows_with_gradient = 0;
  const auto gradient = tied.model.embed_tokens.weight.gradient();
  for (Index row = 0; row < 23; ++row) rows_with_gradient += gradient(row, 0) != 0 ? 1 : 0;
  CHECK(rows_with_gradient == 23);  // as a head every row is used, as an embedding at most five
}

TEST_CASE("the adjacency of a layer is causal and its rows sum to one") {
  const auto model = random_model<TinyGIN>(1);
  const auto ids = random_ids(1, 7, 2);
  Inference inference;
  const auto weights = adjacency(inference, model.model, ids, 1);
  for (Index head = 0; head < 4; ++head) {
    for (Index i = 0; i < 7; ++i) {
      float sum = 0;
      for (Index j = 0; j < 7; ++j) {
        if (j > i) CHECK(weights(0, head, i, j) == 0.0F);
        sum += weights(0, head, i, j);
      }
      CHECK(sum == Approx(1).margin(1e-6));
    }
  }
  CHECK_THROWS_WITH(adjacency(inference, model.model, ids, 2),
                    "adjacency(context, model, ids, layer): layer must be in [0, 2), found 2");
}

TEST_CASE("a model refuses impossible inputs in one sentence") {
  const auto model = random_model<TinyGIN>(1);
  Inference inference;
  auto ids = random_ids(1, 3, 2);
  ids(0, 1) = 23;
  CHECK_THROWS_WITH(model(inference, ids), Catch::Matchers::ContainsSubstring("23"));
  CHECK_THROWS_WITH((LlamaForCausalLMWithGNN<TinyGIN>(TinyLlama::llama, TinyGIN::gnn, Rng(1))),
                    Catch::Matchers::ContainsSubstring("num_key_value_heads"));
  const std::vector<Index> positions(5);
  CHECK_THROWS_WITH(model(inference, random_ids(1, 3, 2), {.attention_mask = nullptr, .position_ids = positions}),
                    "model(context, ids): position_ids must have 3 or 3 values, found 5");
}
