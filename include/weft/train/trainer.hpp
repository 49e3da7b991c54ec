// SPDX-License-Identifier: Apache-2.0
/// \file
/// The training loop. examples/unrolled_training.cpp is the same loop written out.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <numbers>
#include <string_view>

#include "weft/autograd/inference.hpp"
#include "weft/autograd/tape.hpp"
#include "weft/train/adamw.hpp"
#include "weft/train/clip_gradient_norm.hpp"
#include "weft/train/dataset.hpp"
#include "weft/train/labels.hpp"
#include "weft/train/schedule.hpp"
#include "weft/train/training_options.hpp"

namespace weft {

/// One update of the weights.
struct StepReport {
  Index step = 0;  ///< updates so far, this one included
  Index max_steps = 0;
  double epoch = 0;          ///< passes over the training blocks so far
  double loss = 0;           ///< of the weights before the update
  double learning_rate = 0;  ///< that the update was made with
  double gradient_norm = 0;  ///< before clipping
  double tokens_per_second = 0;
};

/// The model on text it was not trained on.
struct EvaluationReport {
  Index step = 0;
  double loss = 0;        ///< mean over the predicted tokens, in nats
  double perplexity = 0;  ///< exp(loss)
  double bits_per_byte = 0;
};

/// What a training run tells and asks; all may be left out.
struct TrainingCallbacks {
  std::function<void(const StepReport&)> on_step = {};
  std::function<void(const EvaluationReport&)> on_evaluation = {};
  std::function<void(const StepReport&)> on_step_done = {};  ///< after the step's evaluation: time to save
  std::function<bool()> should_stop = {};                    ///< asked after that
};

/// The random numbers of dropout in a training run: streams that initialisation and data of the same seed do not reach.
inline Rng dropout_rng(std::uint64_t seed) { return Rng(Rng::State{seed, std::uint64_t{1} << 63}); }

/// Trains a model that offers `loss(context, ids, labels)`, in place. The model must stay where it is.
///
///     weft::Trainer trainer(model, {.learning_rate = 1e-3, .batch_size = 16, .max_steps = 500});
///     trainer.fit(data, {.on_step = [](const weft::StepReport& report) { ... }});
///
/// From the third step on, a step allocates nothing. Results do not depend on the number of threads.
template <class Model>
class Trainer {
 public:
  using T = typename Model::Element;
  using Device = typename Model::Device;

  explicit Trainer(Model& model, const TrainingOptions& options = {})
      : model_(model),
        options_(valid(options)),
        optimizer_(ParameterList<T, Device>(model), {.beta1 = options.adam_beta1,
                                                     .beta2 = options.adam_beta2,
                                                     .epsilon = options.adam_epsilon,
                                                     .weight_decay = options.weight_decay}) {
    tape_.enable_dropout(dropout_rng(options.seed));
    tape_.reuse_values(true);
  }

  /// Steps until `max_steps` are completed, or until `should_stop`. True in the first case.
  bool fit(TokenDataset& data, const TrainingCallbacks& callbacks = {}) {
    if (options_.evaluate_every > 0) expect_validation(data);
    while (completed_steps_ < options_.max_steps) {
      const StepReport report = step(data);
      if (callbacks.on_step) callbacks.on_step(report);
      if (evaluation_is_due()) {
        const EvaluationReport evaluation = evaluate(data);
        if (callbacks.on_evaluation) callbacks.on_evaluation(evaluation);
      }
      if (callbacks.on_step_done) callbacks.on_step_done(report);
      if (callbacks.should_stop && callbacks.should_stop()) break;
    }
    return completed_steps_ >= options_.max_steps;
  }

  /// One update. Raises Error, with the weights as they were, when the loss or a gradient is not finite.
  StepReport step(TokenDataset& data) {
    const auto start = std::chrono::steady_clock::now();
    const TokenBatch batch = data.next_batch(options_.batch_size * options_.gradient_accumulation_steps);
    StepReport report{.step = completed_steps_ + 1, .max_steps = options_.max_steps};
    report.epoch = static_cast<double>(data.position()) / static_cast<double>(data.training_blocks());
    report.learning_rate = options_.learning_rate * schedule_factor(options_.schedule, completed_steps_,
                                                                    options_.warmup_steps, options_.max_steps);
    parameters().clear_gradients();
    report.loss = accumulate_gradients(batch);
    report.gradient_norm = clip_gradient_norm(parameters(), options_.max_grad_norm);
    if (!std::isfinite(report.loss) || !std::isfinite(report.gradient_norm)) {
      fail(concat("Trainer: step ", report.step, " has loss ", report.loss, " and gradient norm ", report.gradient_norm,
                  "; a smaller learning_rate or max_grad_norm may help"));
    }
    optimizer_.step(report.learning_rate);
    ++completed_steps_;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    report.tokens_per_second = static_cast<double>(batch.ids.size()) / seconds.count();
    return report;
  }

