// SPDX-License-Identifier: Apache-2.0
/// \file
/// Pieces of a text on their way to tokens, and where in the text as it was given they come from.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tensor/error.hpp"
#include "weft/tensor/utf8.hpp"

namespace weft {

/// Bytes [begin, end) of a text.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(const TextRange&, const TextRange&) = default;
};

namespace detail {

/// How many bytes the steps of a tokenizer may make of a text, all of them together. Each of two dozen replacements of "a" by "aa"
/// doubles a text, and so may each of a few that divide it; those of real tokenizers make at most a few bytes of one.
class DerivedBytes {
 public:
  static constexpr std::size_t per_byte = 32;
  static constexpr std::size_t in_any_case = 1024;

  /// \param steps  of the file, for the message
  DerivedBytes(std::string_view steps, std::size_t given)
      : steps_(steps), given_(given), left_(per_byte * given + in_any_case) {}

  /// Raises Error where more is taken than there is.
  void take(std::size_t bytes) {
    if (bytes > left_) refuse();
    left_ -= bytes;
  }

 private:
  [[noreturn, gnu::cold, gnu::noinline]] void refuse() const {
    fail(concat("Tokenizer: the steps of ", steps_, " may make at most ", per_byte * given_ + in_any_case,
                " bytes of a text of ", given_, " bytes, ", per_byte, " of each and ", in_any_case, ", found more"));
  }

  std::string_view steps_;
  std::size_t given_;
  std::size_t left_;
};

/// A text made from another: each of its bytes with the bytes of the first text that it stands for.
class DerivedText {
 public:
  /// \param remembers  false: of all origins, only where the text begins
  /// \param bytes      what it may take; outlives this
  DerivedText(bool remembers, DerivedBytes& bytes) : remembers_(remembers), bytes_(bytes) {}

  void append(std::string_view text, TextRange origin) {
    bytes_.take(text.size());
    if (text_.empty()) begin_ = origin.begin;
    text_ += text;
    if (remembers_) origins_.resize(text_.size(), origin);
  }
  const std::string& text() const { return text_; }
  TextRange origin(std::size_t byte) const {
    return remembers_ ? origins_[byte] : TextRange{begin_ + byte, begin_ + byte + 1};
  }

 private:
  bool remembers_;
  DerivedBytes& bytes_;
  std::size_t begin_ = 0;
  std::string text_;
  std::vector<TextRange> origins_;
};

/// A stretch of valid UTF-8, as it was given or derived from that.
class TextSection {
 public:
  /// A part of the text as it was given, which has `text` at `offset`.
  TextSection(std::string_view text, std::size_t offset) : text_(text), offset_(offset) {}
  /// All of a derived text.
  explicit TextSection(const DerivedText& derived) : text_(derived.text()), derived_(&derived) {}

  std::string_view text() const { return text_; }
  bool empty() const { return text_.empty(); }

  TextSection part(std::size_t begin, std::size_t count) const {
    TextSection result = *this;
    result.text_ = text_.substr(begin, count);
    result.offset_ += begin;
    return result;
  }

  /// Where the characters that a byte belongs to, or stands for, are in the text as it was given.
  TextRange origin(std::size_t byte) const {
    if (derived_ != nullptr) return derived_->origin(offset_ + byte);
    const auto continues = [&](std::size_t i) { return (static_cast<unsigned char>(text_[i]) & 0xC0U) == 0x80U; };
    std::size_t begin = byte;
    std::size_t end = byte + 1;
    while (begin > 0 && continues(begin)) --begin;
    while (end < text_.size() && continues(end)) ++end;
    return {offset_ + begin, offset_ + end};
  }
  /// The same for a stretch of bytes, which is not empty.
  TextRange origin(std::size_t begin, std::size_t end) const { return {origin(begin).begin, origin(end - 1).end}; }

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  const DerivedText* derived_ = nullptr;
};

/// Derived texts, which stay where they are while sections refer to them.
class DerivedTexts {
 public:
  /// \param remembers  whether anybody will ask for origins
  /// \param given      the bytes of the text that all of them are made from
  DerivedTexts(bool remembers, std::size_t given)
      : remembers_(remembers), bytes_("normalizer and pre_tokenizer", given) {}
  DerivedTexts(const DerivedTexts&) = delete;  // its texts know its bytes
  DerivedTexts& operator=(const DerivedTexts&) = delete;
  ~DerivedTexts() = default;

