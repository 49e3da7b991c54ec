// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/train_options.hpp"

#include <algorithm>
#include <filesystem>

#include "weft/io/folder.hpp"
#include "weft/models/byte_tokenizer.hpp"
#include "weft/train/text.hpp"

#include "apps/weft/command.hpp"

namespace apps {

namespace {

/// What is trained where no configuration is given: a Llama whose attention has a graph isomorphism network, for bytes.
weft::PretrainedConfig small_gin() {
  weft::PretrainedConfig config;
  config.llama = {.vocab_size = weft::ByteTokenizer::kVocabSize,
                  .hidden_size = 128,
                  .intermediate_size = 344,
                  .num_hidden_layers = 4,
                  .num_attention_heads = 4,
                  .max_position_embeddings = 512,
                  .rms_norm_eps = 1e-5,
                  .bos_token_id = {},
                  .eos_token_id = {}};
  config.gnn = {.use_GNN_from_attention = weft::GNNFromAttention::LlamaAttentionGIN,
                .use_sharpening = true,
                .attention_GIN_MLP_o_proj_at_end = true,
                .dropout_rate = 0.0};
  return config;
}

/// Where the configuration is; empty for the one that is built in.
std::string config_path(const TrainOptions& options) {
  if (options.config.empty()) return options.resume ? options.file("config.json") : std::string();
  return weft::detail::is_folder(options.config) ? options.config + "/config.json" : options.config;
}

void expect_vocabulary(weft::Index found, weft::Index needed, const std::string& config) {
  if (found >= needed) return;
  weft::fail(weft::concat(config, ": vocab_size must be at least the ", needed, " of the tokens, found ", found));
}

weft::TrainingOptions training_options(const TrainOptions& options, const weft::TrainingOptions& usual) {
  weft::TrainingOptions training = usual;
  training.max_steps = options.steps.value_or(usual.max_steps);
  training.batch_size = options.batch_size.value_or(usual.batch_size);
  training.learning_rate = options.learning_rate.value_or(usual.learning_rate);
  training.weight_decay = options.weight_decay.value_or(usual.weight_decay);
  training.seed = options.seed.value_or(usual.seed);
  if (options.schedule) training.schedule = weft::schedule_named(*options.schedule);
  const weft::Index warmup = std::min<weft::Index>(100, training.max_steps / 10);
  training.warmup_steps = options.warmup_steps.value_or(options.resume ? usual.warmup_steps : warmup);
  if (options.validation > 0) {
    training.evaluate_every = std::clamp<weft::Index>(training.max_steps / 5, 1, 100);
    training.evaluation_batches = 24;
  }
  return training;
}

}  // namespace

TextCodec codec_of(const TrainOptions& options) {
  if (!options.tokenizer.empty()) return TextCodec(weft::Tokenizer::from_file(tokenizer_path(options.tokenizer)));
  const std::string config = config_path(options);
  const std::string folder = options.resume ? options.output : std::filesystem::path(config).parent_path().string();
  const std::string beside = (folder.empty() ? "." : folder) + "/tokenizer.json";
  const bool bytes = config.empty() || !weft::detail::path_exists(beside);
  return bytes ? TextCodec(std::nullopt) : TextCodec(weft::Tokenizer::from_file(beside));
}

TrainingPlan make_plan(const TrainOptions& options, const TextCodec& codec, const weft::CheckpointState* stored) {
  TrainingPlan plan;
  const std::string path = config_path(options);
  plan.config = path.empty() ? small_gin() : weft::read_config(path);
  print_notes(plan.config.notes);
  if (path.empty()) plan.config.llama.vocab_size = static_cast<int>(codec.vocab_size());
  expect_vocabulary(plan.config.llama.vocab_size, codec.vocab_size(), path);

  const std::string text = weft::read_corpus(options.text);
  plan.tokens = codec.encode(text);
  const weft::TrainingOptions usual{
      .learning_rate = 1e-3, .batch_size = 16, .weight_decay = 0.1, .schedule = weft::Schedule::cosine};
  plan.training = training_options(options, stored != nullptr ? stored->training : usual);
  plan.data.block_size = options.block_size.value_or(
      stored != nullptr ? static_cast<weft::Index>(stored->data.block_size)
                        : std::clamp<weft::Index>(plan.config.llama.max_position_embeddings, 2, 128));
  plan.data.validation = options.validation;
  plan.data.seed = plan.training.seed;
  plan.data.bytes_per_token = codec.bytes_per_token(text, plan.tokens.size());
  return plan;
}

}  // namespace apps
