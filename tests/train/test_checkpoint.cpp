// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/text_file.hpp"
#include "weft/train/checkpoint.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "train/training_run.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::testing::letters;
using weft::testing::TemporaryFolder;
using weft::testing::TrainingRun;

namespace {

/// A model that says how it is configured.
struct ConfiguredModel : weft::testing::LetterModel<float> {
  weft::LlamaConfig llama{};
  const weft::LlamaConfig& llama_config() const { return llama; }
  weft::GNNConfig gnn_config() const { return {}; }
};

void advance(TrainingRun& run, int steps) {
  for (int i = 0; i < steps; ++i) run.trainer.step(run.data);
}

void save(const std::string& path, const TrainingRun& run) { weft::save_checkpoint(path, run.trainer, run.data); }
void load(const std::string& path, TrainingRun& run) { weft::load_checkpoint(path, run.trainer, run.data); }

/// What loading into another run is refused with; empty if it is not. The run must stay as it was.
std::string refusal(const std::string& path) {
  TrainingRun run(99);
  advance(run, 1);
  TrainingRun same(99);
  advance(same, 1);
  std::string message;
  try {
    load(path, run);
  } catch (const weft::Error& error) {
    message = error.what();
    CHECK(run.same_as(same));
  }
  return message;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto place = text.find(from);
  REQUIRE(place != std::string::npos);
  REQUIRE(from.size() == to.size());
  return text.replace(place, from.size(), to);
}

}  // namespace

TEST_CASE("a resumed run goes on bit for bit, from whatever step it was saved at") {
  const TemporaryFolder folder;
  TrainingRun straight;
  std::vector<double> losses;
  for (int step = 0; step < 14; ++step) {
    save(folder / std::to_string(step), straight);
    losses.push_back(straight.trainer.step(straight.data).loss);
  }
  for (int saved = 0; saved < 14; ++saved) {
    TrainingRun resumed(99);  // other weights until it is loaded
    advance(resumed, saved % 3);
    load(folder / std::to_string(saved), resumed);
    CHECK(resumed.trainer.completed_steps() == saved);
    std::vector<double> again(losses.begin(), losses.begin() + saved);
    while (again.size() < losses.size()) again.push_back(resumed.trainer.step(resumed.data).loss);
    CHECK(again == losses);
    CHECK(resumed.same_as(straight));
  }
}

TEST_CASE("saving changes nothing, and the same state gives the same bytes") {
  const TemporaryFolder folder;
  TrainingRun run;
  TrainingRun undisturbed;
  advance(run, 3);
  save(folder / "first", run);
  save(folder / "second", run);
  CHECK(weft::read_text(folder / "first") == weft::read_text(folder / "second"));
  advance(run, 3);
  advance(undisturbed, 6);
  CHECK(run.same_as(undisturbed));
}

TEST_CASE("a checkpoint is a safetensors file with the parameters under their own names") {
  const TemporaryFolder folder;
  TrainingRun run;
  advance(run, 2);
  save(folder / "run", run);
  const weft::SafetensorsFile file(folder / "run");
  CHECK(file.tensors().size() == 3 * run.trainer.parameters().size());
  weft::Linear<8, 12> hidden(true);
  file.load_into(hidden.weight, "hidden.weight");
  CHECK(std::equal(hidden.weight.data(), hidden.weight.data() + 96, run.model.hidden.weight.data()));
  CHECK(file.contains("optimizer.exp_avg.hidden.weight"));
  CHECK(file.contains("optimizer.exp_avg_sq.hidden.weight"));

  weft::testing::LetterModel<float> model(123);
  weft::load_checkpoint(folder / "run", model);
  CHECK(weft::testing::weights_of(model) == weft::testing::weights_of(run.model));
}

TEST_CASE("a truncated checkpoint is refused with one line at every length") {
  const TemporaryFolder folder;
  TrainingRun run;
  advance(run, 2);
  save(folder / "run", run);
  const std::string whole = weft::read_text(folder / "run");
  CHECK(refusal(folder / "run").empty());
  for (std::size_t length = 0; length < whole.size(); length += 1 + length / 8) {
    weft::write_text(folder / "cut", std::string_view(whole).substr(0, length));
    const std::string message = refusal(folder / "cut");
    CHECK_THAT(message, ContainsSubstring("/cut: "));
    CHECK(message.find('\n') == std::string::npos);
  }
  weft::write_text(folder / "cut", whole.substr(0, whole.size() - 1));
  CHECK_THAT(refusal(folder / "cut"), ContainsSubstring("/cut: "));
  CHECK_THAT(refusal(folder / "missing"), ContainsSubstring("missing: No such file"));
  CHECK_THAT(refusal(folder.path()), ContainsSubstring("it is a folder"));
}

