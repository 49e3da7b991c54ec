// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/training_run.hpp"

#include <algorithm>
#include <utility>

#include "weft/io/lora_folder.hpp"
#include "weft/io/pretrained.hpp"
#include "weft/io/pretrained_transformer.hpp"
#include "weft/models/llama.hpp"
#include "weft/models/parameter_helpers.hpp"
#include "weft/train/checkpoint.hpp"

#include "apps/weft/command.hpp"
#include "apps/weft/looks_ahead.hpp"

namespace apps {

namespace {

using AnyLlama = weft::LlamaForCausalLMWithGNN<weft::Dynamic>;

/// Whoever loads the model ties its embeddings where config.json says so (quirk M2), so they are tied from the beginning.
AnyLlama new_model(weft::PretrainedConfig config, std::uint64_t seed) {
  if (config.llama.tie_word_embeddings) config.gnn.compatibility.tie_on_construct.reset();
  AnyLlama model(config.llama, config.gnn, weft::Rng(seed));
  model.remainder.config = config.other;
  return model;
}

AnyLlama load(const std::string& folder) {
  std::vector<std::string> notes;
  AnyLlama model = weft::load_pretrained<weft::Dynamic>(folder, &notes);
  print_notes(notes);
  return model;
}

bool is_of_graph(const std::string& name) {
  return std::any_of(weft::graph_keywords.begin(), weft::graph_keywords.end(),
                     [&](std::string_view keyword) { return name.find(keyword) != std::string::npos; });
}

/// The weights of a model without a graph network, and a new network beside them. Nothing else may be missing or left over.
AnyLlama with_graph_network(const std::string& folder, const weft::GNNConfig& gnn, std::uint64_t seed) {
  weft::PretrainedConfig config = weft::read_config(folder + "/config.json");
  print_notes(config.notes);
  config.gnn = gnn;
  const weft::ModelWeights weights(folder);
  weft::detail::expect_room(folder, weights.tensors(), config);
  AnyLlama model = new_model(config, seed);
  const auto report = weft::load_pretrained_transformer(folder, model, weft::Semantics::intended);
  for (const std::string& name : report.not_in_file) {
    if (!is_of_graph(name)) weft::fail(weft::concat(folder, ": there is no ", name, ", which the model needs"));
  }
  const std::vector<weft::AnyParameter> parameters = weft::list_parameters(model);
  for (const std::string& name : report.not_in_model) {
    const auto called_so = [&](const weft::AnyParameter& parameter) {
      return parameter.name().name == name || parameter.name().alias == name;
    };
    if (std::any_of(parameters.begin(), parameters.end(), called_so) || name == "lm_head.weight") continue;
    weft::fail(weft::concat(folder, ": the model with a graph network has no ", name));
  }
  model.remainder.generation_config = weft::detail::read_generation_text(folder);
  return model;
}

AnyLlama prepare(const std::string& folder, const Finetuning& finetuning, std::uint64_t seed) {
  const bool has_graph = weft::read_config(folder + "/config.json").gnn.gnn_mode != weft::GNNMode::none;
  const bool adds_graph = finetuning.method == FinetuningMethod::sparse_gin && !has_graph;
  AnyLlama model = adds_graph ? with_graph_network(folder, finetuning.gnn, seed) : load(folder);
  if (finetuning.method == FinetuningMethod::lora) weft::add_lora(model, finetuning.lora, weft::Rng(seed));
  if (finetuning.method == FinetuningMethod::sparse_gin) weft::freeze_except_select(model, weft::graph_keywords);
  return model;
}

AnyLlama with_adapters(const std::string& folder, const std::string& adapter) {
  AnyLlama model = load(folder);
  weft::set_trainable(model, false);
  weft::load_lora(model, adapter);
  return model;
}

}  // namespace

struct TrainingRun::Typed {
  Typed(AnyLlama&& trained, std::string base_folder, TrainingPlan plan)
      : model(std::move(trained)),
        base(std::move(base_folder)),
        data(std::move(plan.tokens), plan.data),
        trainer(model, plan.training) {}

  AnyLlama model;
  std::string base;  ///< what adapters belong to
  weft::TokenDataset data;
  weft::Trainer<AnyLlama> trainer;
};

TrainingRun::TrainingRun(const weft::PretrainedConfig& config, TrainingPlan plan)
    : typed_(new Typed(new_model(config, plan.training.seed), "", std::move(plan))) {}

TrainingRun::TrainingRun(const std::string& folder, const Finetuning& finetuning, TrainingPlan plan)
    : typed_(new Typed(prepare(folder, finetuning, plan.training.seed), folder, std::move(plan))) {}

TrainingRun::TrainingRun(const std::string& folder, const std::string& adapter, TrainingPlan plan)
    : typed_(new Typed(with_adapters(folder, adapter), folder, std::move(plan))) {}

TrainingRun::~TrainingRun() = default;

weft::Index TrainingRun::parameter_count() const { return weft::count_parameters(typed_->model); }
weft::Index TrainingRun::trained_parameter_count() const { return weft::count_trainable_parameters(typed_->model); }
weft::Index TrainingRun::completed_steps() const { return typed_->trainer.completed_steps(); }
const weft::TrainingOptions& TrainingRun::options() const { return typed_->trainer.options(); }

weft::Index TrainingRun::token_count() const { return static_cast<weft::Index>(typed_->data.tokens().size()); }

double TrainingRun::epoch() const {
  return static_cast<double>(typed_->data.position()) / static_cast<double>(typed_->data.training_blocks());
}

bool TrainingRun::looks_ahead() const {
  const auto block = static_cast<std::size_t>(typed_->data.block_size());
  return apps::looks_ahead(typed_->model, typed_->data.tokens().first(block));
}

bool TrainingRun::validates() const { return typed_->data.validation_blocks() > 0; }

void TrainingRun::load_checkpoint(const std::string& path, bool change_training) {
  weft::load_checkpoint(path, typed_->trainer, typed_->data, {.change_training = change_training});
}

void TrainingRun::save_checkpoint(const std::string& path) const {
  weft::save_checkpoint(path, typed_->trainer, typed_->data);
}

void TrainingRun::save_model(const std::string& folder) const {
  if (weft::has_lora(typed_->model)) return weft::save_lora(typed_->model, folder, typed_->base);
  weft::save_pretrained(typed_->model, folder);
}

weft::EvaluationReport TrainingRun::evaluate() { return typed_->trainer.evaluate(typed_->data); }

bool TrainingRun::fit(const weft::TrainingCallbacks& callbacks) { return typed_->trainer.fit(typed_->data, callbacks); }

}  // namespace apps
