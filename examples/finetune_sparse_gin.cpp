// SPDX-License-Identifier: Apache-2.0
// A graph network or low-rank adapters? Trains a small plain Llama on one text, freezes it, and fine-tunes it on another
// text in two ways with about as many trained parameters: Sparse-GIN, a graph network beside the frozen attention (recipe B
// of the reference), and LoRA. Shows one table and one picture.
//   finetune_sparse_gin --base-corpus bible.txt --corpus jargon.txt [--steps 400] [--output finetuned]
#include <iostream>

#include <CLI/CLI.hpp>

#include "weft/io.hpp"
#include "weft/weft.hpp"

#include "apps/figures/graph_parameters.hpp"
#include "apps/support/arguments.hpp"
#include "support/curves_picture.hpp"
#include "support/fasta.hpp"
#include "support/program.hpp"
#include "support/training_run.hpp"

namespace {

struct Plain {
  static constexpr weft::LlamaConfig llama{.vocab_size = weft::ByteTokenizer::kVocabSize,
                                           .hidden_size = 128,
                                           .intermediate_size = 344,
                                           .num_hidden_layers = 4,
                                           .num_attention_heads = 4,
                                           .max_position_embeddings = 128,
                                           .rms_norm_eps = 1e-5};
  static constexpr weft::GNNConfig gnn{};
};

/// Recipe B, but for the width of the network: the reference has 155 in a model of 3,072.
struct SparseGin {
  static constexpr weft::LlamaConfig llama = Plain::llama;
  static constexpr weft::GNNConfig gnn{.num_layers = 1,
                                       .hidden_dim = 32,
                                       .activation = weft::GNNActivation::prelu,
                                       .dropout = 0.1,
                                       .gnn_type = weft::GNNType::causal_gin,
                                       .gnn_mode = weft::GNNMode::single,
                                       .gnn_residual = false,
                                       .GIN_hidden_dim_multiplier = 1,
                                       .lambda_GNN = 0.5,
                                       .lambda_GNN_initial = 0.0,
                                       .threshold = 0.1,
                                       .epsilon_threshold = 0.6,
                                       .combined_norm = false};
};
using Base = weft::LlamaForCausalLMWithGNN<Plain>;
using Graph = weft::LlamaForCausalLMWithGNN<SparseGin>;

struct Arguments {
  std::string base_corpus;
  std::string corpus;
  std::string output = "finetuned";
  weft::Index base_steps = 1000;
  weft::Index steps = 400;
  weft::Index batch_size = 16;
  double base_learning_rate = 3e-3;
  double graph_learning_rate = 1e-2;
  double lora_learning_rate = 1e-2;
  std::uint64_t seed = 42;

