// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs a whole model on a golden folder: first values, logits, hidden states, loss, gradients, five optimiser steps, greedy
/// tokens.
#pragma once

#include <string>

#include "weft/train/adamw.hpp"

#include "parity/run_layer.hpp"

namespace parity {

using Tokens = Tensor<std::int64_t, Shape<Dyn, Dyn>>;

/// \tparam Config  weft::Dynamic, or a type of the folder's shape
template <class Config>
struct ModelCase {
  weft::LlamaForCausalLMWithGNN<Config> model;
  GoldenCase& golden;
  Tokens ids;
  Tokens labels;
  std::vector<std::int32_t> mask;

  ModelCase(const std::string& folder, GoldenCase& golden_case)
      : model(weft::load_pretrained<Config>(folder)),
        golden(golden_case),
        ids(golden.tensor<std::int64_t, Dyn, Dyn>("in.input_ids")),
        labels(golden.tensor<std::int64_t, Dyn, Dyn>("in.labels")) {
    const auto given = golden.tensor<std::int64_t, Dyn, Dyn>("in.attention_mask");
    for (const std::int64_t value : given.span()) mask.push_back(static_cast<std::int32_t>(value));
  }

  weft::ModelInputs inputs() const { return {.attention_mask = mask.data(), .position_ids = {}}; }

  template <class Context>
  auto loss_of(Context& context) {
    return model.loss(context, ids, labels, inputs());
  }

  void compare_first_values() {
    weft::LlamaForCausalLMWithGNN<Config> fresh(model.llama_config(), model.gnn_config(), weft::WithoutValues());
    compare_starting_values(golden, fresh);
  }

  void compare_values() {
    weft::Inference inference;
    const auto last = model.model.run_layers(inference, ids, inputs(), nullptr, [&](Index l, const auto& x) {
      golden.compare("out.hidden_states." + std::to_string(l), x);
    });
    const auto hidden = model.model.norm(inference, last);
    golden.compare("out.hidden_states." + std::to_string(model.model.layers.size()), hidden);
    golden.compare("out.logits", model.logits(inference, hidden));
  }

  void compare_loss_and_gradients() {
    weft::Tape tape;
    weft::clear_gradients(model);
    const auto loss = loss_of(tape);
    golden.compare("out.loss", loss);
    tape.backward(loss);
    compare_gradients(golden, model);
  }

  void compare_greedy_tokens() {
    const auto prompt = golden.tensor<std::int64_t, Dyn, Dyn>("in.prompt_ids");
    const std::vector<std::int32_t> start(prompt.span().begin(), prompt.span().end());
    const Index count = golden.file().tensor("out.greedy_tokens").shape[0];
    golden.compare_exactly("out.greedy_tokens",
                           weft::generate(model, start, {.max_new_tokens = count, .stop_at_eos = false}));
  }

  /// The recipe of the goldens' README: AdamW, lr 1e-3, weight decay 0.01 of everything, five steps on one batch.
  void compare_training() {
    freeze_others();
    weft::AdamW<float, weft::Cpu> optimizer(weft::ParameterList<float, weft::Cpu>(model),
                                            {.weight_decay = 0.01, .decay_everything = true});
    weft::Tape tape;
    std::vector<float> losses;
    for (int step = 0; step <= 5; ++step) {
      tape.reset();
      weft::clear_gradients(model);
      const auto loss = loss_of(tape);
      losses.push_back(*loss.data());
      if (step == 5) break;
      tape.backward(loss);
      optimizer.step(1e-3);
    }
    golden.compare("out.adamw_losses", losses.data(), static_cast<Index>(losses.size()));
    compare_norms();
  }

 private:
  void freeze_others() {
    const auto trainable = golden.json("trainable");
    if (!trainable.is_array()) return;
    weft::for_each_parameter(model, [&](const weft::ParameterName& name, auto& parameter) {
      parameter.set_trainable(std::find(trainable.begin(), trainable.end(), name.name) != trainable.end());
    });
  }

  void compare_norms() {
    std::map<std::string, double> norms;
    weft::for_each_parameter(model, [&](const weft::ParameterName& name, const auto& parameter) {
      double sum = 0;
      for (const float value : parameter.value().span()) sum += static_cast<double>(value) * static_cast<double>(value);
      norms[name.name] = std::sqrt(sum);
    });
    std::vector<float> ordered;
    for (const auto& name : golden.json("param_order")) ordered.push_back(static_cast<float>(norms[name]));
    golden.compare("out.adamw_param_l2", ordered.data(), static_cast<Index>(ordered.size()));
  }
};

template <class Config>
void run_model(const std::string& folder, GoldenCase& golden) {
  ModelCase<Config> model(folder, golden);
  model.compare_first_values();
  model.compare_values();
  model.compare_loss_and_gradients();
  model.compare_greedy_tokens();
  model.compare_training();
}

}  // namespace parity