  /// The loss on the validation part, without dropout and derivatives.
  EvaluationReport evaluate(const TokenDataset& data) {
    expect_validation(data);
    const Index blocks = data.validation_blocks();
    const Index available = (blocks + options_.batch_size - 1) / options_.batch_size;
    const Index batches =
        options_.evaluation_batches > 0 ? std::min(options_.evaluation_batches, available) : available;
    double sum = 0;
    double count = 0;
    for (Index i = 0; i < batches; ++i) {
      const Index first = i * available / batches * options_.batch_size;
      const TokenBatch batch = data.validation_batch(first, std::min(options_.batch_size, blocks - first));
      const auto predicted = static_cast<double>(count_labels(batch.labels, LossNormalization::predicted));
      inference_.reset();
      sum += predicted * scalar(model_.loss(inference_, batch.ids, batch.labels));
      count += predicted;
    }
    const double loss = sum / count;
    return {completed_steps_, loss, std::exp(loss), loss / std::numbers::ln2 / data.options().bytes_per_token};
  }

  Model& model() { return model_; }
  const Model& model() const { return model_; }
  const TrainingOptions& options() const { return options_; }
  const ParameterList<T, Device>& parameters() const { return optimizer_.parameters(); }
  AdamW<T, Device>& optimizer() { return optimizer_; }
  const AdamW<T, Device>& optimizer() const { return optimizer_; }

  /// Updates so far.
  Index completed_steps() const { return completed_steps_; }

  /// The random numbers that dropout draws next.
  Rng::State dropout_state() const { return tape_.dropout_state().state(); }

  /// Goes on from a saved place; parameters and optimiser are restored by whoever calls this.
  void restore(Index completed_steps, Rng::State dropout) {
    completed_steps_ = completed_steps;
    tape_.set_dropout_state(Rng(dropout));
  }

  /// Bytes that the largest step so far needed, beside parameters, their gradients and the optimiser.
  std::size_t peak_bytes() const { return tape_.peak_bytes(); }

 private:
  static const TrainingOptions& valid(const TrainingOptions& options) {
    const auto expect = [](bool holds, std::string_view rule, double found) {
      if (!holds) fail(concat("TrainingOptions: ", rule, ", found ", found));
    };
    const auto at_least = [&](Index least, std::string_view name, Index found) {
      if (found < least) fail(concat("TrainingOptions: ", name, " must be at least ", least, ", found ", found));
    };
    at_least(1, "batch_size", options.batch_size);
    at_least(0, "max_steps", options.max_steps);
    at_least(1, "gradient_accumulation_steps", options.gradient_accumulation_steps);
    at_least(0, "warmup_steps", options.warmup_steps);
    at_least(0, "evaluate_every", options.evaluate_every);
    at_least(0, "evaluation_batches", options.evaluation_batches);
    expect(options.learning_rate >= 0, "learning_rate must not be negative", options.learning_rate);
    expect(options.max_grad_norm >= 0, "max_grad_norm must not be negative", options.max_grad_norm);
    return options;
  }

  static void expect_validation(const TokenDataset& data) {
    if (data.validation_blocks() == 0) {
      fail("Trainer: an evaluation needs a TokenDataset with a validation part, found none (option validation)");
    }
  }

  bool evaluation_is_due() const {
    if (options_.evaluate_every == 0) return false;
    return completed_steps_ % options_.evaluate_every == 0 || completed_steps_ == options_.max_steps;
  }

  /// Runs the parts of a batch forwards and backwards; the loss of the whole. Every part weighs as much as it has labels,
  /// so that the gradient is that of one large batch.
  double accumulate_gradients(const TokenBatch& batch) {
    const auto normalizer = static_cast<double>(count_labels(batch.labels, options_.loss_normalization));
    double loss = 0;
    for (Index part = 0; part < options_.gradient_accumulation_steps; ++part) {
      const auto ids = batch.ids.slice(part * options_.batch_size, options_.batch_size);
      const auto labels = batch.labels.slice(part * options_.batch_size, options_.batch_size);
      const auto predicted = static_cast<double>(count_labels(labels, LossNormalization::predicted));
      if (predicted == 0) continue;
      const double share = predicted / normalizer;
      tape_.reset();
      const auto mean = model_.loss(tape_, ids, labels);
      loss += share * scalar(mean);  // before gradients may take its place
      tape_.backward(mean, static_cast<T>(share));
    }
    return loss;
  }

  template <class X>
  static double scalar(const X& x) {
    T value{};
    Device::copy_to_host(&value, x.data(), sizeof(T));
    return static_cast<double>(value);
  }

  Model& model_;
  TrainingOptions options_;
  AdamW<T, Device> optimizer_;
  BasicTape<Device> tape_;
  BasicInference<Device> inference_;
  Index completed_steps_ = 0;
};

}  // namespace weft
