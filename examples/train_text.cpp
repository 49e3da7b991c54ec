// SPDX-License-Identifier: Apache-2.0
// Trains a byte-level GIN-Llama on a text, shows how it goes, saves it, and lets the saved model speak.
//   train_text --corpus bible.txt [--steps 1500] [--output scribe] [--resume]
#include <csignal>
#include <filesystem>
#include <iostream>
#include <new>
#include <optional>

#include <CLI/CLI.hpp>

#include "weft/io.hpp"
#include "weft/weft.hpp"

#include "apps/support/arguments.hpp"
#include "apps/support/progress_bar.hpp"
#include "apps/support/standard_streams.hpp"
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
  std::optional<weft::Index> steps;   // 1500, or those of the checkpoint
  std::optional<std::uint64_t> seed;  // 42, or that of the checkpoint
  weft::Index save_every = 200;
  bool resume = false;

  std::string checkpoint() const { return output + "/checkpoint.safetensors"; }
  std::string metrics() const { return output + "/metrics.jsonl"; }
};

volatile std::sig_atomic_t interrupted = 0;

std::string line(const weft::StepReport& step, double bits_per_byte) {
  char text[120];
  std::snprintf(text, sizeof text, "loss %.3f  validation %.3f bits/byte  %.0f tokens/s", step.loss, bits_per_byte,
                step.tokens_per_second);
  return text;
}

weft::TrainingOptions training_options(weft::Index steps, std::uint64_t seed) {
  return {.learning_rate = 3e-3,
          .batch_size = 16,
          .max_steps = steps,
          .weight_decay = 0.1,
          .schedule = weft::Schedule::cosine,
          .warmup_steps = std::min<weft::Index>(100, steps / 10),
          .evaluate_every = std::max<weft::Index>(1, std::min<weft::Index>(100, steps / 5)),
          .evaluation_batches = 24,
          .seed = seed};
}

/// What the command line asks for; with --resume, what it does not say stays as in the checkpoint.
weft::TrainingOptions training_options(const Arguments& arguments) {
  if (!arguments.resume) return training_options(arguments.steps.value_or(1500), arguments.seed.value_or(42));
  const weft::TrainingOptions stored = weft::checkpoint_training_options(arguments.checkpoint());
  return training_options(arguments.steps.value_or(stored.max_steps), arguments.seed.value_or(stored.seed));
}

/// Goes on from the checkpoint; says so where --steps then make another run of it.
void resume(const Arguments& arguments, weft::Trainer<Model>& trainer, weft::TokenDataset& data) {
  const weft::Index stored = weft::checkpoint_training_options(arguments.checkpoint()).max_steps;
  const weft::Index steps = trainer.options().max_steps;
  weft::load_checkpoint(arguments.checkpoint(), trainer, data, {.change_training = steps != stored});
  if (steps == stored) return;
  std::cerr << "train_text: the run was to have " << stored << " steps and now has " << steps
            << ": the learning rate changes, and the result is that of neither\n";
}

/// The first checkpoint: from here on there is something to go on with, and what cannot be written is known before time
/// is spent. Only now does a new run take the place of an earlier one.
weft::MetricsLog begin(const Arguments& arguments, const weft::Trainer<Model>& trainer,
                       const weft::TokenDataset& data) {
  std::error_code error;
  std::filesystem::create_directories(arguments.output, error);
  if (error) weft::fail("cannot make the folder " + arguments.output + ": " + error.message());
  if (std::filesystem::is_directory(arguments.metrics(), error)) {
    weft::fail("cannot write " + arguments.metrics() + ": it is a folder");
  }
  const bool replaces = !arguments.resume && std::filesystem::exists(arguments.checkpoint());
  weft::save_checkpoint(arguments.checkpoint(), trainer, data);
  weft::MetricsLog log(arguments.metrics(), trainer.completed_steps());
  if (replaces) {
    std::cerr << "train_text: this new run has replaced the one in " << arguments.output
              << " (to go on with one: --resume)\n";
  }
  return log;
}