  DerivedText& add() { return texts_.emplace_back(remembers_, bytes_); }

 private:
  bool remembers_;
  DerivedBytes bytes_;
  std::deque<DerivedText> texts_;
};

/// A section in which `make(character, append)` was asked for each character; `append(text)` adds what stands for it.
template <class Make>
TextSection derive(DerivedTexts& texts, const TextSection& section, Make&& make) {
  DerivedText& derived = texts.add();
  std::string_view rest = section.text();
  std::size_t at = 0;
  while (!rest.empty()) {
    const std::size_t length = first_character(rest).length;
    const TextRange origin = section.origin(at, at + length);
    make(rest.substr(0, length), [&](std::string_view text) { derived.append(text, origin); });
    rest.remove_prefix(length);
    at += length;
  }
  return TextSection(derived);
}

/// A section with `added` in front. What is added stands for the section's first character.
inline TextSection prepend(DerivedTexts& texts, const TextSection& section, std::string_view added) {
  if (section.empty()) return section;
  bool first = true;
  return derive(texts, section, [&](std::string_view character, auto&& append) {
    if (std::exchange(first, false)) append(added);
    append(character);
  });
}

/// Of the character of a section, which is not empty, that ends at a byte; at the front of nothing.
inline TextRange origin_before(const TextSection& section, std::size_t end) {
  if (end > 0) return section.origin(end - 1);
  const std::size_t begin = section.origin(0).begin;
  return {begin, begin};
}

/// The characters of a section as they are.
inline void append_characters(DerivedText& derived, const TextSection& section) {
  const std::string_view text = section.text();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = first_character(text.substr(at)).length;
    derived.append(text.substr(at, length), section.origin(at, at + length));
    at += length;
  }
}

/// A section in which `content` stands in the place of each stretch that `next()` finds, from front to back, until it finds none;
/// it stands for the last character of what it replaces.
template <class Next>
TextSection replace_each(DerivedTexts& texts, const TextSection& section, std::string_view content, Next&& next) {
  if (section.empty()) return section;
  std::optional<TextRange> found = next();
  if (!found) return section;
  DerivedText& derived = texts.add();
  std::size_t done = 0;
  for (; found; found = next()) {
    append_characters(derived, section.part(done, found->begin - done));
    derived.append(content, origin_before(section, found->end));
    done = found->end;
  }
  append_characters(derived, section.part(done, section.text().size() - done));
  return TextSection(derived);
}

/// A section in which every `pattern`, which is not empty, has become `content`.
inline TextSection replace(DerivedTexts& texts, const TextSection& section, std::string_view pattern,
                           std::string_view content) {
  std::size_t from = 0;
  return replace_each(texts, section, content, [&]() -> std::optional<TextRange> {
    const std::size_t begin = section.text().find(pattern, from);
    if (begin == std::string_view::npos) return {};
    from = begin + pattern.size();
    return TextRange{begin, from};
  });
}

/// A text whose bytes may be anything: where they are no UTF-8, U+FFFD stands for them.
inline TextSection valid_section(DerivedTexts& texts, std::string_view text) {
  if (is_utf8(text)) return {text, 0};
  DerivedText& derived = texts.add();
  for (std::size_t at = 0; at < text.size();) {
    const auto character = first_character(text.substr(at));
    const std::string_view bytes = text.substr(at, character.length);
    derived.append(character.valid ? bytes : kReplacementCharacter, {at, at + character.length});
    at += character.length;
  }
  return TextSection(derived);
}

}  // namespace detail
}  // namespace weft
