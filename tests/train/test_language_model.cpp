// SPDX-License-Identifier: Apache-2.0
#include <numbers>
#include <vector>

#include "weft/tensor/parallel.hpp"
#include "weft/train/checkpoint.hpp"

#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "train/gin_llama.hpp"

using weft::Index;
using weft::StepReport;
using weft::TokenDataset;
using weft::Trainer;
using weft::testing::allocations;
using weft::testing::GINLlama;
using weft::testing::make_gin_llama;
using weft::testing::weights_of;

namespace {

const weft::TrainingOptions options{.learning_rate = 3e-3,
                                    .batch_size = 4,
                                    .max_steps = 20,
                                    .weight_decay = 0.1,
                                    .schedule = weft::Schedule::cosine,
                                    .warmup_steps = 4};

TokenDataset make_data() {
  return TokenDataset(weft::bytes_as_tokens(weft::testing::some_text()), {.block_size = 64, .validation = 0.2});
}

struct Result {
  std::vector<double> losses;
  std::vector<float> weights;
  bool operator==(const Result&) const = default;
};

Result train(int threads) {
  const int before = weft::thread_count();
  weft::set_threads(threads);
  GINLlama model = make_gin_llama();
  TokenDataset data = make_data();
  Result result;
  Trainer(model, options).fit(data, {.on_step = [&](const StepReport& report) {
                                result.losses.push_back(report.loss);
                              }});
  result.weights = weights_of(model);
  weft::set_threads(before);
  return result;
}

}  // namespace

TEST_CASE("20 steps of a GIN-Llama agree bit for bit, in two runs and with 1, 2 and 3 threads") {
  const Result first = train(1);
  REQUIRE(first.losses.size() == 20);
  CHECK(first.losses.back() < 0.8 * first.losses.front());
  CHECK(first == train(1));
  CHECK(first == train(2));
  CHECK(first == train(2));
  CHECK(first == train(3));
}

TEST_CASE("a GIN-Llama resumes bit for bit") {
  const weft::testing::TemporaryFolder folder;
  GINLlama model = make_gin_llama();
  TokenDataset data = make_data();
  Trainer trainer(model, options);
  for (int step = 0; step < 9; ++step) trainer.step(data);
  weft::save_checkpoint(folder / "run", trainer, data);
  trainer.fit(data);

  GINLlama resumed_model = make_gin_llama(1);
  TokenDataset resumed_data = make_data();
  Trainer resumed(resumed_model, options);
  weft::load_checkpoint(folder / "run", resumed, resumed_data);
  resumed.fit(resumed_data);
  CHECK(resumed.completed_steps() == 20);
  CHECK(weights_of(resumed_model) == weights_of(model));
}

TEST_CASE("training steps and evaluations of a GIN-Llama allocate nothing once warm") {
  const int threads = weft::thread_count();
  for (const int count : {1, 2}) {
    weft::set_threads(count);
    GINLlama model = make_gin_llama();
    TokenDataset data = make_data();
    Trainer trainer(model, options);
    for (int step = 0; step < 3; ++step) trainer.step(data);
    for (int time = 0; time < 2; ++time) trainer.evaluate(data);
    const auto before = allocations();
    for (int step = 0; step < 8; ++step) trainer.step(data);
    trainer.evaluate(data);
    CHECK(allocations() == before);
  }
  weft::set_threads(threads);
}

TEST_CASE("what the forward pass of a GIN-Llama does not read gets no gradient and is not decayed") {
  GINLlama model = make_gin_llama();
  TokenDataset data = make_data();
  Trainer trainer(model, options);
  trainer.step(data);
  std::vector<std::string> untouched;
  for (const auto& parameter : trainer.parameters()) {
    if (parameter.gradient() == nullptr) untouched.push_back(parameter.name());
  }
  CHECK(untouched == std::vector<std::string>{
                         "model.layers.0.self_attn.residual_epsilon.0", "model.layers.0.self_attn.rmsnorm.weight",
                         "model.layers.1.self_attn.residual_epsilon.0", "model.layers.1.self_attn.rmsnorm.weight"});
  for (int step = 0; step < 3; ++step) trainer.step(data);
  CHECK(model.model.layers[0].self_attn.residual_epsilon.data()[0] == 0.1F);
  CHECK(model.model.layers[0].self_attn.rmsnorm_weight.data()[0] == 1);
}

TEST_CASE("a GIN-Llama learns a block by heart, and an untrained one knows nothing") {
  GINLlama model = make_gin_llama(42, 0);
  std::vector<std::int32_t> tokens = weft::bytes_as_tokens(weft::testing::some_text());
  tokens.resize(33);
  TokenDataset data(tokens, {.block_size = 33});
  Trainer trainer(model, {.learning_rate = 3e-3, .batch_size = 1, .max_steps = 120});
  double first = 0;
  double last = 0;
  trainer.fit(data, {.on_step = [&](const StepReport& report) { (report.step == 1 ? first : last) = report.loss; }});
  CHECK(first == Approx(8 * std::numbers::ln2).epsilon(0.05));
  CHECK(last < 0.1);
}
