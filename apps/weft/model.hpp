// SPDX-License-Identifier: Apache-2.0
/// \file
/// A model of any configuration behind an interface that is quick to compile; only model.cpp knows its type.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "weft/autograd/any_parameter.hpp"
#include "weft/models/config.hpp"
#include "weft/models/sampler.hpp"

namespace apps {

/// How a text is continued.
struct Continuation {
  weft::Index max_new_tokens = 100;
  weft::SamplingOptions sampling{};
  std::vector<weft::Index> stop_tokens{};  ///< ends after one of these
};

/// A model as `weft::load_pretrained` reads it.
class Model {
 public:
  /// Notes about values of config.json that were replaced go to standard error.
  /// \param adapter  folder of low-rank adapters to put in; empty: none
  explicit Model(const std::string& folder, const std::string& adapter = "");
  Model(Model&&) noexcept;
  ~Model();

  const weft::LlamaConfig& llama() const;
  const weft::GNNConfig& gnn() const;
  weft::Index vocab_size() const;

  /// The most tokens that it takes, as far as its configuration knows. Rotary positions have no such limit, but beyond
  /// it the model was not trained.
  weft::Index longest_text() const;

  /// Whether a new token costs one step and not the whole text once more.
  bool incremental() const;

  /// What a token leaves in the key-value cache, in all layers together; 0 if the model is not incremental.
  weft::Index cache_bytes_per_token() const;

  /// Each parameter once, under its first name. The model must outlive the list.
  std::vector<weft::AnyParameter> parameters() const;

  /// As generation_config.json of the folder wants it, where there is one.
  Continuation usual_continuation() const;

  /// Continues a text of at least one token; `on_token` returns false to stop. As far as the prompt begins as the text of the
  /// call before, an incremental model does not look at it again, unless the text outgrows the room that was taken for it.
  void generate(std::span<const std::int32_t> prompt, const Continuation& how,
                const std::function<bool(std::int32_t)>& on_token);

  /// A note on standard error if the last text that was continued was the first to go beyond `longest_text`.
  void note_length();

  /// The mean of -ln p of every token but the first, given those before it; at least two tokens.
  double loss(std::span<const std::int32_t> tokens);

  /// Whether the scores before the last of these tokens change with it: then the model sees what it is to predict.
  bool looks_ahead(std::span<const std::int32_t> tokens) const;

  /// The attention weights of a layer over a text, [heads, tokens, tokens], row = listening token.
  std::vector<float> adjacency(std::span<const std::int32_t> tokens, weft::Index layer);

  /// Raises Error for a number that is no token of the model.
  void expect_tokens(std::span<const std::int32_t> tokens) const;

 private:
  struct Loaded;
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace apps
