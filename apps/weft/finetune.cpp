// SPDX-License-Identifier: Apache-2.0
// weft finetune: a pretrained model and another text.
#include <algorithm>
#include <memory>
#include <utility>

#include "weft/io/folder.hpp"
#include "weft/io/lora_folder.hpp"

#include "apps/support/arguments.hpp"
#include "apps/weft/added_graph.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/training_loop.hpp"

namespace apps {

namespace {

constexpr weft::TrainingOptions kUsual{.learning_rate = 2e-4, .schedule = weft::Schedule::cosine};

struct Options {
  std::string model;
  std::optional<std::string> method;
  std::optional<std::string> graph;
  std::optional<weft::Index> rank;
  std::optional<double> alpha;
  std::optional<double> dropout;
  std::vector<std::string> targets;  // each a list of names
  RunOptions run{};
};

FinetuningMethod method_named(const std::string& name) {
  const auto found = std::find(finetuning_methods.begin(), finetuning_methods.end(), name);
  if (found == finetuning_methods.end()) {
    weft::fail(weft::concat("--method must be full, sparse-gin or lora, found ", name));
  }
  return static_cast<FinetuningMethod>(found - finetuning_methods.begin());
}

/// An option of one method is no option of another: wrong usage.
void expect_only_options_of(const Options& options, FinetuningMethod method) {
  const auto refuse = [&](const char* name, FinetuningMethod owner) {
    if (method == owner) return;
    throw CLI::ValidationError(
        weft::concat(name, " belongs to --method ", finetuning_methods[static_cast<std::size_t>(owner)]));
  };
  if (options.graph) refuse("--graph", FinetuningMethod::sparse_gin);
  if (options.rank) refuse("--rank", FinetuningMethod::lora);
  if (options.alpha) refuse("--alpha", FinetuningMethod::lora);
  if (options.dropout) refuse("--lora-dropout", FinetuningMethod::lora);
  if (!options.targets.empty()) refuse("--target", FinetuningMethod::lora);
}

std::vector<std::string> targets_of(const Options& options) {
  return options.targets.empty() ? std::vector<std::string>{"all-linear"} : names_in(options.targets);
}

/// In an order of their own, each once.
std::string targets_text(std::vector<std::string> targets) {
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  std::string text;
  for (const std::string& target : targets) text += (text.empty() ? "" : ",") + target;
  return text;
}

/// What was chosen, if anything was, is what the run to go on with has.
template <class Value>
void expect_same(const Options& options, const char* name, const std::optional<Value>& given, const Value& stored) {
  if (!given || *given == stored) return;
  weft::fail(weft::concat(options.run.output, ": this run has ", name, " ", stored, ", found ", *given));
}

/// What was asked for, or what the run to go on with says.
RunRecord record_of(const Options& options) {
  if (!options.run.resume) {
    return {.validation = options.run.validation.value_or(0.05),
            .model = options.model,
            .method = options.method.value_or("full"),
            .folder = absolute_path(options.model)};
  }
  RunRecord record = read_run_record(options.run.output);
  if (record.model.empty()) weft::fail(options.run.output + " has a run of weft train, which goes on with it");
  expect_same(options, "--method", options.method, record.method);
  const bool adapters = method_named(record.method) == FinetuningMethod::lora;  // all else is in the output folder
  if (adapters || !options.model.empty()) find_model(record, options.model, options.run.output);
  record.validation = options.run.validation.value_or(record.validation);
  return record;
}

/// Beside the attention of the model, the graph network of a config.json or that of the reference's recipe.
weft::GNNConfig graph_config(const Options& options, const weft::PretrainedConfig& base) {
  if (!options.graph) return with_sparse_gin(base.gnn, base.llama.hidden_size);
  const std::string path = weft::detail::is_folder(*options.graph) ? *options.graph + "/config.json" : *options.graph;
  const weft::PretrainedConfig given = weft::read_config(path);
  print_notes(given.notes);
  const weft::GNNConfig& gnn = given.gnn;
  if (gnn.gnn_mode == weft::GNNMode::none) {
    weft::fail(path + ": gnn_config.gnn_mode must be single or per_head, found none: there is no graph network to add");
  }
  std::vector<std::string> notes;
  const weft::GNNConfig added = with_graph_of(base.gnn, gnn, path, notes);
  print_notes(notes);
  return added;
}

Finetuning finetuning_of(const Options& options, FinetuningMethod method, const weft::PretrainedConfig& base) {
  Finetuning finetuning{.method = method};
  if (method == FinetuningMethod::sparse_gin) {
    if (options.graph && base.gnn.gnn_mode != weft::GNNMode::none) {
      weft::fail(options.model + " has a graph network already, and --graph would be another");
    }
    finetuning.gnn = graph_config(options, base);
  }
  if (method == FinetuningMethod::lora) {
    finetuning.lora.r = options.rank.value_or(8);
    finetuning.lora.lora_alpha = options.alpha.value_or(2 * static_cast<double>(finetuning.lora.r));
    finetuning.lora.lora_dropout = options.dropout.value_or(0);
    finetuning.lora.target_modules = targets_of(options);
  }
  return finetuning;
}

/// What is said of adapters once more.
void expect_same_adapters(const Options& options, const RunRecord& record) {
  const std::string path = options.run.file("adapter_config.json");
  const auto stored = weft::detail::read_lora_options(weft::detail::parse_json(weft::read_text(path), path), path);
  expect_same(options, "--rank", options.rank, stored.r);
  expect_same(options, "--alpha", options.alpha, stored.lora_alpha);
  expect_same(options, "--lora-dropout", options.dropout, stored.lora_dropout);
  if (options.targets.empty()) return;
  if (record.targets.empty()) {
    weft::fail(options.run.output + ": the record of this older run does not say its --target, which must be left out");
  }
  expect_same(options, "--target", std::optional(targets_text(targets_of(options))), record.targets);
}

/// \param config  of the model in the output folder
void expect_same_graph(const Options& options, const weft::PretrainedConfig& config) {
  if (!options.graph || graph_config(options, config) == config.gnn) return;
  weft::fail(weft::concat(options.run.output, ": this run has another graph network than --graph ", *options.graph));
}

/// Empty where the text is numbers and the model has no tokenizer.
std::optional<TextCodec> codec_of(const Options& options, const std::string& model, weft::Index vocab_size) {
  if (options.run.ids && !weft::detail::path_exists(model + "/tokenizer.json")) return std::nullopt;
  return TextCodec(model, vocab_size, "with --ids the text is numbers of tokens");
}

int run(const Options& options) {
  if (!options.run.resume) {
    if (options.model.empty()) throw CLI::RequiredError("MODEL");
    expect_only_options_of(options, method_named(options.method.value_or("full")));
  }
  const std::optional<weft::CheckpointState> stored = stored_run(options.run);
  const weft::CheckpointState* const state = stored ? &*stored : nullptr;
  RunRecord record = record_of(options);
  const FinetuningMethod method = method_named(record.method);
  expect_only_options_of(options, method);

  const bool adapters = method == FinetuningMethod::lora;
  const std::string folder = stored && !adapters ? options.run.output : record.model;
  const weft::PretrainedConfig base = weft::read_config(folder + "/config.json");
  if (stored && adapters) expect_same_adapters(options, record);
  if (stored && !adapters) expect_same_graph(options, base);
  const std::optional<TextCodec> codec = codec_of(options, folder, base.llama.vocab_size);
  TrainingPlan plan = make_plan(options.run, record, options.run.ids ? nullptr : &*codec, state, kUsual, base.llama);
  const weft::Tokenizer* const tokenizer = !adapters && codec && codec->tokenizer() ? &*codec->tokenizer() : nullptr;
  if (stored && adapters) {
    TrainingRun training(folder, options.run.output, std::move(plan));
    return train(options.run, record, state, tokenizer, training);
  }
  TrainingRun training(folder, stored ? Finetuning{.method = method} : finetuning_of(options, method, base),
                       std::move(plan));
  if (!stored) record.weights = weights_digest(folder);
  if (!stored && adapters) record.targets = targets_text(targets_of(options));
  return train(options.run, record, state, tokenizer, training);
}

}  // namespace

void add_finetune(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand("finetune", "train a pretrained model, or a part beside it, on a text");
  command->footer(
      "MODEL is a folder as Hugging Face or weft train leaves it. --method full trains all weights. sparse-gin "
      "freezes\n"
      "them and trains a graph network beside the attention: its own where MODEL has one, or a new one. lora freezes\n"
      "them and trains low-rank adapters; the output folder then holds these alone, for --adapter of other commands "
      "and\n"
      "for PEFT. Ctrl-C saves and ends; --resume goes on as if the run had never stopped.\n\n"
      "  weft finetune llama --text orders.txt --output graph --method sparse-gin\n"
      "  weft finetune llama --text orders.txt --output adapter --method lora --rank 16\n"
      "  weft generate llama \"Two coffees\" --adapter adapter");
  const auto options = std::make_shared<Options>();
  command->add_option("MODEL", options->model, "model folder to start from")->check(some_text())->type_name("");
  command->add_option("--method", options->method, "full, sparse-gin or lora (full)")
      ->check(CLI::IsMember({"full", "sparse-gin", "lora"}).description(""));
  command->add_option("--graph", options->graph, "sparse-gin: config.json with the gnn_config to add (the reference's)")
      ->check(some_text());
  command->add_option("--rank", options->rank, "lora: of every adapter (8)")->transform(between(1, 1 << 20));
  command->add_option("--alpha", options->alpha, "lora: adapters are multiplied by alpha / rank (twice the rank)")
      ->transform(between(0.0, 1e6));
  command->add_option("--lora-dropout", options->dropout, "lora: of an adapter's input (0)")
      ->transform(between(0.0, 0.99));
  command->add_option("--target", options->targets, "lora: ends of the names of layers, q_proj,v_proj (all-linear)")
      ->allow_extra_args(false)
      ->check(list_of_names());
  options->run.add_to(*command, kUsual);
  command->callback([options, &code] { code = run(*options); });
}

}  // namespace apps
