// SPDX-License-Identifier: Apache-2.0
// A GIN transformer from scratch on protein sequences with its own tokenizer (recipe A of the reference at reduced width):
// trains, draws how, saves a model folder, and lets the model that it loads from there make sequences.
//   protein_gin --corpus proteins.fasta [--steps 900] [--output proteins]
#include <iostream>

#include <CLI/CLI.hpp>

#include "weft/io.hpp"
#include "weft/tokenizers.hpp"
#include "weft/weft.hpp"

#include "apps/figures/loss_curves.hpp"
#include "apps/figures/token_lengths.hpp"
#include "apps/support/arguments.hpp"
#include "support/packed_texts.hpp"
#include "support/program.hpp"
#include "support/protein_texts.hpp"
#include "support/training_run.hpp"

namespace {

/// Recipe A; the reference has 8 heads of 70 and a feed-forward block of 512.
struct ProteinGin {
  static constexpr weft::LlamaConfig llama{.vocab_size = 271,
                                           .hidden_size = 128,
                                           .intermediate_size = 128,
                                           .num_hidden_layers = 6,
                                           .num_attention_heads = 4,
                                           .max_position_embeddings = 512,
                                           .rms_norm_eps = 1e-5,
                                           .rope_theta = 5e5,
                                           .pad_token_id = 0,
                                           .bos_token_id = 2,
                                           .eos_token_id = 1};
  static constexpr weft::GNNConfig gnn{.num_layers = 1,
                                       .hidden_dim = llama.hidden_size,
                                       .dropout = 0.1,
                                       .use_GNN_from_attention = weft::GNNFromAttention::LlamaAttentionGIN,
                                       .attention_GIN_MLP_multiplier = 0.5,
                                       .use_sharpening = true};
};
using Model = weft::LlamaForCausalLMWithGNN<ProteinGin>;

/// Residues of the longest sequence, and tokens of a row that holds some of them.
constexpr std::size_t kLongest = 255;
constexpr weft::Index kRow = 512;

struct Arguments {
  std::string corpus;
  std::string output = "proteins";
  weft::Index steps = 900;
  weft::Index batch_size = 8;
  weft::Index sequences = 3;
  double learning_rate = 2e-3;
  std::uint64_t seed = 42;

