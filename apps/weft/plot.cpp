// SPDX-License-Identifier: Apache-2.0
// weft plot: figures of texts, training runs and models.
#include <iostream>
#include <memory>
#include <optional>

#include "weft/io/text_file.hpp"

#include "apps/figures/attention_graph.hpp"
#include "apps/figures/graph_parameters.hpp"
#include "apps/figures/loss_curves.hpp"
#include "apps/figures/token_lengths.hpp"
#include "apps/support/arguments.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/model.hpp"
#include "apps/weft/text_codec.hpp"

namespace apps {

namespace {

struct Options {
  std::string picture;
  std::string input;                 // a model folder, or a file of metrics
  std::vector<std::string> folders;  // of a figure that takes several
  std::string text;
  std::string by = "step";
  std::optional<double> epochs;
  std::optional<weft::Index> layer;
  weft::Index head = 0;
  double threshold = 0.1;
  bool drop_last = false;
  bool ids = false;
};

int done(Picture picture, const std::string& path) {
  if (picture != Picture::drawn) weft::fail(report(picture, path));
  std::cout << report(picture, path) << "\n";
  expect_printed();
  return kDone;
}

/// Each line of the file is a text.
int plot_lengths(const Options& options) {
  const auto tokenizer = weft::Tokenizer::from_file(tokenizer_path(options.input));
  const std::string text = weft::read_text(options.text);
  std::vector<std::int64_t> lengths;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    if (!line.empty()) lengths.push_back(static_cast<std::int64_t>(tokenizer.encode(line).size()));
    begin = end + 1;
  }
  return done(draw_histogram(histogram_of(lengths), options.picture), options.picture);
}

int plot_loss(const Options& options) {
  const LossCurves curves = read_loss_curves(options.input);
  if (options.by == "step") return done(draw_losses(curves, "step", options.picture), options.picture);
  const double epochs = options.epochs.value_or(curves.epochs);
  if (!(epochs > 0)) weft::fail(options.input + ": no line has an epoch above 0, and --epochs does not say how many");
  const LossCurves over = over_epochs(curves, epochs);
  if (options.by == "epoch") return done(draw_losses(over, "epoch", options.picture), options.picture);
  const auto mean = [&](const std::vector<LossPoint>& points) {
    return mean_of_epochs(points, epochs, options.drop_last);
  };
  const LossCurves means{mean(over.training), mean(over.validation), epochs};
  if (means.training.empty()) weft::fail(options.input + ": --drop-last leaves no training loss");
  return done(draw_losses(means, "mean of epoch", options.picture, true), options.picture);
}

int plot_parameters(const Options& options) {
  const Model model(options.input);
  return done(draw_layer_scalars(layer_scalars(model.parameters()), options.picture), options.picture);
}

int plot_scales(const Options& options) {
  std::vector<ScaleColumn> columns;
  for (const std::string& folder : options.folders) {
    const Model model(folder);
    const std::size_t name = folder.find_last_not_of('/') + 1;
    const std::size_t slash = folder.substr(0, name).rfind('/');
    const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
    columns.push_back({folder.substr(begin, name - begin), trainable_scales(model.parameters())});
  }
  return done(draw_scales(columns, options.picture), options.picture);
}

/// The weights of one layer over the text, with a label for each token.
Adjacency read_adjacency(const Options& options) {
  Model model(options.input);
  Adjacency adjacency;
  std::vector<std::int32_t> tokens;
  if (options.ids) {
    tokens = read_ids(options.text, "TEXT");
    for (const std::int32_t token : tokens) adjacency.labels.push_back(std::to_string(token));
  } else {
    const TextCodec codec(options.input, model.vocab_size(), "with --ids the text is numbers of tokens");
    tokens = codec.encode(options.text);
    for (const std::int32_t token : tokens) adjacency.labels.push_back(visible(codec.label(token)));
  }
  if (tokens.empty()) weft::fail("the text has no token; one at least is needed");
  const weft::Index last = model.llama().num_hidden_layers - 1;
  const weft::Index layer = options.layer.value_or(last);
  if (layer > last) weft::fail(weft::concat("--layer: this model has layers 0 to ", last, ", found ", layer));
  adjacency.weights = model.adjacency(tokens, layer);
  adjacency.heads = adjacency.weights.size() / (tokens.size() * tokens.size());
  return adjacency;
}

int plot_adjacency(const Options& options) {
  return done(draw_adjacency(read_adjacency(options), options.picture), options.picture);
}

int plot_graph(const Options& options) {
  const Adjacency adjacency = read_adjacency(options);
  const auto head = static_cast<std::size_t>(options.head);
  if (head >= adjacency.heads) {
    weft::fail(weft::concat("--head: the layer has heads 0 to ", adjacency.heads - 1, ", found ", head));
  }
  return done(draw_causal_graph(adjacency, head, options.threshold, options.picture), options.picture);
}

/// A kind of figure with what all of them have: where it goes.
CLI::App* add_kind(CLI::App* plot, const std::string& name, const std::string& help, Options& options, int& code,
                   int (*draw)(const Options&)) {
  CLI::App* kind = plot->add_subcommand(name, help);
  kind->add_option("-o,--output", options.picture, "the picture, .png or .svg")
      ->check(some_text())
      ->default_str(name + ".png");
  kind->callback([&options, &code, draw, name] {
    if (options.picture.empty()) options.picture = name + ".png";
    code = draw(options);
  });
  return kind;
}

void add_input(CLI::App* kind, const std::string& name, const std::string& help, Options& options) {
  kind->add_option(name, options.input, help)->required()->check(some_text())->type_name("");
}

/// What both figures of attention weights take.
void add_layer_and_text(CLI::App* kind, Options& options) {
  add_input(kind, "DIR", "model folder", options);
  kind->add_option("TEXT", options.text, "what the model reads")->required()->check(some_text())->type_name("");
  kind->add_option("--layer", options.layer, "counted from 0 (the last)")->transform(between(0, kMost));
  kind->add_flag("--ids", options.ids, "the text is numbers of tokens");
}

}  // namespace

