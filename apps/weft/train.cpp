// SPDX-License-Identifier: Apache-2.0
// weft train: a model from a configuration and a text.
#include <cstdio>
#include <iostream>
#include <memory>

#include "weft/io/folder.hpp"
#include "weft/io/safetensors_reader.hpp"
#include "weft/train/checkpoint.hpp"
#include "weft/train/metrics.hpp"

#include "apps/support/arguments.hpp"
#include "apps/support/progress_bar.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/train_options.hpp"

namespace apps {

namespace {

using weft::detail::Json;

/// A new run takes no model's place.
void expect_new(const TrainOptions& options) {
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json", "checkpoint.safetensors"}) {
    if (!weft::detail::path_exists(options.file(name))) continue;
    weft::fail(weft::concat(options.output, " has a ", name,
                            " already: --resume goes on with the run of a folder, and a new run ",
                            "needs a folder of its own"));
  }
}

void go_on(const TrainOptions& options, const TrainingPlan& plan, const weft::CheckpointState& stored,
           TrainingRun& run) {
  const bool other = plan.training.max_steps != stored.training.max_steps &&
                     weft::detail::training_option_matters(plan.training, "max_steps");
  run.load_checkpoint(options.checkpoint(), other);
  if (other) {
    print_notes(
        {weft::concat("the run was to have ", stored.training.max_steps, " steps and now has ", plan.training.max_steps,
                      ": the learning rate changes, and the result is that of neither")});
  }
}

void save(const TrainOptions& options, const TrainingRun& run) {
  run.save_checkpoint(options.checkpoint());
  run.save_model(options.output);
}

/// From here on there is a model to go on with, and what cannot be written is known before time is spent.
weft::MetricsLog begin(const TrainOptions& options, const TrainingRun& run, const TextCodec& codec) {
  weft::detail::make_folders(options.output);
  if (codec.tokenizer()) codec.tokenizer()->save(options.file("tokenizer.json"));
  save(options, run);
  return weft::MetricsLog(options.file("metrics.jsonl"), run.completed_steps());
}

/// What became of a run.
struct Outcome {
  bool complete = false;
  std::optional<double> loss;
  std::optional<weft::EvaluationReport> validation;
};

std::string line(const weft::StepReport& step, const Outcome& outcome) {
  char text[120];
  int length = std::snprintf(text, sizeof text, "loss %.3f  ", step.loss);
  if (outcome.validation) {
    length += std::snprintf(text + length, sizeof text - static_cast<std::size_t>(length), "validation %.3f  ",
                            outcome.validation->loss);
  }
  std::snprintf(text + length, sizeof text - static_cast<std::size_t>(length), "%.0f tokens/s", step.tokens_per_second);
  return text;
}

/// Until the steps are done or Ctrl-C; what was reached is saved either way.
Outcome fit(const TrainOptions& options, const TrainingPlan& plan, TrainingRun& run, weft::MetricsLog& log) {
  Outcome outcome;
  if (plan.data.validation > 0) outcome.validation = run.evaluate();
  ProgressBar bar(plan.training.max_steps, run.completed_steps());
  weft::TrainingCallbacks callbacks;
  callbacks.on_step = [&](const weft::StepReport& report) {
    outcome.loss = report.loss;
    log.write(report);
    bar.update(report.step, line(report, outcome));
    if (report.step % options.save_every == 0) save(options, run);
  };
  callbacks.on_evaluation = [&](const weft::EvaluationReport& report) {
    log.write(report);
    outcome.validation = report;
  };
  callbacks.should_stop = interrupted;
  outcome.complete = run.fit(callbacks);
  bar.finish();
  save(options, run);
  return outcome;
}

void report(const TrainOptions& options, const TrainingRun& run, const Outcome& outcome) {
  const auto number = [](std::optional<double> value) { return value ? Json(*value) : Json(); };
  const auto validation = [&](double weft::EvaluationReport::*figure) {
    return outcome.validation ? Json((*outcome.validation).*figure) : Json();
  };
  if (options.json) {
    return print_json(Json::Object{{"complete", outcome.complete},
                                   {"loss", number(outcome.loss)},
                                   {"output", options.output},
                                   {"parameters", run.parameter_count()},
                                   {"steps", run.completed_steps()},
                                   {"validation_bits_per_byte", validation(&weft::EvaluationReport::bits_per_byte)},
                                   {"validation_loss", validation(&weft::EvaluationReport::loss)}});
  }
  if (outcome.validation) {
    std::printf("validation loss  %.3f, %.3f bits per byte\n", outcome.validation->loss,
                outcome.validation->bits_per_byte);
  }
  std::printf("%s after %lld steps: %s\n", outcome.complete ? "complete" : "stopped and saved; --resume goes on",
              static_cast<long long>(run.completed_steps()), options.output.c_str());
  if (std::fflush(stdout) != 0) weft::fail("cannot write to the standard output");
}

int train(const TrainOptions& options) {
  std::optional<weft::CheckpointState> stored;
  if (options.resume) {
    stored = weft::detail::read_checkpoint_state(weft::SafetensorsFile(options.checkpoint()));
  } else {
    expect_new(options);
  }
  const TextCodec codec = codec_of(options);
  const TrainingPlan plan = make_plan(options, codec, stored ? &*stored : nullptr);
  TrainingRun run(plan);
  if (stored) go_on(options, plan, *stored, run);
  catch_interrupt();
  weft::MetricsLog log = begin(options, run, codec);
  std::cerr << run.parameter_count() << " parameters, " << plan.tokens.size() << " tokens of text\n";
  const Outcome outcome = fit(options, plan, run, log);
  report(options, run, outcome);
  return outcome.complete ? kDone : kInterrupted;
}

}  // namespace