TEST_CASE("a checkpoint of another kind is refused, saying what differs, and nothing changes") {
  const TemporaryFolder folder;
  const std::string path = folder / "run";
  TrainingRun run;
  advance(run, 2);
  save(path, run);
  const std::string whole = weft::read_text(path);
  const auto refusal_of = [&](std::string_view from, std::string_view to) {
    weft::write_text(folder / "changed", replaced(whole, from, to));
    return refusal(folder / "changed");
  };
  CHECK_THAT(refusal_of("\"shape\":[12,8]", "\"shape\":[8,12]"),
             ContainsSubstring("must be F32 [12, 8], found F32 [8, 12]"));
  CHECK_THAT(refusal_of("\"head.weight\"", "\"tail.weight\""), ContainsSubstring("head.weight"));
  CHECK_THAT(refusal_of("weft.checkpoint", "gone.checkpoint"), ContainsSubstring("no checkpoint of a training run"));
  CHECK_THAT(refusal_of("\\\"version\\\":2", "\\\"version\\\":7"),
             ContainsSubstring("checkpoint.version must be 2, found 7"));
  CHECK_THAT(refusal_of("\\\"version\\\":2", "\\\"version\\\":1"),
             ContainsSubstring("must be 2, found 1, which does not say with which options it was trained"));
  CHECK_THAT(refusal_of("\\\"cosine\\\"", "\\\"cosime\\\""),
             ContainsSubstring("checkpoint.training.schedule must be one of constant, constant_with_warmup, linear, "
                               "cosine, found \"cosime\""));
  CHECK_THAT(refusal_of("\\\"batch_size\\\":3", "\\\"batch_sise\\\":3"),
             ContainsSubstring("checkpoint.training.batch_size must be there, found nothing"));
  CHECK_THAT(refusal_of("\\\"step\\\":2", "\\\"step\\\":x"), ContainsSubstring("not JSON at line 1"));
  CHECK_THAT(refusal_of("\\\"step\\\":2", "\\\"stop\\\":2"),
             ContainsSubstring("checkpoint.step must be there, found nothing"));

  CHECK_THAT(refusal_of("\\\"tokens\\\":330", "\\\"tokens\\\":331"), ContainsSubstring("must be of the same data"));
  weft::write_text(path, "not a checkpoint at all");
  CHECK_THAT(refusal(path), ContainsSubstring("/run: "));
}

TEST_CASE("a checkpoint belongs to its text, its frozen parameters and its model type") {
  const TemporaryFolder folder;
  TrainingRun run;
  advance(run, 2);
  save(folder / "run", run);

  weft::TokenDataset other_text(letters(330, 6), {.block_size = 10, .validation = 0.2});
  CHECK_THROWS_WITH(weft::load_checkpoint(folder / "run", run.trainer, other_text),
                    ContainsSubstring("must be of the same data: 330 tokens"));
  weft::TokenDataset other_order(letters(330), {.block_size = 10, .validation = 0.2, .seed = 1});
  CHECK_THROWS_WITH(weft::load_checkpoint(folder / "run", run.trainer, other_order), ContainsSubstring("seed 1"));

  weft::testing::LetterModel<float> half_frozen;
  weft::set_trainable(half_frozen.embed, false);
  weft::Trainer trainer(half_frozen);
  CHECK_THROWS_WITH(weft::load_checkpoint(folder / "run", trainer, run.data),
                    ContainsSubstring("optimizer.exp_avg.embed.weight") && ContainsSubstring("is not expected"));
  weft::save_checkpoint(folder / "half", trainer, run.data);
  CHECK_THROWS_WITH(weft::load_checkpoint(folder / "half", run.trainer, run.data),
                    ContainsSubstring("optimizer.exp_avg.embed.weight"));
  weft::load_checkpoint(folder / "half", trainer, run.data);

  ConfiguredModel configured;
  weft::Trainer configured_trainer(configured);
  CHECK_THROWS_WITH(weft::load_checkpoint(folder / "run", configured_trainer, run.data),
                    ContainsSubstring("checkpoint.model must be {") && ContainsSubstring("found null"));
  weft::save_checkpoint(folder / "configured", configured_trainer, run.data);
  weft::load_checkpoint(folder / "configured", configured_trainer, run.data);
  configured.llama.rope_theta = 500000;
  CHECK_THROWS_WITH(weft::load_checkpoint(folder / "configured", configured_trainer, run.data),
                    ContainsSubstring("checkpoint.model.rope_theta must be 500000.0, found 10000.0"));

  weft::testing::LetterModel<double> precise;
  CHECK_THROWS_WITH(weft::load_checkpoint(folder / "run", precise), ContainsSubstring("must be F64"));
}

