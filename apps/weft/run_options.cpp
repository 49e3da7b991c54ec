// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/run_options.hpp"

#include <algorithm>
#include <cstdio>

#include "weft/io/folder.hpp"
#include "weft/train/checkpoint.hpp"
#include "weft/train/text.hpp"

#include "apps/support/arguments.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/run_lock.hpp"

namespace apps {

namespace {

/// As a person writes it.
std::string short_text(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", number);
  return text;
}

/// Whether a run replaces or removes what has this name in its folder.
bool is_of_model(const std::string& name) {
  for (const char* file : {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
                           "special_tokens_map.json", "adapter_config.json", "run.json", "metrics.jsonl"}) {
    if (name == file) return true;
  }
  return name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") || name.starts_with("epoch-");
}

weft::TrainingOptions training_options(const RunOptions& options, const weft::CheckpointState* stored,
                                       const weft::TrainingOptions& usual, bool validates) {
  weft::TrainingOptions training = stored != nullptr ? stored->training : usual;
  training.max_steps = options.steps.value_or(training.max_steps);
  training.batch_size = options.batch_size.value_or(training.batch_size);
  training.learning_rate = options.learning_rate.value_or(training.learning_rate);
  training.weight_decay = options.weight_decay.value_or(training.weight_decay);
  training.seed = options.seed.value_or(training.seed);
  if (options.schedule) training.schedule = weft::schedule_named(*options.schedule);
  if (stored == nullptr) training.warmup_steps = std::min<weft::Index>(100, training.max_steps / 10);
  training.warmup_steps = options.warmup_steps.value_or(training.warmup_steps);
  if (validates) {
    training.evaluate_every = std::clamp<weft::Index>(training.max_steps / 5, 1, 100);
    training.evaluation_batches = 24;
  }
  return training;
}

}  // namespace

void RunOptions::add_to(CLI::App& command, const weft::TrainingOptions& usual) {
  const auto count = between(1, kMost);
  const auto rate = between(0.0, 1e6);
  const auto with = [](const char* text, const std::string& value) { return std::string(text) + " (" + value + ")"; };
  command.add_option("--text", text, "UTF-8 text to learn")->required()->check(some_text());
  command.add_option("--output", output, "folder to write")->required()->check(some_text());
  command.add_option("--steps", steps, with("updates of the weights", std::to_string(usual.max_steps)))
      ->transform(count);
  command.add_option("--batch-size", batch_size, with("blocks in an update", std::to_string(usual.batch_size)))
      ->transform(count);
  command.add_option("--block-size", block_size, "tokens that the model sees at once (at most 128)")
      ->transform(between(2, kMost));
  command.add_option("--learning-rate", learning_rate, with("the largest", short_text(usual.learning_rate)))
      ->check(rate);
  command.add_option("--schedule", schedule, "constant, constant_with_warmup, linear or cosine (cosine)")
      ->check(CLI::IsMember({"constant", "constant_with_warmup", "linear", "cosine"}).description(""));
  command.add_option("--warmup-steps", warmup_steps, "(a tenth of the steps, at most 100)")
      ->transform(between(0, kMost));
  command.add_option("--weight-decay", weight_decay, with("of AdamW", short_text(usual.weight_decay)))->check(rate);
  command.add_option("--validation", validation, "share of the text, at its end, to measure on (0.05)")
      ->transform(between(0.0, 0.9));
  command.add_option("--seed", seed, "of weights, dropout and order (42)")->transform(apps::seed());
  command.add_option("--save-every", save_every, "steps between checkpoints (200)")->transform(count);
  command.add_flag("--ids", ids, "the text is numbers of tokens; each counts as a byte");
  command.add_flag("--keep-epochs", keep_epochs, "also leave what was learned in epoch-1, epoch-2, ...");
  command.add_flag("--resume", resume, "go on with the run in the output folder");
  command.add_flag("--json", json, "one JSON object at the end");
}

void expect_new_run(const RunOptions& options) {
  std::vector<std::string> names = weft::detail::names_in_folder(options.output);
  std::sort(names.begin(), names.end());
  const auto found = std::find_if(names.begin(), names.end(), is_of_model);
  if (found == names.end()) return;
  weft::fail(weft::concat(options.output, " has ", *found,
                          " already: --resume goes on with the run of a folder, and a new run ",
                          "needs a folder of its own"));
}

std::optional<weft::CheckpointState> stored_run(const RunOptions& options) {
  if (weft::detail::is_folder(options.output)) RunLock{options.output};  // before time is spent
  if (options.resume) return weft::detail::read_checkpoint_state(weft::SafetensorsFile(options.checkpoint()));
  expect_new_run(options);
  return std::nullopt;
}

TrainingPlan make_plan(const RunOptions& options, const RunRecord& record, const TextCodec* codec,
                       const weft::CheckpointState* stored, const weft::TrainingOptions& usual,
                       const weft::LlamaConfig& llama) {
  const std::string text = weft::read_corpus(options.text);
  TrainingPlan plan;
  plan.tokens = codec != nullptr ? codec->encode(text) : read_ids(text, options.text);
  expect_tokens(plan.tokens, llama.vocab_size);
  plan.training = training_options(options, stored, usual, record.validation > 0);
  const weft::Index block = stored != nullptr ? static_cast<weft::Index>(stored->data.block_size)
                                              : std::clamp<weft::Index>(llama.max_position_embeddings, 2, 128);
  plan.data.block_size = options.block_size.value_or(block);
  plan.data.validation = record.validation;
  plan.data.seed = plan.training.seed;
  if (codec != nullptr) plan.data.bytes_per_token = codec->bytes_per_token(text, plan.tokens.size());
  return plan;
}

}  // namespace apps