  std::string in_output(const std::string& name) const { return output + "/" + name; }
};

/// The text that the base model has learned, and the one that it is fine-tuned on.
struct Texts {
  weft::TokenDataset first;
  weft::TokenDataset second;
};

/// What is known of a model after its fine-tuning.
struct Outcome {
  std::string name;
  weft::Index trained = 0;
  double second = 0;  ///< validation, bits per byte, on the text of the fine-tuning
  double first = 0;   ///< on the one of the base model: what is left of that
  double tokens_per_second = 0;
  examples::Curve curve{};
};

weft::TokenDataset read_data(const std::string& path, const Arguments& arguments) {
  return weft::TokenDataset(
      examples::read_bytes(path),
      {.block_size = Plain::llama.max_position_embeddings, .validation = 0.1, .seed = arguments.seed});
}

template <class Model>
double bits_per_byte(Model& model, const weft::TokenDataset& data, const Arguments& arguments) {
  weft::Trainer trainer(model, examples::training_options(0, 1, arguments.batch_size, arguments.seed));
  return trainer.evaluate(data).bits_per_byte;
}

/// Trains what is not frozen of the model on the second text.
template <class Model, class OnValidation>
Outcome fine_tune(const std::string& name, const std::string& file, Model& model, double learning_rate, Texts texts,
                  const Arguments& arguments, OnValidation&& on_validation) {
  weft::Trainer trainer(
      model, examples::training_options(learning_rate, arguments.steps, arguments.batch_size, arguments.seed));
  const examples::TrainingRun run =
      examples::train(name, trainer, texts.second, arguments.in_output(file + ".jsonl"), on_validation);
  examples::stop_if_interrupted("models that were finished are in " + arguments.output + "/");
  return {.name = name,
          .trained = weft::count_trainable_parameters(model),
          .second = run.validation.back().bits_per_byte,
          .first = trainer.evaluate(texts.first).bits_per_byte,
          .tokens_per_second = run.tokens_per_second,
          .curve = curve_of(name, run, &weft::EvaluationReport::bits_per_byte)};
}

void train_base(Base& base, weft::TokenDataset data, const Arguments& arguments) {
  weft::Trainer trainer(base, examples::training_options(arguments.base_learning_rate, arguments.base_steps,
                                                         arguments.batch_size, arguments.seed));
  examples::train("base", trainer, data, arguments.in_output("base.jsonl"));
  examples::stop_if_interrupted("metrics are in " + arguments.output + "/");
  weft::save_pretrained(base, arguments.in_output("base"));
}

/// The base model as it is: a level line.
Outcome not_tuned(Base& base, const Texts& texts, const Arguments& arguments) {
  const double bits = bits_per_byte(base, texts.second, arguments);
  const std::string name = "no fine-tuning";
  return {.name = name,
          .second = bits,
          .first = bits_per_byte(base, texts.first, arguments),
          .curve = {name, {{0, bits}, {static_cast<double>(arguments.steps), bits}}}};
}

/// How strong the graph network of each layer is, over the run.
void show_scales(const std::vector<apps::ScaleColumn>& columns, const Arguments& arguments) {
  for (const apps::ScaleColumn& column : {columns.front(), columns.back()}) {
    std::cout << "trainable_scale at step " << column.label << ", by layer:";
    for (const double scale : column.scales) std::printf(" %.3f", scale);
    std::cout << std::endl;
  }
  const std::string picture = arguments.in_output("scales.png");
  std::cout << apps::report(apps::draw_scales(columns, picture), picture) << "\n";
}

Outcome tune_graph(const Texts& texts, const Arguments& arguments) {
  Graph model{weft::Rng(arguments.seed)};
  weft::load_pretrained_transformer(arguments.in_output("base"), model);
  weft::freeze_except_select(model, weft::graph_keywords);
  std::vector<apps::ScaleColumn> scales;
  const auto note_scales = [&](const weft::EvaluationReport& report) {
    scales.push_back({std::to_string(report.step), apps::trainable_scales(weft::list_parameters(model))});
  };
  Outcome outcome =
      fine_tune("Sparse-GIN", "sparse_gin", model, arguments.graph_learning_rate, texts, arguments, note_scales);
  weft::save_pretrained(model, arguments.in_output("sparse_gin"));
  show_scales(scales, arguments);
  return outcome;
}

/// Adapters of every linear layer, of the rank that brings the number of their parameters nearest to `wanted`.
weft::LoraOptions lora_options(Base& base, weft::Index wanted) {
  weft::LoraOptions options{.r = 1, .lora_alpha = 2, .target_modules = {"all-linear"}};
  weft::add_lora(base, options, weft::Rng(0));
  const weft::Index of_rank_1 = weft::count_trainable_parameters(base);
  weft::remove_lora(base);
  options.r = std::max<weft::Index>(1, (wanted + of_rank_1 / 2) / of_rank_1);
  options.lora_alpha = 2 * static_cast<double>(options.r);
  return options;
}

Outcome tune_lora(Base& base, weft::Index wanted, const Texts& texts, const Arguments& arguments) {
  const weft::LoraOptions options = lora_options(base, wanted);
  weft::add_lora(base, options, weft::Rng(arguments.seed));
  Outcome outcome = fine_tune("LoRA of rank " + std::to_string(options.r), "lora", base, arguments.lora_learning_rate,
                              texts, arguments, [](const weft::EvaluationReport&) {});
  weft::save_lora(base, arguments.in_output("lora"), arguments.in_output("base"));
  weft::merge_lora(base);
  weft::save_pretrained(base, arguments.in_output("lora_merged"));
  return outcome;
}

std::string table_of(const std::vector<Outcome>& outcomes) {
  std::string table =
      "| fine-tuning | trained parameters | bits per byte | on the first text | tokens/s |\n|---|---|---|---|---|\n";
  for (const Outcome& o : outcomes) {
    char row[160];
    std::snprintf(row, sizeof row, "| %s | %ld | %.3f | %.3f | %s |\n", o.name.c_str(), static_cast<long>(o.trained),
                  o.second, o.first, o.trained > 0 ? std::to_string(std::lround(o.tokens_per_second)).c_str() : "");
    table += row;
  }
  return table;
}

void run(const Arguments& arguments) {
  const Texts texts{read_data(arguments.base_corpus, arguments), read_data(arguments.corpus, arguments)};
  examples::make_folder(arguments.output);
  examples::catch_interrupt();
  Base base{weft::Rng(arguments.seed)};
  std::cerr << "plain Llama with " << weft::count_parameters(base) << " parameters, " << weft::thread_count()
            << " threads\n";
  train_base(base, texts.first, arguments);
  std::vector<Outcome> outcomes{not_tuned(base, texts, arguments), tune_graph(texts, arguments)};
  outcomes.push_back(tune_lora(base, outcomes.back().trained, texts, arguments));

  const std::string table = table_of(outcomes);
  std::cout << "\n" << table;
  weft::write_text(arguments.in_output("table.md"), table);
  std::vector<examples::Curve> curves;
  curves.reserve(outcomes.size());
  for (const Outcome& outcome : outcomes) curves.push_back(outcome.curve);
  const std::string picture = arguments.in_output("validation.png");
  std::cout << "\n"
            << apps::report(examples::draw_curves(curves, "step", "validation, bits per byte", picture), picture)
            << "\nmodels are in " << arguments.output << "/base, sparse_gin, lora (adapters alone) and lora_merged\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Fine-tunes a frozen plain Llama with a graph network and with low-rank adapters.");
  examples::name_errors(app, "finetune_sparse_gin");
  Arguments arguments;
  const auto positive = apps::between(1, 1'000'000'000);
  const auto rate = apps::between(1e-8, 1.0);
  app.add_option("--base-corpus", arguments.base_corpus, "text, or FASTA, that the plain Llama learns")
      ->required()
      ->check(apps::some_text());
  app.add_option("--corpus", arguments.corpus, "text, or FASTA, that it is fine-tuned on")
      ->required()
      ->check(apps::some_text());
  app.add_option("--base-steps", arguments.base_steps, "updates of the plain Llama")->transform(positive);
  app.add_option("--steps", arguments.steps, "updates of each fine-tuning")->transform(positive);
  app.add_option("--batch-size", arguments.batch_size, "blocks in one step")->transform(apps::between(1, 1 << 16));
  app.add_option("--base-learning-rate", arguments.base_learning_rate)->transform(rate);
  app.add_option("--graph-learning-rate", arguments.graph_learning_rate)->transform(rate);
  app.add_option("--lora-learning-rate", arguments.lora_learning_rate)->transform(rate);
  app.add_option("--seed", arguments.seed, "of weights and data order")->transform(apps::seed());
  app.add_option("--output", arguments.output, "folder for models, table and pictures")->check(apps::some_text());
  for (CLI::Option* option : app.get_options()) option->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return examples::run_program("finetune_sparse_gin", [&] { run(arguments); });
}
