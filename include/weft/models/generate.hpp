// SPDX-License-Identifier: Apache-2.0
/// \file
/// Continuing a text, one token at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weft/models/byte_tokenizer.hpp"
#include "weft/models/causal_lm.hpp"
#include "weft/models/sampler.hpp"

namespace weft {

/// How `generate` goes on and when it ends: by default 100 tokens, whatever they are.
struct GenerationOptions {
  Index max_new_tokens = 100;
  SamplingOptions sampling{};
  std::vector<Index> stop_tokens{};  ///< generation ends after one of these
};

/// Continues one text with a model whose keys and values are cached: each step costs one token. After the prompt it
/// allocates nothing.
///
///     weft::Generator generator(model, prompt.size() + 100, sampling);
///     generator.read(prompt);
///     while (...) token = generator.next();
template <class Model>
class Generator {
 public:
  using T = typename Model::T;

  /// \param capacity  tokens of prompt and continuation together that the cache has room for
  Generator(const Model& model, Index capacity, const SamplingOptions& sampling = {})
      : model_(model), cache_(model.make_cache(1, capacity)), sampler_(model.vocab_size(), sampling) {}

  /// Appends tokens to the text and returns the scores of the next one; at least one token.
  std::span<const T> read(std::span<const std::int32_t> tokens) {
    if (tokens.empty()) fail("Generator::read(tokens): the text needs at least one token");
    context_.reset();
    const Shape<Dyn, Dyn> shape(1, static_cast<Index>(tokens.size()));
    const TensorView<const std::int32_t, Shape<Dyn, Dyn>> ids(tokens.data(), shape);
    const auto hidden = model_.model(context_, ids, {}, &cache_);
    const auto last = hidden.reshape(Shape<Dyn, Model::kHiddenSize>::from({hidden.extent(1), hidden.extent(2)}));
    const auto logits = model_.logits(context_, last.slice(last.extent(0) - 1, 1));
    scores_ = {logits.data(), static_cast<std::size_t>(logits.size())};
    return scores_;
  }

  /// Chooses the next token and reads it. The first call follows a `read`.
  std::int32_t next() {
    if (scores_.empty()) fail("Generator::next(): read a prompt first");
    const auto token = static_cast<std::int32_t>(sampler_(scores_));
    if (cache_.length() < cache_.capacity()) {
      read({&token, 1});
    } else {
      scores_ = {};
    }
    return token;
  }

  const KVCache<T>& cache() const { return cache_; }

 private:
  const Model& model_;
  Inference context_;
  KVCache<T> cache_;
  Sampler sampler_;
  std::span<const T> scores_;
};

/// Continues `prompt` (at least one token) by up to `max_new_tokens`; calls `on_token(token)` after each, which may
/// return false to stop. Returns the new tokens.
template <class Model, class OnToken>
std::vector<std::int32_t> generate(const Model& model, std::span<const std::int32_t> prompt,
                                   const GenerationOptions& options, OnToken&& on_token) {
  std::vector<std::int32_t> tokens;
  if (options.max_new_tokens <= 0) return tokens;
  Generator<Model> generator(model, static_cast<Index>(prompt.size()) + options.max_new_tokens - 1, options.sampling);
  generator.read(prompt);
  while (static_cast<Index>(tokens.size()) < options.max_new_tokens) {
    tokens.push_back(generator.next());
    const auto& stops = options.stop_tokens;
    if (!on_token(tokens.back())) break;
    if (std::find(stops.begin(), stops.end(), Index{tokens.back()}) != stops.end()) break;
  }
  return tokens;
}

/// The same, not interrupted.
template <class Model>
std::vector<std::int32_t> generate(const Model& model, std::span<const std::int32_t> prompt,
                                   const GenerationOptions& options = {}) {
  return generate(model, prompt, options, [](std::int32_t) { return true; });
}

/// Continues a text. `on_text(piece)` receives whole characters as soon as they are complete and may return false to
/// stop. Returns the continuation.
template <class Model, class Tokenizer, class OnText>
std::string generate(const Model& model, const Tokenizer& tokenizer, std::string_view prompt,
                     const GenerationOptions& options, OnText&& on_text) {
  std::string text;
  auto decoder = tokenizer.stream();
  const auto deliver = [&](std::string piece) {
    text += piece;
    return piece.empty() || on_text(std::string_view(piece));
  };
  generate(model, tokenizer.encode(prompt), options, [&](std::int32_t token) { return deliver(decoder.push(token)); });
  deliver(decoder.finish());
  return text;
}

/// The same, not interrupted.
template <class Model, class Tokenizer>
std::string generate(const Model& model, const Tokenizer& tokenizer, std::string_view prompt,
                     const GenerationOptions& options = {}) {
  return generate(model, tokenizer, prompt, options, [](std::string_view) { return true; });
}

}  // namespace weft
