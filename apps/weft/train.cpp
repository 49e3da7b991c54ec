// SPDX-License-Identifier: Apache-2.0
// weft train: a model from a configuration and a text.
#include <filesystem>
#include <memory>

#include "weft/io/folder.hpp"
#include "weft/models/byte_tokenizer.hpp"

#include "apps/support/arguments.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/training_loop.hpp"

namespace apps {

namespace {

constexpr weft::TrainingOptions kUsual{
    .learning_rate = 1e-3, .batch_size = 16, .weight_decay = 0.1, .schedule = weft::Schedule::cosine};

struct Options {
  std::string config;
  std::string tokenizer;
  RunOptions run{};
};

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
std::string config_path(const Options& options) {
  if (options.config.empty()) return options.run.resume ? options.run.file("config.json") : std::string();
  return weft::detail::is_folder(options.config) ? options.config + "/config.json" : options.config;
}

/// By the tokenizer that is named, or that of the run to go on with, or the one beside the configuration; where there is none,
/// tokens are bytes.
TextCodec codec_of(const Options& options) {
  if (!options.tokenizer.empty()) return TextCodec(weft::Tokenizer::from_file(tokenizer_path(options.tokenizer)));
  const std::string config = config_path(options);
  const std::string folder =
      options.run.resume ? options.run.output : std::filesystem::path(config).parent_path().string();
  const std::string beside = (folder.empty() ? "." : folder) + "/tokenizer.json";
  const bool bytes = config.empty() || !weft::detail::path_exists(beside);
  return bytes ? TextCodec(std::nullopt) : TextCodec(weft::Tokenizer::from_file(beside));
}

/// Its vocabulary has room for all tokens of the tokenizer, or for bytes where the text is made of these.
weft::PretrainedConfig config_for(const Options& options, const TextCodec& codec) {
  const std::string path = config_path(options);
  weft::PretrainedConfig config = path.empty() ? small_gin() : weft::read_config(path);
  if (!path.empty()) weft::validate_config(path, config);
  print_notes(config.notes);
  const bool any_vocabulary = options.run.ids && !codec.tokenizer();
  if (path.empty()) config.llama.vocab_size = static_cast<int>(codec.vocab_size());
  if (config.llama.vocab_size < codec.vocab_size() && !any_vocabulary) {
    weft::fail(weft::concat(path, ": vocab_size must be at least the ", codec.vocab_size(), " of the tokens, found ",
                            config.llama.vocab_size));
  }
  return config;
}

int run(const Options& options) {
  const std::optional<weft::CheckpointState> stored = stored_run(options.run);
  const weft::CheckpointState* const state = stored ? &*stored : nullptr;
  RunRecord record = stored ? read_run_record(options.run.output) : RunRecord();
  if (!record.model.empty()) weft::fail(options.run.output + " has a run of weft finetune, which goes on with it");
  record.validation = options.run.validation.value_or(record.validation);
  const TextCodec codec = codec_of(options);
  const weft::PretrainedConfig config = config_for(options, codec);
  TrainingRun training(config,
                       make_plan(options.run, record, options.run.ids ? nullptr : &codec, state, kUsual, config.llama));
  return train(options.run, record, state, codec.tokenizer() ? &*codec.tokenizer() : nullptr, training);
}

}  // namespace

void add_train(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand("train", "train a model from scratch on a text");
  command->footer(
      "CONFIG is a config.json or its folder; without it a small Llama with a graph isomorphism network in its "
      "attention\n"
      "is trained (4 layers, hidden size 128). Tokens are those of --tokenizer, of a tokenizer.json beside CONFIG, or "
      "bytes.\n"
      "The output folder becomes a model folder, with a checkpoint and metrics.jsonl. Ctrl-C saves and ends; --resume\n"
      "goes on as if the run had never stopped, with its options where none are given.\n\n"
      "  weft train --text bible.txt --output scribe --steps 1500\n"
      "  weft train --text bible.txt --output scribe --resume");
  const auto options = std::make_shared<Options>();
  command->add_option("CONFIG", options->config, "config.json or its folder")->check(some_text())->type_name("");
  command->add_option("--tokenizer", options->tokenizer, "tokenizer.json or its folder")->check(some_text());
  options->run.add_to(*command, kUsual);
  command->callback([options, &code] { code = run(*options); });
}

}  // namespace apps
