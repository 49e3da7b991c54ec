// SPDX-License-Identifier: Apache-2.0
/// \file
/// Continuing a text, one token at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/models/byte_tokenizer.hpp"
#include "weft/models/causal_lm.hpp"
#include "weft/models/generator.hpp"
#include "weft/models/sampler.hpp"

namespace weft {

/// How `generate` goes on and when it ends: by default after 100 tokens, or one that ends a text for the model.
struct GenerationOptions {
  Index max_new_tokens = 100;
  SamplingOptions sampling{};
  std::vector<Index> stop_tokens{};  ///< ends after one of these; empty: after one of the model's `eos_token_id`
  bool stop_at_eos = true;           ///< false: `eos_token_id` ends nothing
};

namespace detail {

/// Whether generation ends after a token: one of those that the caller gave, otherwise of those of the model.
template <class Model>
bool ends_text(const Model& model, const GenerationOptions& options, std::int32_t token) {
  const std::vector<Index>& stops = options.stop_tokens;
  if (!stops.empty()) return std::find(stops.begin(), stops.end(), Index{token}) != stops.end();
  return options.stop_at_eos && model.model.options().eos_token_id.contains(token);
}

/// The tokens that a generator needs room for: nobody wants to know what follows the last.
inline Index room_for(std::span<const std::int32_t> prompt, const GenerationOptions& options) {
  if (prompt.empty()) {
    fail("generate(model, prompt): the prompt must have at least one token, the model's bos_token_id for instance");
  }
  const auto length = static_cast<Index>(prompt.size());
  if (options.max_new_tokens > std::numeric_limits<Index>::max() - length) {
    fail(concat("generate(model, prompt): a prompt of ", length,
                " tokens and max_new_tokens = ", options.max_new_tokens, " are more tokens than can be counted"));
  }
  return length + options.max_new_tokens - 1;
}

/// Room for a prompt of twice the length: a text that grows turn by turn is read from its beginning a few times only.
inline Index with_spare(Index room, std::span<const std::int32_t> prompt) {
  const auto length = static_cast<Index>(prompt.size());
  return room <= std::numeric_limits<Index>::max() - length ? room + length : room;
}

/// Tokens of an answer that there is room for from the start. A longer one gets twice the room when it is there, and the text is
/// read once more: a limit that nobody means to reach must not take its memory.
inline constexpr Index kAnswerRoom = 16384;

inline Index room_at_first(Index room, std::span<const std::int32_t> prompt) {
  return std::min(room, static_cast<Index>(prompt.size()) + kAnswerRoom);
}

/// \param room  of the whole text at most
template <class Model, class OnToken>
std::vector<std::int32_t> take_tokens(Generator<Model>& generator, const GenerationOptions& options, Index room,
                                      OnToken& on_token) {
  std::vector<std::int32_t> tokens;
  while (static_cast<Index>(tokens.size()) < options.max_new_tokens) {
    const Index capacity = generator.capacity();
    if (static_cast<Index>(generator.text().size()) == capacity && capacity < room) {
      generator.reserve(capacity > room / 2 ? room : 2 * capacity);
    }
    tokens.push_back(generator.next());
    if (!on_token(tokens.back()) || ends_text(generator.model(), options, tokens.back())) break;
  }
  return tokens;
}

}  // namespace detail

/// Continues `prompt` (at least one token) by up to `max_new_tokens`; calls `on_token(token)` after each, which may
/// return false to stop. Returns the new tokens, with the one that ended the text if one did.
template <class Model, class OnToken>
std::vector<std::int32_t> generate(const Model& model, std::span<const std::int32_t> prompt,
                                   const GenerationOptions& options, OnToken&& on_token) {
  const Index room = detail::room_for(prompt, options);
  if (options.max_new_tokens <= 0) return {};
  Generator<Model> generator(model, detail::room_at_first(room, prompt), options.sampling);
  generator.read(prompt);
  return detail::take_tokens(generator, options, room, on_token);
}

/// The same with a generator that may have read a text before, the earlier turns of a conversation for instance: as far as
/// the prompt begins as that text does, an incremental model does not look at it again, unless it needs more room: then room
/// for a prompt of twice the length is taken, and the text read once more.
template <class Model, class OnToken>
std::vector<std::int32_t> generate(Generator<Model>& generator, std::span<const std::int32_t> prompt,
                                   const GenerationOptions& options, OnToken&& on_token) {
  const Index room = detail::room_for(prompt, options);
  if (options.max_new_tokens <= 0) return {};
  generator.sample_by(options.sampling);
  const std::vector<std::int32_t> wanted(prompt.begin(),
                                         prompt.end());  // the prompt may be the generator's text, which moves
  const auto text = generator.text();
  const auto common = std::mismatch(text.begin(), text.end(), wanted.begin(), wanted.end()).first - text.begin();
  const auto known = std::min(static_cast<std::size_t>(common), wanted.size() - 1);  // scores follow a read
  const Index first = detail::room_at_first(room, prompt);
  if (first > generator.capacity()) generator.reserve(text.empty() ? first : detail::with_spare(first, prompt));
  generator.truncate(static_cast<Index>(known));
  generator.read(std::span(wanted).subspan(known));
  return detail::take_tokens(generator, options, room, on_token);
}

/// The same, not interrupted.
template <class Model>
std::vector<std::int32_t> generate(const Model& model, std::span<const std::int32_t> prompt,
                                   const GenerationOptions& options = {}) {
  return generate(model, prompt, options, [](std::int32_t) { return true; });
}

/// The same with a generator, not interrupted.
template <class Model>
std::vector<std::int32_t> generate(Generator<Model>& generator, std::span<const std::int32_t> prompt,
                                   const GenerationOptions& options = {}) {
  return generate(generator, prompt, options, [](std::int32_t) { return true; });
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
