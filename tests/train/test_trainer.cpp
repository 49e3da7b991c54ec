// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "weft/train/trainer.hpp"

#include "support/catch.hpp"
#include "train/letter_model.hpp"

using weft::Index;
using weft::LossNormalization;
using weft::StepReport;
using weft::TokenDataset;
using weft::Trainer;
using weft::TrainingOptions;
using weft::testing::LetterModel;
using weft::testing::letters;
using weft::testing::weights_of;

namespace {

struct Result {
  std::vector<double> losses;
  std::vector<double> norms;
  std::vector<double> weights;
};

template <class T = float>
Result train(const TrainingOptions& options, double dropout = 0) {
  LetterModel<T> model(7, dropout);
  TokenDataset data(letters(400), {.block_size = 10, .validation = 0.2});
  Result result;
  Trainer trainer(model, options);
  CHECK(trainer.fit(data, {.on_step = [&](const StepReport& report) {
                      result.losses.push_back(report.loss);
                      result.norms.push_back(report.gradient_norm);
                    }}));
  const auto weights = weights_of(model);
  result.weights.assign(weights.begin(), weights.end());
  return result;
}

double worst_difference(const std::vector<double>& first, const std::vector<double>& second) {
  REQUIRE(first.size() == second.size());
  double worst = 0;
  for (std::size_t i = 0; i < first.size(); ++i) worst = std::max(worst, std::abs(first[i] - second[i]));
  return worst;
}

}  // namespace

TEST_CASE("a trainer does what the loop written by hand does, bit for bit") {
  const Result trained = train({.learning_rate = 0.02,
                                .batch_size = 4,
                                .max_steps = 15,
                                .weight_decay = 0.1,
                                .max_grad_norm = 0.5,
                                .schedule = weft::Schedule::cosine,
                                .warmup_steps = 3,
                                .seed = 11},
                               0.1);
  LetterModel<float> model(7, 0.1);
  TokenDataset data(letters(400), {.block_size = 10, .validation = 0.2});
  const weft::ParameterList parameters(model);
  weft::AdamW optimizer(parameters, {.weight_decay = 0.1});
  weft::Tape tape;
  tape.enable_dropout(weft::dropout_rng(11));
  std::vector<double> losses;
  for (Index step = 0; step < 15; ++step) {
    const auto batch = data.next_batch(4);
    tape.reset();
    parameters.clear_gradients();
    const auto loss = model.loss(tape, batch.ids, batch.labels);
    tape.backward(loss);
    weft::clip_gradient_norm(parameters, 0.5);
    optimizer.step(0.02 * weft::schedule_factor(weft::Schedule::cosine, step, 3, 15));
    losses.push_back(*loss.data());
  }
  CHECK(trained.losses == losses);
  const auto weights = weights_of(model);
  CHECK(trained.weights == std::vector<double>(weights.begin(), weights.end()));
}

TEST_CASE("a model that can learn its text by heart does") {
  LetterModel<float> model;
  TokenDataset data({1, 5, 2, 9, 11, 0, 3, 7}, {.block_size = 8});
  Trainer trainer(model, {.learning_rate = 0.02, .batch_size = 1, .max_steps = 200});
  double first = 0;
  double last = 0;
  trainer.fit(data, {.on_step = [&](const StepReport& report) { (report.step == 1 ? first : last) = report.loss; }});
  CHECK(first > 2);
  CHECK(last < 0.02);
}

TEST_CASE("gradient accumulation is a larger batch") {
  const TrainingOptions whole{.learning_rate = 0.01, .batch_size = 8, .max_steps = 12};
  for (const Index parts : {2, 4, 8}) {
    TrainingOptions accumulated = whole;
    accumulated.batch_size = 8 / parts;
    accumulated.gradient_accumulation_steps = parts;
    const Result large = train<double>(whole);
    const Result sum = train<double>(accumulated);
    // Sums of at most 72 terms in another order, carried through 12 updates that divide by the size of a gradient.
    const double tolerance = 1e5 * std::numeric_limits<double>::epsilon();
    CHECK(worst_difference(large.losses, sum.losses) < tolerance);
    CHECK(worst_difference(large.weights, sum.weights) < tolerance);
  }
}

