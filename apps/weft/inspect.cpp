// SPDX-License-Identifier: Apache-2.0
// weft inspect: what a model is, and what memory it takes.
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <set>

#include "weft/io/json_config.hpp"
#include "weft/io/model_weights.hpp"
#include "weft/models/config.hpp"

#include "apps/support/arguments.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/figures.hpp"
#include "apps/weft/model.hpp"

namespace apps {

namespace {

using weft::detail::Json;

struct Options {
  std::string folder;
  std::optional<weft::Index> length;
  bool json = false;
};

/// "F32", or several with a comma between.
std::string element_types(const std::string& folder) {
  std::set<std::string_view> types;
  const weft::ModelWeights weights(folder);
  for (const weft::SafetensorsFile& file : weights.tensors().files()) {
    for (const weft::SafetensorsTensor& tensor : file.tensors()) types.insert(tensor.dtype);
  }
  std::string text;
  for (const std::string_view type : types) text += weft::concat(text.empty() ? "" : ", ", type);
  return text;
}

/// Everything about the architecture, with names to read.
std::vector<Figure> architecture(const Options& options, const Model& model) {
  const weft::LlamaConfig& llama = model.llama();
  const weft::GNNConfig& gnn = model.gnn();
  const bool plain_attention = gnn.use_GNN_from_attention == weft::GNNFromAttention::none;
  std::vector<Figure> all{{"attention", plain_attention ? "LlamaAttention" : weft::name_of(gnn.use_GNN_from_attention)},
                          {"feed_forward", weft::name_of(gnn.MLP_type)},
                          {"hidden_act", weft::name_of(llama.hidden_act)},
                          {"graph_network", weft::name_of(gnn.gnn_mode)}};
  if (gnn.gnn_mode != weft::GNNMode::none) {
    all.push_back({"graph_network_type", weft::name_of(gnn.gnn_type)});
    all.push_back({"graph_network_place", weft::name_of(gnn.gnn_logic)});
  }
  const std::vector<Figure> numbers{{"layers", llama.num_hidden_layers},
                                    {"hidden_size", llama.hidden_size},
                                    {"intermediate_size", llama.intermediate_size},
                                    {"attention_heads", llama.num_attention_heads},
                                    {"key_value_heads", llama.kv_heads()},
                                    {"head_size", llama.head_size()},
                                    {"vocab_size", model.vocab_size()},
                                    {"longest_text", model.longest_text()},
                                    {"rope_theta", weft::detail::multiplier_json(llama.rope_theta)},
                                    {"rope_type", weft::name_of(llama.rope_scaling.type)},
                                    {"rope_factor", weft::detail::multiplier_json(llama.rope_scaling.factor)},
                                    {"tied_embedding", llama.tie_word_embeddings},
                                    {"semantics", weft::name_of(gnn.semantics)},
                                    {"element_type", element_types(options.folder)},
                                    {"decodes_incrementally", model.incremental()}};
  all.insert(all.end(), numbers.begin(), numbers.end());
  return all;
}

/// Which part of the model a parameter is of, by its name: "model.layers.3.self_attn.q_proj.weight" of the attention.
const char* part_of(const std::string& name) {
  const auto has = [&](const char* module) { return name.find(module) != std::string::npos; };
  if (has("model.embed_tokens.")) return "embedding";
  if (has("lm_head.")) return "head";
  if (has(".self_attn.")) return "attention";
  if (has(".mlp.")) return "feed_forward";
  if (has("layernorm.") || name.starts_with("model.norm.")) return "norms";
  return "graph_network";
}

/// Of the parts in the order of the model, then the sum. What stands under several names counts once.
std::vector<Figure> parameters(const Model& model) {
  std::vector<Figure> parts;
  std::int64_t total = 0;
  for (const char* part : {"embedding", "attention", "feed_forward", "graph_network", "norms", "head"}) {
    std::int64_t count = 0;
    for (const weft::AnyParameter& parameter : model.parameters()) {
      if (std::string_view(part_of(parameter.name().name)) == part) count += parameter.size();
    }
    parts.push_back({part, count});
    total += count;
  }
  parts.push_back({"total", total});
  return parts;
}

/// In bytes. Training has a float, a gradient and two moments of AdamW for each weight; activations depend on batch and block.
std::vector<Figure> memory(const Options& options, const Model& model) {
  std::int64_t weights = 0;
  std::int64_t training = 0;
  for (const weft::AnyParameter& parameter : model.parameters()) {
    const std::size_t width = parameter.bf16_data() != nullptr ? sizeof(weft::bf16) : sizeof(float);
    weights += parameter.size() * static_cast<std::int64_t>(width);
    training += parameter.size() * static_cast<std::int64_t>(4 * sizeof(float));
  }
  const weft::Index length = options.length.value_or(model.longest_text());
  const weft::Index per_token = model.cache_bytes_per_token();
  if (per_token > 0 && length > std::numeric_limits<weft::Index>::max() / per_token) {
    weft::fail(weft::concat("--length: a cache for ", length, " tokens has more bytes than can be counted"));
  }
  return {{"weights", weights},
          {"training_without_activations", training},
          {"cache_per_token", per_token},
          {"cache_length", length},
          {"cache", per_token * length}};
}

Json as_json(const std::vector<Figure>& figures) {
  Json::Object object;
  for (const Figure& figure : figures) object[figure.name] = figure.value;
  return object;
}

void print_text(const Options& options, const Model& model) {
  std::cout << options.folder << "\n\narchitecture\n";
  for (const Figure& figure : architecture(options, model)) print_row(figure, value_text(figure.value));
  std::cout << "\nparameters\n";
  for (const Figure& figure : parameters(model)) print_row(figure, value_text(figure.value));
  std::cout << "\nmemory (weights that the file has as BF16 stay so, others are F32)\n";
  for (const Figure& figure : memory(options, model)) {
    const bool about_cache = std::string_view(figure.name).starts_with("cache");
    if (about_cache && !model.incremental()) continue;
    const bool tokens = std::string_view(figure.name) == "cache_length";
    print_row(figure, tokens ? value_text(figure.value) + " tokens" : bytes_text(figure.value));
  }
  if (!model.incremental()) {
    std::cout << "\nThis model keeps no cache: each new token computes the whole text once more.\n";
  }
  std::cout
      << "\nTraining: weights, gradients and the two moments of AdamW. Activations come on top; they depend on the\n"
         "batch and the length of its texts.\n";
}

int inspect(const Options& options) {
  const Model model(options.folder);
  if (options.json) {
    print_json(Json::Object{{"architecture", as_json(architecture(options, model))},
                            {"memory_bytes", as_json(memory(options, model))},
                            {"parameters", as_json(parameters(model))}});
  } else {
    print_text(options, model);
  }
  expect_printed();
  return kDone;
}

}  // namespace

void add_inspect(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand("inspect", "show architecture, parameters and memory of a model");
  command->footer("  weft inspect scribe --length 4096");
  const auto options = std::make_shared<Options>();
  command->add_option("DIR", options->folder, "model folder")->required()->check(some_text())->type_name("");
  command
      ->add_option("--length", options->length,
                   "tokens of the text whose key-value cache is counted (those the model was made for)")
      ->transform(between(1, kMost));
  command->add_flag("--json", options->json, "one JSON object");
  command->callback([options, &code] { code = inspect(*options); });
}

}  // namespace apps