void add_train(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand("train", "train a model from scratch on a text");
  command->footer(
      "CONFIG is a config.json or its folder; without it a small Llama with a graph isomorphism network in its "
      "attention\n"
      "is trained (4 layers, hidden size 128). Tokens are those of --tokenizer, of a tokenizer.json beside CONFIG, or "
      "bytes.\n"
      "DIR becomes a model folder, with a checkpoint and metrics.jsonl. Ctrl-C saves and ends; --resume goes on as if "
      "the\n"
      "run had never stopped, with the options of the checkpoint where none are given"
      "was).\n\n"
      "  weft train --text bible.txt --output scribe --steps 1500\n"
      "  weft train --text bible.txt --output scribe --resume");
  const auto options = std::make_shared<TrainOptions>();
  const auto count = between(1, kMost);
  const auto rate = between(0.0, 1e6);
  command->add_option("CONFIG", options->config, "config.json or its folder")->check(some_text())->type_name("");
  command->add_option("--text", options->text, "UTF-8 text to learn")->required()->check(some_text());
  command->add_option("--output", options->output, "model folder to write")->required()->check(some_text());
  command->add_option("--tokenizer", options->tokenizer, "tokenizer.json or its folder")->check(some_text());
  command->add_option("--steps", options->steps, "updates of the weights (1000)")->check(count);
  command->add_option("--batch-size", options->batch_size, "blocks in an update (16)")->check(count);
  command->add_option("--block-size", options->block_size, "tokens that the model sees at once (at most 128)")
      ->check(between(2, kMost));
  command->add_option("--learning-rate", options->learning_rate, "the largest (0.001)")->check(rate);
  command->add_option("--schedule", options->schedule, "constant, constant_with_warmup, linear or cosine (cosine)")
      ->check(CLI::IsMember({"constant", "constant_with_warmup", "linear", "cosine"}).description(""));
  command->add_option("--warmup-steps", options->warmup_steps, "a tenth of the steps, at most 100")
      ->check(between(0, kMost));
  command->add_option("--weight-decay", options->weight_decay, "of AdamW (0.1)")->check(rate);
  command->add_option("--validation", options->validation, "share of the text, at its end, to measure on (0.05)")
      ->check(between(0.0, 0.9));
  command->add_option("--seed", options->seed, "of weights, dropout and order (42)")->check(seed());
  command->add_option("--save-every", options->save_every, "steps between checkpoints (200)")->check(count);
  command->add_flag("--resume", options->resume, "go on with the run in DIR");
  command->add_flag("--json", options->json, "one JSON object at the end");
  command->callback([options, &code] { code = train(*options); });
}

}  // namespace apps
