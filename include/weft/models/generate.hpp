// SPDX-License-Identifier: Apache-2.0
/// \file
/// Continuing a text, one token at a time.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/models/byte_tokenizer.hpp"
#include "weft/models/causal_lm.hpp"
#include "weft/models/sampler.hpp"

namespace weft {

/// How `generate` goes on and when it ends: by default after 100 tokens, or one that ends a text for the model.
struct GenerationOptions {
  Index max_new_tokens = 100;
  SamplingOptions sampling{};
  std::vector<Index> stop_tokens{};  ///< ends after one of these; empty: after one of the model's `eos_token_id`
  bool stop_at_eos = true;           ///< false: `eos_token_id` ends nothing
};

/// Continues one text. Where the model is incremental its keys and values are cached, and a step costs one token; where it
/// is not (see `incremental`; `LlamaMLP_HalfwayGIN_MultiAggregation` with the soft mask of the reference for example), a step
/// costs the whole text. Once a text was as long before, it allocates nothing; with attention that makes no adjacency nothing at
/// all after the prompt.
///
///     weft::Generator generator(model, prompt.size() + 100, sampling);
///     generator.read(prompt);
///     while (...) token = generator.next();
template <class Model>
class Generator {
 public:
  using T = typename Model::T;

  /// \param capacity  tokens of prompt and continuation together that there is room for, at least 1
  Generator(const Model& model, Index capacity, const SamplingOptions& sampling = {})
      : model_(model), capacity_(capacity), sampler_(model.vocab_size(), sampling) {
    if (capacity < 1) fail(concat("Generator(model, capacity): capacity must be positive, found ", capacity));
    if (model.incremental()) cache_.emplace(model.make_cache(1, capacity));
    text_ = Tensor<std::int32_t, Shape<Dyn>>(Shape<Dyn>(capacity));
  }

  /// Appends tokens to the text and returns the scores of the next one; at least one token.
  std::span<const T> read(std::span<const std::int32_t> tokens) {
    if (tokens.empty()) fail("Generator::read(tokens): the text needs at least one token");
    if (static_cast<Index>(tokens.size()) > capacity_ - length_) {
      fail(concat("Generator::read(tokens): ", tokens.size(), " more tokens do not fit: ", length_, " of ", capacity_,
                  " are taken"));
    }
    std::copy(tokens.begin(), tokens.end(), text_.data() + length_);
    length_ += static_cast<Index>(tokens.size());
    context_.reset();
    const std::span<const std::int32_t> run = cache_ ? tokens : text();
    const Shape<Dyn, Dyn> shape(1, static_cast<Index>(run.size()));
    const TensorView<const std::int32_t, Shape<Dyn, Dyn>> ids(run.data(), shape);
    const auto hidden = model_.model(context_, ids, {}, cache_ ? &*cache_ : nullptr);
    const auto last = hidden.reshape(Shape<Dyn, Model::kHiddenSize>::from({hidden.extent(1), hidden.extent(2)}));
    const auto logits = model_.logits(context_, last.slice(last.extent(0) - 1, 1));
    scores_ = {logits.data(), static_cast<std::size_t>(logits.size())};
    return scores_;
  }

  /// Chooses the next token and reads it. The first call follows a `read`.
  std::int32_t next() {
    if (scores_.empty()) fail("Generator::next(): read a prompt first");
    const auto token = static_cast<std::int32_t>(sampler_(scores_));
    if (length_ < capacity_) {
      read({&token, 1});
    } else {
      scores_ = {};
    }
    return token;
  }

  /// The text so far.
  std::span<const std::int32_t> text() const { return {text_.data(), static_cast<std::size_t>(length_)}; }

 private:
  const Model& model_;
  Inference context_;
  Index capacity_;
  std::optional<KVCache<T>> cache_;  ///< empty where every step recomputes the text
  Tensor<std::int32_t, Shape<Dyn>> text_;
  Index length_ = 0;  ///< tokens of the text so far
  Sampler sampler_;
  std::span<const T> scores_;
};

namespace detail {

/// Whether generation ends after a token: one of those that the caller gave, otherwise of those of the model.
template <class Model>
bool ends_text(const Model& model, const GenerationOptions& options, std::int32_t token) {
  const std::vector<Index>& stops = options.stop_tokens;
  if (!stops.empty()) return std::find(stops.begin(), stops.end(), Index{token}) != stops.end();
  return options.stop_at_eos && model.model.options().eos_token_id.contains(token);
}

}  // namespace detail

/// Continues `prompt` (at least one token) by up to `max_new_tokens`; calls `on_token(token)` after each, which may
/// return false to stop. Returns the new tokens, with the one that ended the text if one did.
template <class Model, class OnToken>
std::vector<std::int32_t> generate(const Model& model, std::span<const std::int32_t> prompt,
                                   const GenerationOptions& options, OnToken&& on_token) {
  std::vector<std::int32_t> tokens;
  if (prompt.empty()) {
    fail("generate(model, prompt): the prompt must have at least one token, the model's bos_token_id for instance");
  }
  if (options.max_new_tokens <= 0) return tokens;
  const auto length = static_cast<Index>(prompt.size());
  if (options.max_new_tokens > std::numeric_limits<Index>::max() - length) {
    fail(concat("generate(model, prompt): a prompt of ", length,
                " tokens and max_new_tokens = ", options.max_new_tokens, " are more tokens than can be counted"));
  }
  Generator<Model> generator(model, length + options.max_new_tokens - 1, options.sampling);
  generator.read(prompt);
  while (static_cast<Index>(tokens.size()) < options.max_new_tokens) {
    tokens.push_back(generator.next());
    if (!on_token(tokens.back()) || detail::ends_text(model, options, tokens.back())) break;
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
/// stop; then it is not called again. Returns the continuation.
template <class Model, class Tokenizer, class OnText>
std::string generate(const Model& model, const Tokenizer& tokenizer, std::string_view prompt,
                     const GenerationOptions& options, OnText&& on_text) {
  std::string text;
  auto decoder = tokenizer.stream();
  const auto deliver = [&](const std::string& piece) {
    text += piece;
    return piece.empty() || on_text(std::string_view(piece));
  };
  bool goes_on = true;
  generate(model, tokenizer.encode(prompt), options,
           [&](std::int32_t token) { return goes_on = deliver(decoder.push(token)); });
  if (goes_on) deliver(decoder.finish());
  return text;
}

/// The same, not interrupted.
template <class Model, class Tokenizer>
std::string generate(const Model& model, const Tokenizer& tokenizer, std::string_view prompt,
                     const GenerationOptions& options = {}) {
  return generate(model, tokenizer, prompt, options, [](std::string_view) { return true; });
}

}  // namespace weft
