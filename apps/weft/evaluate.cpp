// SPDX-License-Identifier: Apache-2.0
// weft evaluate: how well a model predicts a text.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <numbers>
#include <optional>

#include "weft/io/text_file.hpp"

#include "apps/support/arguments.hpp"
#include "apps/support/progress_bar.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/model.hpp"
#include "apps/weft/text_codec.hpp"

namespace apps {

namespace {

using weft::detail::Json;

struct Options {
  std::string folder;
  std::string adapter;
  std::string file;
  std::optional<weft::Index> block;
  std::optional<weft::Index> limit_tokens;
  bool ids = false;
  bool json = false;
};

/// What is to be predicted.
struct Text {
  std::vector<std::int32_t> tokens;
  double bytes_per_token = 0;  ///< 0: not known
};

/// As the report of `Trainer::evaluate` has them.
struct Figures {
  weft::Index predicted = 0;
  double nats = 0;  ///< the sum of -ln p of those

  double loss() const { return nats / static_cast<double>(predicted); }
  double perplexity() const { return std::exp(loss()); }
};

Text read(const Options& options, const Model& model) {
  const std::string file = weft::read_text(options.file);
  const auto keep = [&](std::vector<std::int32_t> tokens) {
    const auto limit = static_cast<std::size_t>(options.limit_tokens.value_or(static_cast<weft::Index>(tokens.size())));
    tokens.resize(std::min(limit, tokens.size()));
    if (tokens.size() < 2) {
      weft::fail(weft::concat(options.file, " must have at least two tokens, of which one is predicted, found ",
                              tokens.size()));
    }
    model.expect_tokens(tokens);
    return tokens;
  };
  if (options.ids) return {keep(read_ids(file, options.file)), 0};
  const TextCodec codec(options.folder, model.vocab_size(), "with --ids the file holds numbers of tokens");
  Text text{keep(codec.encode(file))};
  text.bytes_per_token = codec.bytes_per_token(file, text.tokens.size());
  return text;
}

/// The mean over the blocks of a text, each by itself: the first token of a block is not predicted. A last token that
/// would be alone in its block is left out.
Figures measure(Model& model, const std::vector<std::int32_t>& tokens, weft::Index block) {
  const auto total = static_cast<weft::Index>(tokens.size());
  const weft::Index blocks = total / block + (total % block > 1 ? 1 : 0);
  ProgressBar bar(blocks, 0);
  Figures figures;
  for (weft::Index i = 0; i < blocks && !interrupted(); ++i) {
    const weft::Index count = std::min(block, total - i * block);
    const std::span<const std::int32_t> all(tokens);
    const double loss = model.loss(all.subspan(static_cast<std::size_t>(i * block), static_cast<std::size_t>(count)));
    if (!std::isfinite(loss)) {
      weft::fail(weft::concat("the loss of tokens ", i * block, " to ", i * block + count - 1, " is ", loss));
    }
    figures.nats += loss * static_cast<double>(count - 1);
    figures.predicted += count - 1;
    char text[80];
    std::snprintf(text, sizeof text, "loss %.3f  perplexity %.2f", figures.loss(), figures.perplexity());
    bar.update(i + 1, text);
  }
  bar.finish();
  return figures;
}

void report(const Options& options, const Text& text, weft::Index block, const Figures& figures, bool looks_ahead) {
  std::optional<double> bits_per_byte;
  if (text.bytes_per_token > 0) bits_per_byte = figures.loss() / std::numbers::ln2 / text.bytes_per_token;
  if (options.json) {
    return print_json(Json::Object{{"bits_per_byte", bits_per_byte ? Json(*bits_per_byte) : Json()},
                                   {"block", block},
                                   {"complete", !interrupted()},
                                   {"looks_ahead", looks_ahead},
                                   {"loss", figures.loss()},
                                   {"perplexity", figures.perplexity()},
                                   {"predicted_tokens", figures.predicted},
                                   {"tokens", text.tokens.size()}});
  }
  std::printf("loss              %.6f nats per token\n", figures.loss());
  std::printf("perplexity        %.6g\n", figures.perplexity());
  if (bits_per_byte) std::printf("bits per byte     %.6f\n", *bits_per_byte);
  std::printf("predicted tokens  %lld in blocks of %lld%s\n", static_cast<long long>(figures.predicted),
              static_cast<long long>(block), interrupted() ? ", stopped early" : "");
  if (std::fflush(stdout) != 0) weft::fail("cannot write to the standard output");
}

int evaluate(const Options& options) {
  constexpr weft::Index usual_block = 512;
  Model model(options.folder, options.adapter);
  const Text text = read(options, model);
  const weft::Index block = options.block.value_or(std::clamp<weft::Index>(model.longest_text(), 2, usual_block));
  const std::span<const std::int32_t> tokens(text.tokens);
  const bool looks_ahead = model.looks_ahead(tokens.first(std::min(tokens.size(), static_cast<std::size_t>(block))));
  if (looks_ahead)
    print_notes({"in this model tokens see later ones, so that the figures are better than predictions"});
  catch_interrupt();
  const Figures figures = measure(model, text.tokens, block);
  if (figures.predicted > 0) report(options, text, block, figures, looks_ahead);
  return interrupted() ? kInterrupted : kDone;
}

}  // namespace

void add_evaluate(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand("evaluate", "measure how well a model predicts a text");
  command->footer(
      "The text is cut into blocks; in each, every token but the first is predicted from those before it. Progress is\n"
      "shown on standard error. Ctrl-C reports the blocks so far. A model whose tokens see later ones (a norm over "
      "the\n"
      "whole text, for instance) gets a note: its figures are no predictions.\n\n"
      "  weft evaluate scribe genesis.txt --block 128");
  const auto options = std::make_shared<Options>();
  const auto at_least_two = between(2, kMost);
  command->add_option("DIR", options->folder, "model folder")->required()->check(some_text())->type_name("");
  command->add_option("FILE", options->file, "the text")->required()->check(some_text())->type_name("");
  command->add_option("--adapter", options->adapter, "folder of low-rank adapters, of weft finetune or PEFT")
      ->check(some_text());
  command
      ->add_option("--block", options->block, "tokens that the model sees at once (those it was made for, at most 512)")
      ->transform(at_least_two);
  command->add_option("--limit-tokens", options->limit_tokens, "only the first tokens of the text")
      ->transform(at_least_two);
  command->add_flag("--ids", options->ids, "the file holds numbers of tokens");
  command->add_flag("--json", options->json, "one JSON object");
  command->callback([options, &code] { code = evaluate(*options); });
}

}  // namespace apps