TEST_CASE("a run does not go on with other options that decide its weights, unless that is asked for") {
  const TemporaryFolder folder;
  const std::string path = folder / "run";
  TrainingRun run;
  advance(run, 10);
  save(path, run);
  const auto refusal_with = [&](auto change) {
    weft::TrainingOptions options = TrainingRun::default_options();
    change(options);
    TrainingRun other(99, options);
    TrainingRun untouched(99, options);
    try {
      load(path, other);
    } catch (const weft::Error& error) {
      CHECK(other.same_as(untouched));
      return std::string(error.what());
    }
    CHECK(other.same_as(run));
    return std::string();
  };
  using Options = weft::TrainingOptions;
  CHECK(refusal_with([](Options& o) { o.evaluate_every = 5; }).empty());
  CHECK(refusal_with([](Options& o) { o.evaluation_batches = 5; }).empty());
  CHECK(refusal_with([](Options& o) { o.max_steps = 30; }) ==
        path +
            ": checkpoint.training.max_steps must be 30, found 1000; ResumeOptions::change_training goes on with "
            "another");
  const auto expect = [&](auto change, const std::string& sentence) {
    CHECK_THAT(refusal_with(change), ContainsSubstring("checkpoint.training." + sentence));
  };
  expect([](Options& o) { o.learning_rate = 0.01; }, "learning_rate must be 0.01, found 0.02");
  expect([](Options& o) { o.batch_size = 6; }, "batch_size must be 6, found 3");
  expect([](Options& o) { o.gradient_accumulation_steps = 1; }, "gradient_accumulation_steps must be 1, found 2");
  expect([](Options& o) { o.weight_decay = 0; }, "weight_decay must be 0.0, found 0.1");
  expect([](Options& o) { o.max_grad_norm = 2; }, "max_grad_norm must be 2.0, found 1.0");
  expect([](Options& o) { o.schedule = weft::Schedule::linear; }, "schedule must be \"linear\", found \"cosine\"");
  expect([](Options& o) { o.warmup_steps = 5; }, "warmup_steps must be 5, found 4");
  expect([](Options& o) { o.adam_beta1 = 0.8; }, "adam_beta1 must be 0.8, found 0.9");
  expect([](Options& o) { o.adam_beta2 = 0.99; }, "adam_beta2 must be 0.99, found 0.999");
  expect([](Options& o) { o.adam_epsilon = 1e-6; }, "adam_epsilon must be 1e-06, found 1e-08");
  expect([](Options& o) { o.loss_normalization = weft::LossNormalization::hugging_face; },
         "loss_normalization must be \"hugging_face\", found \"predicted\"");
  expect([](Options& o) { o.seed = 1; }, "seed must be 1, found 42");

  weft::TrainingOptions longer = TrainingRun::default_options();
  longer.max_steps = 2000;
  TrainingRun changed(99, longer);
  weft::load_checkpoint(path, changed.trainer, changed.data, {.change_training = true});
  CHECK(changed.same_as(run));
}

TEST_CASE("a checkpoint says with which options its run is trained") {
  const TemporaryFolder folder;
  weft::TrainingOptions options = TrainingRun::default_options();
  options.max_grad_norm = std::numeric_limits<double>::infinity();
  options.loss_normalization = weft::LossNormalization::hugging_face;
  options.seed = ~std::uint64_t{0};
  const TrainingRun run(7, options);
  save(folder / "run", run);
  const weft::TrainingOptions found = weft::checkpoint_training_options(folder / "run");
  CHECK(weft::detail::training_json(found) == weft::detail::training_json(options));
  CHECK(found.max_grad_norm == options.max_grad_norm);
  CHECK_THROWS_WITH(weft::checkpoint_training_options(folder / "none"), ContainsSubstring("none: No such file"));
}

TEST_CASE("where the schedule does not end, a run may go on for longer than it was to") {
  const TemporaryFolder folder;
  weft::TrainingOptions options{.batch_size = 3, .max_steps = 4, .schedule = weft::Schedule::constant_with_warmup};
  TrainingRun straight(7, options);
  advance(straight, 4);
  save(folder / "run", straight);
  options.max_steps = 8;
  TrainingRun resumed(99, options);
  load(folder / "run", resumed);
  advance(straight, 4);
  CHECK(resumed.trainer.fit(resumed.data));
  CHECK(resumed.same_as(straight));
}

TEST_CASE("a checkpoint that cannot be written is refused with one line, and the old one stays") {
  const TemporaryFolder folder;
  TrainingRun run;
  advance(run, 1);
  save(folder / "run", run);
  advance(run, 1);
  CHECK_THROWS_WITH(save(folder / "missing/run", run), ContainsSubstring("missing/run: No such file"));
  CHECK_THROWS_WITH(save(folder / "run/below", run), ContainsSubstring("run/below: Not a directory"));
  std::filesystem::create_directory(folder / "occupied");
  CHECK_THROWS_WITH(save(folder / "occupied", run), ContainsSubstring("occupied: Is a directory"));
  {
    const weft::AtomicFile somebody_else(folder / "run");
    CHECK_THROWS_WITH(save(folder / "run", run), ContainsSubstring("being written already"));
  }
  TrainingRun resumed;
  load(folder / "run", resumed);
  CHECK(resumed.trainer.completed_steps() == 1);
}
