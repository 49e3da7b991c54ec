// SPDX-License-Identifier: Apache-2.0
#include "weft/models/lora.hpp"
#include "weft/models/parameter_helpers.hpp"

#include "models/tiny_models.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Run = LlamaForCausalLMWithGNN<Dynamic>;

template <class Model>
std::vector<float> logits_of(const Model& model) {
  Inference inference;
  const auto logits = model(inference, random_ids(2, 7, 2));
  return {logits.data(), logits.data() + logits.size()};
}

float worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  float worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

/// As training would: every adapter learned something.
template <class Model>
void randomize_adapters(Model& model) {
  std::uint64_t seed = 50;
  for_each_parameter(model, [&](const ParameterName& name, auto& parameter) {
    if (name.name.find("lora_") == std::string::npos) return;
    const Rng rng(++seed);
    for (Index i = 0; i < parameter.size(); ++i) {
      parameter.data()[i] = static_cast<float>(0.3 * rng.normal(static_cast<std::uint64_t>(i)));
    }
  });
}

template <class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("adapters change nothing at first, and merged what they changed beside the weights") {
  auto model = random_model<TinyLlama>(1);
  const auto before = logits_of(model);
  const auto names = add_lora(model, {.r = 4, .lora_alpha = 6, .target_modules = {"all-linear"}}, Rng(5));
  CHECK(names.size() == 2 * 7);
  CHECK(names.front() == "model.layers.0.self_attn.q_proj");
  CHECK(logits_of(model) == before);
  randomize_adapters(model);
  const auto adapted = logits_of(model);
  CHECK(worst_difference(adapted, before) > 0.1F);
  CHECK(has_lora(model));
  merge_lora(model);
  CHECK_FALSE(has_lora(model));
  CHECK(worst_difference(logits_of(model), adapted) < 2e-5F);
  CHECK(count_trainable_parameters(model) == 0);
}

TEST_CASE("a model without its adapters is what it was") {
  Run model(TinyGIN::llama, TinyGIN::gnn, Rng(1));
  randomize_parameters(model, 1, 0.3);
  const auto before = logits_of(model);
  add_lora(model, {.target_modules = {"q_proj", "down_proj"}}, Rng(5));
  randomize_adapters(model);
  CHECK(logits_of(model) != before);
  remove_lora(model);
  CHECK(logits_of(model) == before);
  const auto plain = random_model<TinyGIN>(1);
  CHECK(list_parameters(model).size() == list_parameters(plain).size());
}

TEST_CASE("typed and run-time models with adapters compute the same bits") {
  auto typed = random_model<TinyLlama>(1);
  Run dynamic(TinyLlama::llama, TinyLlama::gnn, Rng(1));
  randomize_parameters(dynamic, 1, 0.3);
  for (const bool stabilised : {false, true}) {
    const LoraOptions options{.r = 3, .target_modules = {"up_proj", "o_proj"}, .use_rslora = stabilised};
    add_lora(typed, options, Rng(5));
    add_lora(dynamic, options, Rng(5));
    randomize_adapters(typed);
    randomize_adapters(dynamic);
    CHECK(logits_of(typed) == logits_of(dynamic));
    remove_lora(typed);
    remove_lora(dynamic);
  }
}

TEST_CASE("only the adapters are trained, and nothing below the first of them is recorded") {
  auto model = random_model<TinyLlama>(1);
  Tape tape;
  loss_and_gradients(tape, model, random_ids(2, 7, 3));
  const Index everything = count_trainable_parameters(model);
  add_lora(model, {.r = 2, .layers_to_transform = {1}}, Rng(5));
  CHECK(count_trainable_parameters(model) == 2 * (24 + 24) + 2 * (24 + 12));  // q_proj and v_proj of two groups
  CHECK(everything > 20 * count_trainable_parameters(model));
  const auto gradients = loss_and_gradients(tape, model, random_ids(2, 7, 3));
  CHECK(static_cast<Index>(gradients.size()) == 1 + count_trainable_parameters(model));
  for_each_parameter(model, [&](const ParameterName& name, const auto& parameter) {
    INFO(name.name);
    CHECK((parameter.gradient_slot() != nullptr) == (name.name.find("lora_") != std::string::npos));
  });
  tape.reset();
  const auto x = model.model.layers[0](tape, model.model.embed_tokens(tape, random_ids(1, 3, 3)),
                                       model.model.attention_inputs(tape, 1, 3, {}));
  CHECK(x.gradient_slot() == nullptr);
}

TEST_CASE("layers whose weights another operation reads get no adapter") {
  Run model(TinyHops::llama, TinyHops::gnn, Rng(1));
  const auto names = add_lora(model, {.target_modules = {"all-linear"}}, Rng(5));
  CHECK(names == std::vector<std::string>{"model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.k_proj",
                                          "model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.k_proj"});
  remove_lora(model);
  CHECK(message_of([&] { add_lora(model, {.target_modules = {"head_up_projs.0"}}, Rng(5)); }) ==
        "add_lora: target_modules: no linear layer that can have an adapter is called head_up_projs.0; there are "
        "q_proj, k_proj, lm_head");
}

TEST_CASE("what cannot be adapted is refused, with the model as it was") {
  auto model = random_model<TinyLlama>(1);
  const auto refused = [&](const LoraOptions& options) {
    const std::string message = message_of([&] { add_lora(model, options, Rng(5)); });
    CHECK_FALSE(has_lora(model));
    CHECK(count_trainable_parameters(model) == count_parameters(model));
    return message;
  };
  CHECK(refused({.target_modules = {"q_proj", "query"}}) ==
        "add_lora: target_modules: no linear layer that can have an adapter is called query; there are q_proj, k_proj, "
        "v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head");
  CHECK(refused({.target_modules = {"proj"}}).find("is called proj") != std::string::npos);
  CHECK(refused({.target_modules = {}}) == "add_lora: target_modules must name at least one linear layer");
  CHECK(refused({.layers_to_transform = {2}}) == "add_lora: layers_to_transform: there is no decoder layer 2");
  CHECK(refused({.target_modules = {"lm_head"}, .layers_to_transform = {0}}) ==
        "add_lora: target_modules and layers_to_transform have no linear layer in common");
  CHECK(refused({.r = 0}) == "LoRA: r must be at least 1, found 0");
  add_lora(model, {.target_modules = {"lm_head", "layers.1.mlp.up_proj"}}, Rng(5));
  CHECK(message_of([&] { add_lora(model, {}, Rng(5)); }) ==
        "add_lora: model.layers.1.mlp.up_proj has an adapter already; merge_lora or remove_lora comes first");
}

TEST_CASE("steps with adapters allocate nothing once warm") {
  auto model = random_model<TinyLlama>(1);
  add_lora(model, {.lora_alpha = 16, .lora_dropout = 0.1}, Rng(5));
  const Ids ids = random_ids(2, 7, 3);
  Tape tape;
  tape.enable_dropout(Rng(9));
  const auto step = [&] {
    tape.reset();
    tape.backward(model.loss(tape, ids, ids));
  };
  for (int warm = 0; warm < 3; ++warm) step();
  const auto before = allocations();
  step();
  CHECK(allocations() == before);
}