  std::string in_output(const std::string& name) const { return output + "/" + name; }
};

void show(apps::Picture picture, const std::string& path) { std::cerr << apps::report(picture, path) << "\n"; }

weft::Tokenizer learn_tokenizer(const std::vector<std::string>& proteins) {
  const std::vector<std::string_view> texts(proteins.begin(), proteins.end());
  weft::Tokenizer tokenizer = weft::train_bpe(texts, examples::protein_tokenizer_options());
  if (tokenizer.vocab_size() != ProteinGin::llama.vocab_size) {
    weft::fail(weft::concat("a tokenizer of ", ProteinGin::llama.vocab_size, " tokens is expected, found ",
                            tokenizer.vocab_size()));
  }
  return tokenizer;
}

void draw_lengths(const std::vector<examples::Tokens>& texts, const std::string& path) {
  std::vector<std::int64_t> lengths;
  lengths.reserve(texts.size());
  for (const examples::Tokens& text : texts) lengths.push_back(static_cast<std::int64_t>(text.size()));
  show(apps::draw_histogram(apps::histogram_of(lengths), path), path);
}

/// Training and validation loss by epoch, as the reference draws them.
void draw_run(const Arguments& arguments) {
  const apps::LossCurves curves = apps::read_loss_curves(arguments.in_output("metrics.jsonl"));
  const std::string path = arguments.in_output("loss.png");
  show(apps::draw_losses(apps::over_epochs(curves, curves.epochs), "epoch", path), path);
}

/// Trains until the steps are done or Ctrl-C, and saves model and tokenizer either way.
void train(const weft::Tokenizer& tokenizer, std::vector<examples::Tokens> texts, const Arguments& arguments) {
  constexpr int begin = *ProteinGin::llama.bos_token_id.begin();
  constexpr int pad = *ProteinGin::llama.pad_token_id.begin();
  const auto held_out = examples::take_tenth(texts, arguments.seed);
  weft::TokenDataset data = examples::packed_dataset(texts, held_out, kRow, pad, arguments.seed);
  Model model{weft::Rng(arguments.seed)};
  std::cerr << "GIN transformer with " << weft::count_parameters(model) << " parameters, " << texts.size()
            << " sequences in " << data.training_blocks() << " rows of " << kRow << " tokens, " << weft::thread_count()
            << " threads\n";
  examples::PackedModel packed(model, begin, pad);
  weft::Trainer trainer(packed, examples::training_options(arguments.learning_rate, arguments.steps,
                                                           arguments.batch_size, arguments.seed));
  const auto run = examples::train("proteins", trainer, data, arguments.in_output("metrics.jsonl"));
  weft::save_pretrained(model, tokenizer, arguments.output);
  examples::stop_if_interrupted("the model so far is in " + arguments.output + "/");
  const weft::EvaluationReport& last = run.validation.back();
  std::printf("\nvalidation: %.4f nats a token, perplexity %.2f; by frequency alone %.4f; %.0f tokens/s\n", last.loss,
              last.perplexity, examples::loss_by_frequency(texts, held_out), run.tokens_per_second);
}

/// Sequences that the saved model makes from nothing but the markers of a beginning. Its residues are special tokens, which
/// must not be left out (quirk K5).
void generate(const Arguments& arguments) {
  const auto model = weft::load_pretrained<ProteinGin>(arguments.output);
  const auto tokenizer = weft::Tokenizer::from_file(arguments.in_output("tokenizer.json"));
  const auto prompt = tokenizer.encode(examples::kProteinBegin);
  std::cout << "\nsequences:\n";
  for (weft::Index i = 0; i < arguments.sequences; ++i) {
    const weft::GenerationOptions options{
        .max_new_tokens = static_cast<weft::Index>(kLongest),
        .sampling = {.sample = true, .seed = arguments.seed + static_cast<std::uint64_t>(i)}};
    const std::string text = tokenizer.decode(weft::generate(model, prompt, options), {.skip_special_tokens = false});
    std::cout << text.substr(0, text.find("<|")) << std::endl;
  }
}

void run(const Arguments& arguments) {
  const auto proteins = examples::read_proteins(arguments.corpus, kLongest);
  examples::make_folder(arguments.output);
  const weft::Tokenizer tokenizer = learn_tokenizer(proteins);
  const auto texts = examples::encode_proteins(tokenizer, proteins);
  examples::catch_interrupt();
  draw_lengths(texts, arguments.in_output("lengths.png"));
  train(tokenizer, texts, arguments);
  draw_run(arguments);
  generate(arguments);
  std::cout << "\nmodel, tokenizer, metrics and pictures are in " << arguments.output << "/\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Trains a GIN transformer from scratch on protein sequences, with its own tokenizer.");
  examples::name_errors(app, "protein_gin");
  Arguments arguments;
  const auto positive = apps::between(1, 1'000'000'000);
  app.add_option("--corpus", arguments.corpus,
                 "protein sequences as FASTA, or one in a line; longer ones than 255 stay out")
      ->required()
      ->check(apps::some_text());
  app.add_option("--steps", arguments.steps, "updates of the weights")->transform(positive);
  app.add_option("--batch-size", arguments.batch_size, "rows of 512 tokens in one step")
      ->transform(apps::between(1, 1 << 16));
  app.add_option("--learning-rate", arguments.learning_rate)->transform(apps::between(1e-8, 1.0));
  app.add_option("--sequences", arguments.sequences, "that the model makes in the end")
      ->transform(apps::between(0, 1 << 16));
  app.add_option("--seed", arguments.seed, "of weights, data order and generation")->transform(apps::seed());
  app.add_option("--output", arguments.output, "folder for model, metrics and pictures")->check(apps::some_text());
  for (CLI::Option* option : app.get_options()) option->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return examples::run_program("protein_gin", [&] { run(arguments); });
}
