// SPDX-License-Identifier: Apache-2.0
/// \file
/// From tokens back to text.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tokenizers/byte_symbols.hpp"
#include "weft/tokenizers/pre_tokenizer.hpp"
#include "weft/tokenizers/text_section.hpp"

namespace weft::detail {

/// One step of a decoder, as tokenizer.json names it.
struct DecoderStep {
  enum class Kind { byte_level, byte_fallback, fuse, replace, strip, metaspace };
  Kind kind = Kind::fuse;
  std::string pattern{};                          ///< of replace; of metaspace what stands for spaces
  std::string content{};                          ///< of replace and strip
  std::size_t start = 0;                          ///< of strip: at most as many at the front of a token
  std::size_t stop = 0;                           ///< and at its end
  PrependScheme prepend = PrependScheme::always;  ///< of metaspace
};

/// The byte that a token of the form <0xE2> stands for.
inline std::optional<char> fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return {};
  int byte = 0;
  for (const char digit : token.substr(3, 2)) {
    const std::size_t value = std::string_view("0123456789ABCDEF0123456789abcdef").find(digit);
    if (value == std::string_view::npos) return {};
    byte = byte * 16 + static_cast<int>(value % 16);
  }
  return static_cast<char>(static_cast<unsigned char>(byte));
}

/// The text with `content` wherever it has `pattern`, which is not empty.
inline std::string replace_all(std::string_view text, std::string_view pattern, std::string_view content) {
  std::string result;
  for (std::size_t next = text.find(pattern); next != std::string_view::npos; next = text.find(pattern)) {
    result += text.substr(0, next);
    result += content;
    text.remove_prefix(next + pattern.size());
  }
  return result += text;
}

/// How often a text has `pattern`, which is not empty; as often as `replace_all` replaces it.
inline std::size_t occurrences(std::string_view text, std::string_view pattern) {
  std::size_t count = 0;
  for (std::size_t at = text.find(pattern); at != std::string_view::npos;
       at = text.find(pattern, at + pattern.size())) {
    ++count;
  }
  return count;
}

/// The steps of a tokenizer's `decoder`, in turn; what they leave is joined. Raises Error where replacements make more of the
/// tokens than DerivedBytes allows.
class Decoder {
 public:
  using Tokens = std::vector<std::string>;

  void add(DecoderStep step) { steps_.push_back(std::move(step)); }

  /// Whether the text of some tokens is the beginning of that of more: not where bytes are joined and then changed.
  bool can_stream() const {
    return steps_.size() < 2 || std::none_of(steps_.begin(), steps_.end(), [](const DecoderStep& step) {
             return step.kind == DecoderStep::Kind::byte_level;
           });
  }

  /// Whether a token stands for the same bytes wherever it is.
  bool is_byte_level() const { return steps_.size() == 1 && steps_[0].kind == DecoderStep::Kind::byte_level; }

  std::string operator()(Tokens tokens) const {
    std::size_t given = 0;
    for (const std::string& token : tokens) given += token.size();
    DerivedBytes bytes("decoder", given);
    for (const DecoderStep& step : steps_) tokens = run(step, std::move(tokens), bytes);
    return join(tokens, steps_.empty() ? " " : "");
  }

 private:
  static std::string join(const Tokens& tokens, std::string_view between) {
    std::string text;
    for (const std::string& token : tokens) {
      if (&token != &tokens.front()) text += between;
      text += token;
    }
    return text;
  }

  static Tokens run(const DecoderStep& step, Tokens tokens, DerivedBytes& bytes) {
    switch (step.kind) {
      case DecoderStep::Kind::byte_level:
        return {join_bytes(tokens)};
      case DecoderStep::Kind::byte_fallback:
        return join_fallback(tokens);
      case DecoderStep::Kind::fuse:
        return {join(tokens, "")};
      case DecoderStep::Kind::replace:
        for (std::string& token : tokens) token = replace(token, step, bytes);
        return tokens;
      case DecoderStep::Kind::strip:
        for (std::string& token : tokens) token = strip(token, step);
        return tokens;
      case DecoderStep::Kind::metaspace:
        for (std::string& token : tokens) token = spaces(token, step, &token == &tokens.front());
        return tokens;
    }
    return tokens;
  }

  static std::string join_bytes(const Tokens& tokens) {
    std::string bytes;
    for (const std::string& token : tokens) bytes += bytes_of_symbols(token);
    return replace_invalid_utf8(bytes);
  }

  /// Bytes that follow each other are text together, or U+FFFD each.
  static Tokens join_fallback(const Tokens& tokens) {
    Tokens result;
    std::string bytes;
    const auto flush = [&] {
      if (is_utf8(bytes)) {
        if (!bytes.empty()) result.push_back(bytes);
      } else {
        result.insert(result.end(), bytes.size(), std::string(kReplacementCharacter));
      }
      bytes.clear();
    };
    for (const std::string& token : tokens) {
      if (const auto byte = fallback_byte(token)) {
        bytes += *byte;
      } else {
        flush();
        result.push_back(token);
      }
    }
    flush();
    return result;
  }

  static std::string replace(const std::string& token, const DecoderStep& step, DerivedBytes& bytes) {
    bytes.take(occurrences(token, step.pattern) * step.content.size());
    return replace_all(token, step.pattern, step.content);
  }

  static std::string strip(std::string_view token, const DecoderStep& step) {
    for (std::size_t i = 0; i < step.start && token.starts_with(step.content); ++i) {
      token.remove_prefix(step.content.size());
    }
    for (std::size_t i = 0; i < step.stop && token.ends_with(step.content); ++i) {
      token.remove_suffix(step.content.size());
    }
    return std::string(token);
  }

  static std::string spaces(std::string_view token, const DecoderStep& step, bool first) {
    const bool dropped = first && step.prepend != PrependScheme::never;
    return replace_all(token, step.pattern, dropped ? "" : " ");
  }

  std::vector<DecoderStep> steps_;
};

}  // namespace weft::detail