TEST_CASE("Hugging Face's normalisation counts the first label of each block, too") {
  TrainingOptions options{.learning_rate = 0, .batch_size = 4, .max_steps = 5, .gradient_accumulation_steps = 2};
  const Result predicted = train<double>(options);
  options.loss_normalization = LossNormalization::hugging_face;
  const Result hugging_face = train<double>(options);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(hugging_face.losses[i] == Approx(predicted.losses[i] * 9 / 10).epsilon(1e-12));
    CHECK(hugging_face.norms[i] == Approx(predicted.norms[i] * 9 / 10).epsilon(1e-12));
  }
  const std::vector<std::int32_t> labels{-100, 2, 3, 4, -100, 6};
  const weft::TensorView<const std::int32_t, weft::Shape<2, 3>> view(labels.data(), {});
  CHECK(weft::count_labels(view, LossNormalization::predicted) == 3);
  CHECK(weft::count_labels(view, LossNormalization::hugging_face) == 4);
}

TEST_CASE("two runs agree bit for bit, and dropout is a function of the seed") {
  TrainingOptions options{.learning_rate = 0.01, .batch_size = 4, .max_steps = 20, .seed = 1};
  const Result first = train(options, 0.2);
  const Result second = train(options, 0.2);
  CHECK(first.losses == second.losses);
  CHECK(first.weights == second.weights);
  options.seed = 2;
  CHECK(train(options, 0.2).losses != first.losses);
  CHECK(train(options).losses != first.losses);
}

TEST_CASE("frozen parameters get no gradient memory and do not change") {
  LetterModel<float> model;
  weft::set_trainable(model.embed, false);
  weft::set_trainable(model.hidden, false);
  const auto before = weights_of(model);
  TokenDataset data(letters(400), {.block_size = 10});
  Trainer trainer(model, {.learning_rate = 0.01, .batch_size = 4, .max_steps = 5, .weight_decay = 0.1});
  trainer.fit(data);
  CHECK(model.embed.weight.gradient_slot() == nullptr);
  CHECK(model.hidden.weight.gradient_slot() == nullptr);
  CHECK_FALSE(model.embed.weight.has_gradient());
  const auto after = weights_of(model);
  const auto frozen = static_cast<std::ptrdiff_t>(model.embed.weight.size() + model.hidden.weight.size() + 12);
  CHECK(std::equal(before.begin(), before.begin() + frozen, after.begin()));
  CHECK_FALSE(std::equal(before.begin() + frozen, before.end(), after.begin() + frozen));
}

TEST_CASE("the learning rate follows the schedule, and reports count from 1") {
  LetterModel<float> model;
  TokenDataset data(letters(400), {.block_size = 10});
  Trainer trainer(model, {.learning_rate = 0.5, .batch_size = 8, .max_steps = 10, .warmup_steps = 4});
  std::vector<double> rates;
  trainer.fit(data, {.on_step = [&](const StepReport& report) {
                rates.push_back(report.learning_rate);
                CHECK(report.step == static_cast<Index>(rates.size()));
                CHECK(report.max_steps == 10);
                CHECK(report.epoch == Approx(static_cast<double>(report.step) * 8 / 40));
                CHECK(report.tokens_per_second > 0);
              }});
  REQUIRE(rates.size() == 10);
  CHECK(rates[0] == 0);
  CHECK(rates[2] == 0.25);
  CHECK(rates[4] == 0.5);
  CHECK(rates[7] == Approx(0.25));
}

TEST_CASE("an evaluation is the mean over the validation part, and changes nothing") {
  LetterModel<double> model;
  TokenDataset data(letters(440), {.block_size = 10, .validation = 0.25, .bytes_per_token = 2.5});
  REQUIRE(data.validation_blocks() == 11);
  Trainer trainer(model, {.batch_size = 4});
  double sum = 0;
  for (Index block = 0; block < 11; ++block) {
    weft::Inference inference;
    const auto batch = data.validation_batch(block, 1);
    sum += *model.loss(inference, batch.ids, batch.labels).data();
  }
  const auto before = weights_of(model);
  const weft::EvaluationReport report = trainer.evaluate(data);
  CHECK(report.loss == Approx(sum / 11).epsilon(1e-12));
  CHECK(report.perplexity == Approx(std::exp(sum / 11)).epsilon(1e-12));
  CHECK(report.bits_per_byte == Approx(sum / 11 / std::numbers::ln2 / 2.5).epsilon(1e-12));
  CHECK(weights_of(model) == before);
  CHECK(data.position() == 0);

  TokenDataset all_trained(letters(440), {.block_size = 10});
  CHECK_THROWS_WITH(trainer.evaluate(all_trained), Catch::Matchers::ContainsSubstring("validation part, found none"));

  const TrainingOptions silent{.learning_rate = 0.01, .batch_size = 4, .max_steps = 10};
  TrainingOptions evaluating = silent;
  evaluating.evaluate_every = 3;
  CHECK(train(silent).weights == train(evaluating).weights);
}

