// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/training_loop.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <utility>

#include "weft/io/folder.hpp"
#include "weft/train/metrics.hpp"

#include "apps/support/progress_bar.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/run_lock.hpp"

namespace apps {

namespace {

using weft::detail::Json;

/// In the words of the command line. Steps may be others.
void expect_same_options(const RunOptions& options, const weft::TrainingOptions& chosen,
                         const weft::TrainingOptions& stored) {
  const Json::Object found = weft::detail::training_json(chosen);
  for (const auto& [name, value] : weft::detail::training_json(stored)) {
    if (name == "max_steps" || found.at(name) == value) continue;
    if (!weft::detail::training_option_matters(chosen, name)) continue;
    std::string option = name;
    std::replace(option.begin(), option.end(), '_', '-');
    weft::fail(weft::concat(options.output, ": this run has --", option, " ", weft::detail::json_excerpt(value),
                            ", found ", weft::detail::json_excerpt(found.at(name)),
                            "; it goes on with its own where none is given"));
  }
}

void go_on(const RunOptions& options, const weft::CheckpointState& stored, TrainingRun& run) {
  const bool other = run.options().max_steps != stored.training.max_steps &&
                     weft::detail::training_option_matters(run.options(), "max_steps");
  expect_same_options(options, run.options(), stored.training);
  run.load_checkpoint(options.checkpoint(), other);
  if (other) {
    print_notes(
        {weft::concat("the run was to have ", stored.training.max_steps, " steps and now has ", run.options().max_steps,
                      ": the learning rate changes, and the result is that of neither")});
  }
}

/// The checkpoint comes last: wherever there is one, there is the model that a run of it is started with.
void save(const RunOptions& options, const TrainingRun& run) {
  run.save_model(options.output);
  run.save_checkpoint(options.checkpoint());
}

/// From here on there is a model to go on with, and what cannot be written is known before time is spent.
weft::MetricsLog begin(const RunOptions& options, const RunRecord& record, const weft::Tokenizer* tokenizer,
                       const TrainingRun& run) {
  if (tokenizer != nullptr) tokenizer->save_pretrained(options.output);
  write_run_record(record, options.output);
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

/// Whether a step was the last, or went beyond the last, of a pass over the text.
bool ends_epoch(double before, double after) { return std::floor(after) > std::floor(before); }

/// Until the steps are done or Ctrl-C; what was reached is saved either way.
Outcome fit(const RunOptions& options, TrainingRun& run, weft::MetricsLog& log) {
  Outcome outcome;
  if (run.validates()) outcome.validation = run.evaluate();
  ProgressBar bar(run.options().max_steps, run.completed_steps());
  double epoch = run.epoch();
  weft::TrainingCallbacks callbacks;
  callbacks.on_step = [&](const weft::StepReport& report) {
    outcome.loss = report.loss;
    log.write(report);
    bar.update(report.step, line(report, outcome));
    if (options.keep_epochs && ends_epoch(std::exchange(epoch, report.epoch), report.epoch)) {
      run.save_model(options.file("epoch-" + std::to_string(static_cast<long>(report.epoch))));
    }
  };
  callbacks.on_evaluation = [&](const weft::EvaluationReport& report) {
    log.write(report);
    outcome.validation = report;
  };
  // Not before the step's evaluation: whoever goes on from here does not make it again.
  callbacks.on_step_done = [&](const weft::StepReport& report) {
    if (report.step % options.save_every == 0) save(options, run);
  };
  callbacks.should_stop = interrupted;
  outcome.complete = run.fit(callbacks);
  bar.finish();
  save(options, run);
  return outcome;
}

void report(const RunOptions& options, const TrainingRun& run, const Outcome& outcome) {
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
                                   {"trained_parameters", run.trained_parameter_count()},
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

void announce(const TrainingRun& run) {
  std::cerr << run.parameter_count() << " parameters";
  if (run.trained_parameter_count() != run.parameter_count()) {
    std::cerr << ", of which " << run.trained_parameter_count() << " are trained";
  }
  std::cerr << ", " << run.token_count() << " tokens of text\n";
}

}  // namespace

int train(const RunOptions& options, const RunRecord& record, const weft::CheckpointState* stored,
          const weft::Tokenizer* tokenizer, TrainingRun& run) {
  weft::detail::make_folders(options.output);
  const RunLock lock(options.output);
  if (stored != nullptr) {
    go_on(options, *stored, run);
  } else {
    expect_new_run(options);  // another may have begun, and ended, while the text was read
  }
  catch_interrupt();
  weft::MetricsLog log = begin(options, record, tokenizer, run);
  announce(run);
  const Outcome outcome = fit(options, run, log);
  if (run.looks_ahead()) {  // not before: what has its first values may add nothing yet
    print_notes({"in this model tokens see later ones: its losses are better than its predictions will be"});
  }
  report(options, run, outcome);
  return outcome.complete ? kDone : kInterrupted;
}

}  // namespace apps
