// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/model.hpp"

#include <algorithm>
#include <optional>

#include "weft/io/generation_config.hpp"
#include "weft/io/lora_folder.hpp"
#include "weft/io/pretrained.hpp"
#include "weft/models/adjacency.hpp"
#include "weft/models/generate.hpp"
#include "weft/models/llama.hpp"

#include "apps/weft/command.hpp"
#include "apps/weft/looks_ahead.hpp"
#include "apps/weft/text_codec.hpp"

namespace apps {

namespace {

using AnyLlama = weft::LlamaForCausalLMWithGNN<weft::Dynamic>;

AnyLlama load(const std::string& folder, const std::string& adapter) {
  std::vector<std::string> notes;
  AnyLlama model = weft::load_pretrained<weft::Dynamic>(folder, &notes);
  print_notes(notes);
  if (!adapter.empty()) weft::load_lora(model, adapter);
  return model;
}

}  // namespace

struct Model::Loaded {
  AnyLlama model;
  std::string folder;
  weft::Inference inference{};
  std::optional<weft::Generator<AnyLlama>> generator{};
  weft::Index tokens_read = 0;  ///< of the last text that was continued
  bool noted_length = false;

  static auto as_batch(std::span<const std::int32_t> tokens) {
    const weft::Shape<weft::Dyn, weft::Dyn> shape(1, static_cast<weft::Index>(tokens.size()));
    return weft::TensorView<const std::int32_t, weft::Shape<weft::Dyn, weft::Dyn>>(tokens.data(), shape);
  }
};

Model::Model(const std::string& folder, const std::string& adapter)
    : loaded_(new Loaded{load(folder, adapter), folder}) {}
Model::Model(Model&&) noexcept = default;
Model::~Model() = default;

const weft::LlamaConfig& Model::llama() const { return loaded_->model.llama_config(); }
const weft::GNNConfig& Model::gnn() const { return loaded_->model.gnn_config(); }
weft::Index Model::vocab_size() const { return loaded_->model.vocab_size(); }

weft::Index Model::longest_text() const {
  const bool coarse = gnn().use_GNN_from_attention == weft::GNNFromAttention::CG_Attention ||
                      gnn().use_GNN_from_attention == weft::GNNFromAttention::CG_Attention_Interpolate;
  return coarse ? gnn().max_position_embeddings : llama().max_position_embeddings;
}

bool Model::incremental() const { return loaded_->model.incremental(); }

weft::Index Model::cache_bytes_per_token() const {
  if (!incremental()) return 0;
  const auto& layers = loaded_->model.model.layers;
  const auto& layer = layers[0];
  const weft::Index width = layer.self_attn.key_width() + layer.self_attn.value_width() +
                            weft::block_cache_width(layer.mlp) + layer.graph_cache_width();
  return layers.size() * width * static_cast<weft::Index>(sizeof(AnyLlama::Element));
}

std::vector<weft::AnyParameter> Model::parameters() const {
  std::vector<weft::AnyParameter> once;
  for (weft::AnyParameter& parameter : weft::list_parameters(loaded_->model)) {
    const auto same = [&](const weft::AnyParameter& other) { return other.same_parameter(parameter); };
    if (std::none_of(once.begin(), once.end(), same)) once.push_back(std::move(parameter));
  }
  return once;
}

Continuation Model::usual_continuation() const {
  const weft::GenerationOptions usual = weft::read_generation_config(loaded_->folder);
  Continuation how{usual.max_new_tokens, usual.sampling, usual.stop_tokens};
  const weft::TokenIds& ends = llama().eos_token_id;
  if (how.stop_tokens.empty()) how.stop_tokens.assign(ends.begin(), ends.end());
  return how;
}

void Model::generate(std::span<const std::int32_t> prompt, const Continuation& how,
                     const std::function<bool(std::int32_t)>& on_token) {
  expect_tokens(prompt);
  const weft::GenerationOptions options{
      .max_new_tokens = how.max_new_tokens, .sampling = how.sampling, .stop_tokens = how.stop_tokens};
  std::optional<weft::Generator<AnyLlama>>& generator = loaded_->generator;
  if (!generator) generator.emplace(loaded_->model, 1);
  loaded_->tokens_read = static_cast<weft::Index>(prompt.size()) - 1;  // the last token is said, but not read
  weft::generate(*generator, prompt, options, [&](std::int32_t token) {
    ++loaded_->tokens_read;
    return on_token(token);
  });
}

void Model::note_length() {
  const bool stretches = llama().rope_scaling.type == weft::RopeType::dynamic;  // its angles follow the text
  if (loaded_->tokens_read <= longest_text() || stretches || loaded_->noted_length) return;
  loaded_->noted_length = true;
  print_notes({"the text goes beyond the " + std::to_string(longest_text()) +
               " positions of the model (max_position_embeddings); what it says there is worth less"});
}

double Model::loss(std::span<const std::int32_t> tokens) {
  expect_tokens(tokens);
  loaded_->inference.reset();
  const auto ids = Loaded::as_batch(tokens);
  return static_cast<double>(loaded_->model.loss(loaded_->inference, ids, ids).data()[0]);
}

bool Model::looks_ahead(std::span<const std::int32_t> tokens) const {
  return apps::looks_ahead(loaded_->model, tokens);
}

std::vector<float> Model::adjacency(std::span<const std::int32_t> tokens, weft::Index layer) {
  expect_tokens(tokens);
  loaded_->inference.reset();
  const auto weights = weft::adjacency(loaded_->inference, loaded_->model.model, Loaded::as_batch(tokens), layer);
  return {weights.data(), weights.data() + weights.size()};
}

void Model::expect_tokens(std::span<const std::int32_t> tokens) const { apps::expect_tokens(tokens, vocab_size()); }

}  // namespace apps