/// Trains until the steps are done or Ctrl-C; whether they are done. The checkpoint is saved either way.
bool train(const Arguments& arguments, const weft::TrainingOptions& options) {
  Model model(weft::Rng(options.seed));
  weft::TokenDataset data(weft::bytes_as_tokens(weft::read_corpus(arguments.corpus)),
                          {.block_size = kBlockSize, .validation = 0.05, .seed = options.seed});
  weft::Trainer trainer(model, options);
  if (arguments.resume) resume(arguments, trainer, data);
  weft::MetricsLog log = begin(arguments, trainer, data);
  std::cerr << "GIN-Llama with " << weft::count_parameters(model) << " parameters, " << data.tokens().size()
            << " bytes of text, " << weft::thread_count() << " threads\n";

  double bits_per_byte = trainer.evaluate(data).bits_per_byte;
  apps::ProgressBar bar(options.max_steps, trainer.completed_steps());
  weft::TrainingCallbacks callbacks;
  callbacks.on_step = [&](const weft::StepReport& report) {
    log.write(report);
    bar.update(report.step, line(report, bits_per_byte));
  };
  callbacks.on_evaluation = [&](const weft::EvaluationReport& report) {
    log.write(report);
    bits_per_byte = report.bits_per_byte;
  };
  callbacks.on_step_done = [&](const weft::StepReport& report) {
    if (report.step % arguments.save_every == 0) weft::save_checkpoint(arguments.checkpoint(), trainer, data);
  };
  callbacks.should_stop = [] { return interrupted != 0; };
  const bool done = trainer.fit(data, callbacks);
  bar.finish();
  weft::save_checkpoint(arguments.checkpoint(), trainer, data);
  std::fprintf(stderr, "validation: %.3f bits per byte after %ld steps\n", bits_per_byte,
               static_cast<long>(trainer.completed_steps()));
  return done;
}

/// Loads the checkpoint into a fresh model, which then draws its graph of the prompt and continues it.
void show(const Arguments& arguments, std::uint64_t seed) {
  Model model(weft::Rng(0));
  weft::load_checkpoint(arguments.checkpoint(), model);
  const weft::ByteTokenizer tokenizer;
  examples::draw_loss(arguments.metrics(), arguments.output + "/loss.png");
  examples::draw_adjacency(model, tokenizer, arguments.prompt, arguments.output + "/adjacency.png");
  std::cout << "\n" << arguments.prompt << std::flush;
  const weft::GenerationOptions options{
      .max_new_tokens = std::max<weft::Index>(1, kBlockSize - static_cast<weft::Index>(arguments.prompt.size())),
      .sampling = {.sample = true, .temperature = 0.8, .top_p = 0.95, .seed = seed}};
  weft::generate(model, tokenizer, arguments.prompt, options, [](std::string_view piece) {
    std::cout << piece << std::flush;
    return true;
  });
  std::cout << "\n\n";
}

int run(const Arguments& arguments) {
  const weft::TrainingOptions options = training_options(arguments);
  std::signal(SIGINT, [](int) { interrupted = 1; });
  const bool done = train(arguments, options);
  std::signal(SIGINT, SIG_DFL);
  if (!done || interrupted != 0) {
    std::cerr << "stopped and saved; the same command with --resume goes on\n";
    return 130;
  }
  show(arguments, options.seed);
  std::cout << "checkpoint, metrics and pictures are in " << arguments.output << "/\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Trains a small graph-aware Llama on a text, byte by byte, and lets it speak.");
  app.failure_message(
      [](const CLI::App*, const CLI::Error& error) { return std::string("train_text: ") + error.what() + "\n"; });
  Arguments arguments;
  const auto positive = apps::between(1, 1'000'000'000);
  app.add_option("--corpus", arguments.corpus, "UTF-8 text to learn")->required()->check(apps::some_text());
  app.add_option("--steps", arguments.steps, "updates of the weights (1500; with --resume those of the checkpoint)")
      ->transform(positive);
  app.add_option("--output", arguments.output, "folder for checkpoint and pictures")
      ->check(apps::some_text())
      ->capture_default_str();
  app.add_option("--prompt", arguments.prompt, "what the model continues")
      ->check(apps::some_text())
      ->capture_default_str();
  app.add_option("--save-every", arguments.save_every, "steps between checkpoints")
      ->transform(positive)
      ->capture_default_str();
  app.add_option("--seed", arguments.seed,
                 "of weights, data order and generation (42; with --resume that of the checkpoint)")
      ->transform(apps::seed());
  app.add_flag("--resume", arguments.resume, "go on from the checkpoint in the output folder");
  CLI11_PARSE(app, argc, argv);
  try {
    apps::hold_closed_streams();
    return run(arguments);
  } catch (const std::bad_alloc&) {
    std::cerr << "train_text: there is not enough memory for this text\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "train_text: " << error.what() << "\n";
    return 1;
  }
}
