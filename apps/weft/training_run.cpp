// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/training_run.hpp"

#include <utility>

#include "weft/io/pretrained.hpp"
#include "weft/models/llama.hpp"
#include "weft/train/checkpoint.hpp"

namespace apps {

namespace {

using AnyLlama = weft::LlamaForCausalLMWithGNN<weft::Dynamic>;

/// Whoever loads the model ties its embeddings where config.json says so (quirk M2), so they are tied from the beginning.
weft::GNNConfig with_tied_embeddings(const weft::PretrainedConfig& config) {
  weft::GNNConfig gnn = config.gnn;
  if (config.llama.tie_word_embeddings) gnn.compatibility.tie_on_construct.reset();
  return gnn;
}

}  // namespace

struct TrainingRun::Typed {
  explicit Typed(TrainingPlan plan)
      : model(plan.config.llama, with_tied_embeddings(plan.config), weft::Rng(plan.training.seed)),
        data(std::move(plan.tokens), plan.data),
        trainer(model, plan.training) {
    model.remainder.config = plan.config.other;
  }

  AnyLlama model;
  weft::TokenDataset data;
  weft::Trainer<AnyLlama> trainer;
};

TrainingRun::TrainingRun(TrainingPlan plan) : typed_(std::make_unique<Typed>(std::move(plan))) {}
TrainingRun::~TrainingRun() = default;

weft::Index TrainingRun::parameter_count() const { return weft::count_parameters(typed_->model); }
weft::Index TrainingRun::completed_steps() const { return typed_->trainer.completed_steps(); }

void TrainingRun::load_checkpoint(const std::string& path, bool change_training) {
  weft::load_checkpoint(path, typed_->trainer, typed_->data, {.change_training = change_training});
}

void TrainingRun::save_checkpoint(const std::string& path) const {
  weft::save_checkpoint(path, typed_->trainer, typed_->data);
}

void TrainingRun::save_model(const std::string& folder) const { weft::save_pretrained(typed_->model, folder); }

weft::EvaluationReport TrainingRun::evaluate() { return typed_->trainer.evaluate(typed_->data); }

bool TrainingRun::fit(const weft::TrainingCallbacks& callbacks) { return typed_->trainer.fit(typed_->data, callbacks); }

}  // namespace apps