void add_plot(CLI::App& app, int& code) {
  CLI::App* plot = app.add_subcommand("plot", "draw a figure of a text, a training run or a model");
  plot->require_subcommand(0, 1);  // with 1, a kind that there is not would be called missing
  plot->footer(
      "Pictures are drawn by gnuplot, as PNG or SVG. `weft plot KIND --help` explains one.\n\n"
      "  weft plot loss scribe/metrics.jsonl -o loss.svg\n"
      "  weft plot adjacency scribe \"In the beginning\" --layer 2\n"
      "  weft plot scales epoch-1 epoch-2 epoch-3");
  const auto shared = std::make_shared<Options>();
  Options& options = *shared;
  plot->callback([shared, plot] {
    if (plot->get_subcommands().empty()) throw CLI::RequiredError("a kind of figure");
  });

  CLI::App* kind = add_kind(plot, "lengths", "how many tokens the lines of a text have", options, code, plot_lengths);
  add_input(kind, "DIR", "folder with tokenizer.json, or that file", options);
  kind->add_option("FILE", options.text, "a text on each line")->required()->check(some_text())->type_name("");

  kind = add_kind(plot, "loss", "losses of a training run", options, code, plot_loss);
  add_input(kind, "METRICS", "metrics.jsonl of the run", options);
  kind->add_option("--by", options.by, "step, epoch, or mean: one point for each epoch")
      ->check(CLI::IsMember({"step", "epoch", "mean"}))
      ->capture_default_str();
  kind->add_option("--epochs", options.epochs, "of the whole run (what the file says)")->transform(between(1e-9, 1e9));
  kind->add_flag("--drop-last", options.drop_last, "mean: without the last step, as the reference has it");

  kind = add_kind(plot, "parameters", "the scalars that each layer has learned", options, code, plot_parameters);
  add_input(kind, "DIR", "model folder", options);

  kind = add_kind(plot, "scales", "trainable_scale of each graph network, over folders", options, code, plot_scales);
  kind->add_option("DIR", options.folders, "model folders, of the epochs of a run for instance")
      ->required()
      ->check(some_text())
      ->type_name("");

  kind = add_kind(plot, "adjacency", "attention weights over a text, a panel for each head", options, code,
                  plot_adjacency);
  add_layer_and_text(kind, options);

  kind = add_kind(plot, "graph", "which tokens listen to which, in one head", options, code, plot_graph);
  add_layer_and_text(kind, options);
  kind->add_option("--head", options.head, "counted from 0")->transform(between(0, kMost))->capture_default_str();
  kind->add_option("--threshold", options.threshold, "leave out edges below this share of the heaviest")
      ->transform(between(0.0, 1.0))
      ->capture_default_str();
}

}  // namespace apps
