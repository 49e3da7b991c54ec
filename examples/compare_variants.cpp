// SPDX-License-Identifier: Apache-2.0
// Does graph-aware attention generalise better? Trains plain attention and its graph-aware variants on the same text, with
// the same number of parameters, seed and steps, and shows one table and one picture of all validation curves.
//   compare_variants --corpus proteins.fasta [--steps 400] [--output comparison] [--only GIN,PNA]
#include <iostream>

#include <CLI/CLI.hpp>

#include "weft/io.hpp"
#include "weft/weft.hpp"

#include "apps/support/arguments.hpp"
#include "support/curves_picture.hpp"
#include "support/fasta.hpp"
#include "support/program.hpp"
#include "support/training_run.hpp"
#include "support/variants.hpp"

namespace {

struct Arguments {
  std::string corpus;
  std::string output = "comparison";
  std::vector<std::string> only;  // each a list of names
  weft::Index steps = 400;
  weft::Index batch_size = 16;
  int block_size = 128;
  int hidden_size = 128;
  int layers = 4;
  int heads = 4;
  double learning_rate = 2e-3;
  std::uint64_t seed = 42;
};

/// What is known of a variant after its training.
struct Outcome {
  std::string name;
  weft::Index parameters = 0;
  double training_loss = 0;
  double validation_loss = 0;
  double tokens_per_second = 0;
  double megabytes = 0;  ///< parameters, gradients, optimiser and the largest step
  examples::Curve curve{};
};

weft::LlamaConfig plain_config(const Arguments& arguments) {
  return {.vocab_size = weft::ByteTokenizer::kVocabSize,
          .hidden_size = arguments.hidden_size,
          .intermediate_size = 2 * arguments.hidden_size,
          .num_hidden_layers = arguments.layers,
          .num_attention_heads = arguments.heads,
          .max_position_embeddings = arguments.block_size,
          .rms_norm_eps = 1e-5};
}

/// The text the models train on, and, as the validation part of a second set, a piece of that text as long as the real
/// validation part: the loss on the one minus the loss on the other is the generalisation gap.
struct Data {
  weft::TokenDataset training;
  weft::TokenDataset seen;

  Data(const std::vector<std::int32_t>& tokens, const Arguments& arguments)
      : training(tokens, {.block_size = arguments.block_size, .validation = 0.1, .seed = arguments.seed}),
        seen(first_part(tokens, training), {.block_size = arguments.block_size, .validation = 0.9}) {}

 private:
  static std::vector<std::int32_t> first_part(const std::vector<std::int32_t>& tokens, const weft::TokenDataset& data) {
    const auto count = std::max<weft::Index>(2, data.validation_blocks()) * data.block_size() * 10 / 9;
    return {tokens.begin(), tokens.begin() + std::min(count, static_cast<weft::Index>(tokens.size()) * 9 / 10)};
  }
};

Outcome train(const examples::Variant& variant, const std::vector<std::int32_t>& tokens, const Arguments& arguments) {
  Data data(tokens, arguments);
  examples::VariantModel model(variant.llama, variant.gnn, weft::Rng(arguments.seed));
  weft::Trainer trainer(model, examples::training_options(arguments.learning_rate, arguments.steps,
                                                          arguments.batch_size, arguments.seed));
  const std::string metrics = arguments.output + "/" + variant.file_name() + ".jsonl";
  const examples::TrainingRun run = examples::train(variant.name, trainer, data.training, metrics);
  examples::stop_if_interrupted("metrics are in " + arguments.output + "/");
  Outcome outcome{.name = variant.name,
                  .parameters = weft::count_parameters(model),
                  .training_loss = trainer.evaluate(data.seen).loss,
                  .validation_loss = run.validation.back().loss,
                  .tokens_per_second = run.tokens_per_second};
  outcome.curve = curve_of(variant.name, run, &weft::EvaluationReport::loss);
  const double parameter_bytes = 4.0 * sizeof(float) * static_cast<double>(outcome.parameters);
  outcome.megabytes = (parameter_bytes + static_cast<double>(trainer.peak_bytes())) * 1e-6;
  return outcome;
}

std::string table_of(const std::vector<Outcome>& outcomes) {
  std::string table =
      "| variant | parameters | training loss | validation loss | gap | tokens/s | memory |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const Outcome& o : outcomes) {
    char row[200];
    std::snprintf(row, sizeof row, "| %s | %ld | %.4f | %.4f | %+.4f | %.0f | %.0f MB |\n", o.name.c_str(),
                  static_cast<long>(o.parameters), o.training_loss, o.validation_loss,
                  o.validation_loss - o.training_loss, o.tokens_per_second, o.megabytes);
    table += row;
  }
  return table;
}

void run(const Arguments& arguments) {
  const auto tokens = examples::read_bytes(arguments.corpus);
  static_cast<void>(Data(tokens, arguments));  // refuses too short a text before anything is written
  const auto variants = examples::chosen_variants(plain_config(arguments), apps::names_in(arguments.only));
  examples::make_folder(arguments.output);
  examples::catch_interrupt();
  std::cerr << tokens.size() << " tokens, " << variants.size() << " variants, " << arguments.steps << " steps each, "
            << weft::thread_count() << " threads\n";
  std::vector<Outcome> outcomes;
  std::vector<examples::Curve> curves;
  for (const examples::Variant& variant : variants) {
    outcomes.push_back(train(variant, tokens, arguments));
    curves.push_back(outcomes.back().curve);
  }
  const std::string table = table_of(outcomes);
  std::cout << "\n" << table << "\nlosses in nats a token; gap = validation - training\n";
  weft::write_text(arguments.output + "/table.md", table);
  const std::string picture = arguments.output + "/validation.png";
  std::cout << apps::report(examples::draw_curves(curves, "step", "validation loss", picture), picture) << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Trains graph-aware attention variants side by side, with the same number of parameters.");
  examples::name_errors(app, "compare_variants");
  Arguments arguments;
  const auto positive = apps::between(1, 1'000'000'000);
  app.add_option("--corpus", arguments.corpus, "text, or protein sequences as FASTA")
      ->required()
      ->check(apps::some_text());
  app.add_option("--steps", arguments.steps, "updates of the weights, for each variant")->transform(positive);
  app.add_option("--batch-size", arguments.batch_size, "blocks in one step")->transform(apps::between(1, 1 << 16));
  app.add_option("--block-size", arguments.block_size, "tokens in a block")->transform(apps::between(16, 1 << 16));
  app.add_option("--hidden-size", arguments.hidden_size, "width of the models")->transform(apps::between(1, 1 << 14));
  app.add_option("--layers", arguments.layers, "decoder layers")->transform(apps::between(1, 1 << 10));
  app.add_option("--heads", arguments.heads, "attention heads")->transform(apps::between(1, 1 << 10));
  app.add_option("--learning-rate", arguments.learning_rate)->transform(apps::between(1e-8, 1.0));
  app.add_option("--seed", arguments.seed, "of weights and data order")->transform(apps::seed());
  app.add_option("--output", arguments.output, "folder for metrics, table and picture")->check(apps::some_text());
  app.add_option("--only", arguments.only, "names of the variants to train")->check(apps::list_of_names());
  for (CLI::Option* option : app.get_options()) option->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return examples::run_program("compare_variants", [&] { run(arguments); });
}