TEST_CASE("a short evaluation takes batches from all over the validation part") {
  LetterModel<double> model;
  TokenDataset data(letters(1000), {.block_size = 10, .validation = 0.8});  // 80 blocks, 20 batches
  Trainer trainer(model, {.batch_size = 4, .evaluation_batches = 3});
  double sum = 0;
  for (const Index batch_number : {0, 6, 13}) {
    weft::Inference inference;
    const auto batch = data.validation_batch(4 * batch_number, 4);
    sum += *model.loss(inference, batch.ids, batch.labels).data();
  }
  CHECK(trainer.evaluate(data).loss == Approx(sum / 3).epsilon(1e-12));
}

TEST_CASE("callbacks hear of every step and evaluation, and can stop the run") {
  LetterModel<float> model;
  TokenDataset data(letters(400), {.block_size = 10, .validation = 0.2});
  Trainer trainer(model, {.batch_size = 2, .max_steps = 10, .evaluate_every = 4, .evaluation_batches = 1});
  std::vector<Index> events;  // steps, and evaluations as negative numbers
  int done = 0;
  bool stop = false;
  weft::TrainingCallbacks callbacks;
  callbacks.on_step = [&](const StepReport& report) { events.push_back(report.step); };
  callbacks.on_evaluation = [&](const weft::EvaluationReport& report) { events.push_back(-report.step); };
  callbacks.on_step_done = [&](const StepReport& report) {  // the evaluation came before it
    CHECK(events.back() == (report.step % 4 == 0 || report.step == 10 ? -report.step : report.step));
    ++done;
  };
  callbacks.should_stop = [&] { return stop || trainer.completed_steps() == 6; };
  CHECK_FALSE(trainer.fit(data, callbacks));
  CHECK(events == std::vector<Index>{1, 2, 3, 4, -4, 5, 6});
  callbacks.should_stop = {};
  CHECK(trainer.fit(data, callbacks));
  CHECK(events == std::vector<Index>{1, 2, 3, 4, -4, 5, 6, 7, 8, -8, 9, 10, -10});
  CHECK(trainer.fit(data, callbacks));  // nothing left to do
  CHECK(events.size() == 13);
  CHECK(done == 10);
}

TEST_CASE("a loss that is not finite stops the run and leaves the weights as they were") {
  LetterModel<float> model;
  model.head.weight.data()[3] = std::numeric_limits<float>::infinity();
  const auto before = weights_of(model);
  TokenDataset data(letters(400), {.block_size = 10});
  Trainer trainer(model, {.batch_size = 2});
  CHECK_THROWS_WITH(trainer.step(data), Catch::Matchers::ContainsSubstring("Trainer: step 1 has loss"));
  CHECK(weights_of(model) == before);
  CHECK(trainer.completed_steps() == 0);
}

TEST_CASE("options outside of their ranges are refused by name") {
  LetterModel<float> model;
  using Catch::Matchers::ContainsSubstring;
  CHECK_THROWS_WITH(Trainer(model, {.batch_size = 0}), "TrainingOptions: batch_size must be at least 1, found 0");
  CHECK_THROWS_WITH(Trainer(model, {.gradient_accumulation_steps = 0}),
                    ContainsSubstring("gradient_accumulation_steps"));
  CHECK_THROWS_WITH(Trainer(model, {.learning_rate = -1}), ContainsSubstring("learning_rate must not be negative"));
  CHECK_THROWS_WITH(Trainer(model, {.max_steps = -1}), ContainsSubstring("max_steps"));
  TokenDataset data(letters(400), {.block_size = 10});
  Trainer trainer(model, {.evaluate_every = 5});
  CHECK_THROWS_WITH(trainer.fit(data), ContainsSubstring("validation part"));
  CHECK(trainer.completed_steps() == 0);
}
