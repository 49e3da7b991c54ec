// SPDX-License-Identifier: Apache-2.0
// Weights that a file has as bf16 stay so in memory.
#include <thread>
#include <vector>

#include "weft/io/model_weights.hpp"
#include "weft/io/pretrained.hpp"
#include "weft/train/adamw.hpp"

#include "pretrained/narrow_folder.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

template <class Model>
Index count_of_parameters(Model& model) {
  return static_cast<Index>(list_parameters(model).size());
}

/// Makes float the only form of every weight.
template <class Model>
void widen(Model& model) {
  for (const AnyParameter& parameter : list_parameters(model)) parameter.data();
}

template <class Model>
std::vector<float> logits_of(const Model& model, const Ids& ids) {
  Inference inference;
  const auto logits = model(inference, ids);
  return {logits.data(), logits.data() + logits.size()};
}

template <class Config>
void expect_same_logits() {
  const NarrowFolder<Config> folder;
  auto narrow = load_pretrained<Config>(folder.path());
  auto wide = load_pretrained<Config>(folder.path());
  widen(wide);
  CHECK(kept_as_bf16(wide) == 0);
  for (const Index tokens : {1, 2, 7, 40}) {
    const Ids ids = random_ids(2, tokens, 5);
    const auto expected = logits_of(wide, ids);
    const auto found = logits_of(narrow, ids);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(std::abs(found[i] - expected[i]) < 1e-5);
  }
  CHECK(kept_as_bf16(narrow) == count_of_parameters(narrow));
}

}  // namespace

TEST_CASE("bf16 weights give the logits of the same weights as float, and products leave them as they are") {
  expect_same_logits<TinyLlama>();
  expect_same_logits<TinyGIN>();
  expect_same_logits<TinyHops>();
  const NarrowFolder<TinyLlama> folder;
  auto model = load_pretrained<TinyLlama>(folder.path());
  logits_of(model, random_ids(1, 9, 5));
  CHECK(model.model.embed_tokens.weight.buffer() == nullptr);  // no floats were made
  CHECK(model.model.layers[1].mlp.down_proj.weight.buffer() == nullptr);
  CHECK(model.model.norm.weight.buffer() != nullptr);
}

TEST_CASE("a model with bf16 weights is saved with them, also after it was used") {
  const NarrowFolder<TinyGIN> folder;
  auto model = load_pretrained<TinyGIN>(folder.path());
  logits_of(model, random_ids(1, 9, 5));
  const TemporaryFolder copy;
  save_pretrained(model, copy.path());
  const SafetensorsFile before(folder.path() + "/model.safetensors");
  const SafetensorsFile after(copy / "model.safetensors");
  for (const SafetensorsTensor& tensor : before.tensors()) {
    CHECK(after.tensor(tensor.name).dtype == "BF16");
    CHECK(std::ranges::equal(after.tensor(tensor.name).bytes, tensor.bytes));
  }
  CHECK(read_text(copy / "config.json").find("\"torch_dtype\": \"bfloat16\"") != std::string::npos);
}

TEST_CASE("bf16 weights that are trained become floats, and are saved as such") {
  const NarrowFolder<TinyLlama> folder;
  auto model = load_pretrained<TinyLlama>(folder.path());
  auto wide = load_pretrained<TinyLlama>(folder.path());
  widen(wide);
  const Ids ids = random_ids(2, 9, 5);
  Tape tape;
  CHECK(loss_and_gradients(tape, model, ids) == loss_and_gradients(tape, wide, ids));
  ParameterList parameters(model);
  AdamW optimizer(parameters, AdamWOptions{});
  optimizer.step(1e-2);
  CHECK(kept_as_bf16(model) == 0);
  const TemporaryFolder copy;
  save_pretrained(model, copy.path());
  CHECK(SafetensorsFile(copy / "model.safetensors").tensor("model.norm.weight").dtype == "F32");
  CHECK(read_text(copy / "config.json").find("\"torch_dtype\": \"float32\"") != std::string::npos);
}

TEST_CASE("frozen weights stay bf16 while others are trained, with the same gradients") {
  const NarrowFolder<TinyLlama> folder;
  auto model = load_pretrained<TinyLlama>(folder.path());
  auto wide = load_pretrained<TinyLlama>(folder.path());
  widen(wide);
  for (auto* each : {&model, &wide}) {
    set_trainable(*each, false);
    each->model.layers[0].mlp.up_proj.weight.set_trainable(true);
  }
  const Ids ids = random_ids(2, 9, 5);
  Tape tape;
  const auto found = loss_and_gradients(tape, model, ids);
  const auto expected = loss_and_gradients(tape, wide, ids);
  REQUIRE(found.size() == expected.size());
  CHECK(found.size() == 1 + 20 * 24);
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(std::abs(found[i] - expected[i]) < 1e-5);
  CHECK(model.model.layers[1].mlp.up_proj.weight.buffer() == nullptr);
  CHECK(model.model.layers[0].mlp.up_proj.weight.buffer() != nullptr);
}

TEST_CASE("threads that share a model may have its bf16 weights widened at the same time") {
  const NarrowFolder<TinyHops> folder;
  const auto model = load_pretrained<TinyHops>(folder.path());
  const Ids ids = random_ids(1, 12, 5);
  std::vector<std::vector<float>> logits(4);
  std::vector<std::thread> threads;
  for (auto& each : logits) threads.emplace_back([&] { each = logits_of(model, ids); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& each : logits) CHECK(each == logits.front());
}

TEST_CASE("an element that is changed, and a parameter that is moved, keep the rest of their bf16 values") {
  const std::vector<bf16> values{bf16(1.5F), bf16(-2.0F), bf16(0.25F)};
  Parameter<float, Shape<3>> parameter;
  AnyParameter(ParameterName("parameter"), parameter).use_bf16(values.data(), nullptr);
  Parameter<float, Shape<3>> moved(std::move(parameter));
  CHECK(moved.bf16_data() == values.data());
  CHECK(std::as_const(moved).data()[1] == -2.0F);
  CHECK(moved.bf16_data() == values.data());
  moved.data()[1] = 7;
  CHECK(moved.bf16_data() == nullptr);
  CHECK(std::ranges::equal(moved.value().span(), std::vector<float>{1.5F, 7.0F, 0.25F}));
}
