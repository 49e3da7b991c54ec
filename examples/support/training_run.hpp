// SPDX-License-Identifier: Apache-2.0
/// \file
/// One training run as the examples show it: a progress bar, a file of metrics, the validation over the steps.
#pragma once

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "weft/io.hpp"
#include "weft/weft.hpp"

#include "apps/support/progress_bar.hpp"
#include "support/curves_picture.hpp"
#include "support/program.hpp"

namespace examples {

/// What is known after a run.
struct TrainingRun {
  std::vector<weft::EvaluationReport> validation;  ///< before the first step, and then whenever it was due
  double tokens_per_second = 0;                    ///< of the median step
};

/// A cosine after a warmup of a tenth, validated twenty times.
inline weft::TrainingOptions training_options(double learning_rate, weft::Index steps, weft::Index batch_size,
                                              std::uint64_t seed) {
  return {.learning_rate = learning_rate,
          .batch_size = batch_size,
          .max_steps = steps,
          .weight_decay = 0.1,
          .schedule = weft::Schedule::cosine,
          .warmup_steps = steps / 10,
          .evaluate_every = std::max<weft::Index>(1, steps / 20),
          .evaluation_batches = 16,
          .seed = seed};
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Trains to the last step or until Ctrl-C, if that is caught.
///
/// \param name           of the run, before the losses beside the bar
/// \param metrics        file that gets a line for each step and validation
/// \param on_validation  called with each validation, the one before the first step included
template <class Model>
TrainingRun train(const std::string& name, weft::Trainer<Model>& trainer, weft::TokenDataset& data,
                  const std::string& metrics,
                  const std::function<void(const weft::EvaluationReport&)>& on_validation = {}) {
  weft::MetricsLog log(metrics);
  TrainingRun run;
  const auto validated = [&](const weft::EvaluationReport& report) {
    log.write(report);
    run.validation.push_back(report);
    if (on_validation) on_validation(report);
  };
  validated(trainer.evaluate(data));
  apps::ProgressBar bar(trainer.options().max_steps, 0);
  std::vector<double> speeds;
  const auto stepped = [&](const weft::StepReport& report) {
    log.write(report);
    speeds.push_back(report.tokens_per_second);
    char losses[80];
    std::snprintf(losses, sizeof losses, "  loss %.4f  validation %.4f", report.loss, run.validation.back().loss);
    bar.update(report.step, name + losses);
  };
  trainer.fit(data, {.on_step = stepped, .on_evaluation = validated, .should_stop = [] { return interrupted != 0; }});
  bar.finish();
  run.tokens_per_second = median(std::move(speeds));
  return run;
}

/// One number of each validation over the steps.
inline Curve curve_of(const std::string& name, const TrainingRun& run, double weft::EvaluationReport::*number) {
  Curve curve{name, {}};
  for (const weft::EvaluationReport& report : run.validation) {
    curve.points.emplace_back(report.step, report.*number);
  }
  return curve;
}

}  // namespace examples
