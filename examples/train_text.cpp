// SPDX-License-Identifier: Apache-2.0
// Trains a byte-level GIN-Llama on a text, shows how it goes, saves it, and lets the saved model speak.
//   train_text --corpus bible.txt [--steps 1500] [--output scribe] [--resume]
#include <csignal>
#include <filesystem>
#include <iostream>

#include <CLI/CLI.hpp>

#include "weft/io.hpp"
#include "weft/weft.hpp"

#include "support/progress_bar.hpp"
#include "support/text_pictures.hpp"

namespace {

struct Scribe {
  static constexpr weft::LlamaConfig llama{.vocab_size = weft::ByteTokenizer::kVocabSize,
                                           .hidden_size = 128,
                                           .intermediate_size = 344,
                                           .num_hidden_layers = 4,
                                           .num_attention_heads = 4,
                                           .max_position_embeddings = 512,
                                           .rms_norm_eps = 1e-5};
  static constexpr weft::GNNConfig gnn{.use_GNN_from_attention = weft::GNNFromAttention::LlamaAttentionGIN,
                                       .use_sharpening = true,
                                       .attention_GIN_MLP_o_proj_at_end = true,
                                       .dropout_rate = 0.0};
};
using Model = weft::LlamaForCausalLMWithGNN<Scribe>;

/// Tokens that the model sees at once; it has learned nothing about positions beyond them.
constexpr weft::Index kBlockSize = 128;

struct Arguments {
  std::string corpus;
  std::string output = "scribe";
  std::string prompt = "In the beginning";
  weft::Index steps = 1500;
  weft::Index save_every = 200;
  std::uint64_t seed = 42;
  bool resume = false;
};

volatile std::sig_atomic_t interrupted = 0;

std::string line(const weft::StepReport& step, double bits_per_byte) {
  char text[120];
  std::snprintf(text, sizeof text, "loss %.3f  validation %.3f bits/byte  %.0f tokens/s", step.loss, bits_per_byte,
                step.tokens_per_second);
  return text;
}

/// Trains until the steps are done or Ctrl-C; whether they are done. The checkpoint is saved either way.
bool train(const Arguments& arguments, const std::string& checkpoint, const std::string& metrics) {
  Model model(weft::Rng(arguments.seed));
  weft::TokenDataset data(weft::bytes_as_tokens(weft::read_corpus(arguments.corpus)),
                          {.block_size = kBlockSize, .validation = 0.05, .seed = arguments.seed});
  std::error_code error;
  std::filesystem::create_directories(arguments.output, error);
  if (error) weft::fail("cannot make the folder " + arguments.output + ": " + error.message());
  weft::Trainer trainer(model,
                        {.learning_rate = 3e-3,
                         .batch_size = 16,
                         .max_steps = arguments.steps,
                         .weight_decay = 0.1,
                         .schedule = weft::Schedule::cosine,
                         .warmup_steps = std::min<weft::Index>(100, arguments.steps / 10),
                         .evaluate_every = std::max<weft::Index>(1, std::min<weft::Index>(100, arguments.steps / 5)),
                         .evaluation_batches = 24,
                         .seed = arguments.seed});
  if (arguments.resume) weft::load_checkpoint(checkpoint, trainer, data);
  weft::MetricsLog log(metrics, trainer.completed_steps());
  std::cerr << "GIN-Llama with " << weft::count_parameters(model) << " parameters, " << data.tokens().size()
            << " bytes of text, " << weft::thread_count() << " threads\n";

  double bits_per_byte = trainer.evaluate(data).bits_per_byte;
  examples::ProgressBar bar(arguments.steps, trainer.completed_steps());
  weft::TrainingCallbacks callbacks;
  callbacks.on_step = [&](const weft::StepReport& report) {
    log.write(report);
    bar.update(report.step, line(report, bits_per_byte));
    if (report.step % arguments.save_every == 0) weft::save_checkpoint(checkpoint, trainer, data);
  };
  callbacks.on_evaluation = [&](const weft::EvaluationReport& report) {
    log.write(report);
    bits_per_byte = report.bits_per_byte;
  };
  callbacks.should_stop = [] { return interrupted != 0; };
  const bool done = trainer.fit(data, callbacks);
  bar.finish();
  weft::save_checkpoint(checkpoint, trainer, data);
  std::fprintf(stderr, "validation: %.3f bits per byte after %ld steps\n", bits_per_byte,
               static_cast<long>(trainer.completed_steps()));
  return done;
}

/// Loads the checkpoint into a fresh model, which then draws its graph of the prompt and continues it.
void show(const Arguments& arguments, const std::string& checkpoint, const std::string& metrics) {
  Model model(weft::Rng(0));
  weft::load_checkpoint(checkpoint, model);
  const weft::ByteTokenizer tokenizer;
  const std::string folder = arguments.output + "/";
  examples::draw_loss(metrics, folder + "loss.png");
  examples::draw_adjacency(model, tokenizer, arguments.prompt, folder + "adjacency.png");
  std::cout << "\n" << arguments.prompt << std::flush;
  const weft::GenerationOptions options{
      .max_new_tokens = std::max<weft::Index>(1, kBlockSize - static_cast<weft::Index>(arguments.prompt.size())),
      .sampling = {.sample = true, .temperature = 0.8, .top_p = 0.95, .seed = arguments.seed}};
  weft::generate(model, tokenizer, arguments.prompt, options, [](std::string_view piece) {
    std::cout << piece << std::flush;
    return interrupted == 0;
  });
  std::cout << "\n\n";
}

int run(const Arguments& arguments) {
  const std::string checkpoint = arguments.output + "/checkpoint.safetensors";
  const std::string metrics = arguments.output + "/metrics.jsonl";
  if (!arguments.resume && std::filesystem::exists(checkpoint)) {
    std::cerr << "train_text: a new run replaces " << checkpoint << " (to go on with it: --resume)\n";
  }
  std::signal(SIGINT, [](int) { interrupted = 1; });
  if (!train(arguments, checkpoint, metrics)) {
    std::cerr << "stopped and saved; the same command with --resume goes on\n";
    return 130;
  }
  std::signal(SIGINT, SIG_DFL);
  show(arguments, checkpoint, metrics);
  std::cout << "checkpoint, metrics and pictures are in " << arguments.output << "/\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Trains a small graph-aware Llama on a text, byte by byte, and lets it speak.");
  app.failure_message(
      [](const CLI::App*, const CLI::Error& error) { return std::string("train_text: ") + error.what() + "\n"; });
  Arguments arguments;
  const auto positive = CLI::Range(1, 1'000'000'000);
  app.add_option("--corpus", arguments.corpus, "UTF-8 text to learn")->required();
  app.add_option("--steps", arguments.steps, "updates of the weights")->check(positive)->capture_default_str();
  app.add_option("--output", arguments.output, "folder for checkpoint and pictures")->capture_default_str();
  app.add_option("--prompt", arguments.prompt, "what the model continues")->capture_default_str();
  app.add_option("--save-every", arguments.save_every, "steps between checkpoints")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--seed", arguments.seed, "of weights, data order and generation")->capture_default_str();
  app.add_flag("--resume", arguments.resume, "go on from the checkpoint in the output folder");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "train_text: " << error.what() << "\n";
    return 1;
  }
}
