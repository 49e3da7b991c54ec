// SPDX-License-Identifier: Apache-2.0
/// \file
/// Unicode's normal forms (annex 15 of the standard), with the data of utf8proc.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <utf8proc.h>

#include "weft/tensor/utf8.hpp"
#include "weft/tokenizers/text_section.hpp"

namespace weft::detail {

/// A normal form: whether characters are composed at last, and whether those that are only there for compatibility become what
/// they stand for.
struct NormalForm {
  std::string_view name;
  bool composes;
  bool compatible;
};

inline constexpr std::array<NormalForm, 4> kNormalForms{
    {{"NFC", true, false}, {"NFD", false, false}, {"NFKC", true, true}, {"NFKD", false, true}}};

/// Null for what is none.
inline const NormalForm* find_normal_form(std::string_view name) {
  const auto* found =
      std::find_if(kNormalForms.begin(), kNormalForms.end(), [&](const NormalForm& form) { return form.name == name; });
  return found == kNormalForms.end() ? nullptr : found;
}

/// The normalisers `NFC`, `NFD`, `NFKC` and `NFKD`.
class NormalFormStep {
 public:
  explicit NormalFormStep(const NormalForm& form) : form_(form) {}

  TextSection operator()(DerivedTexts& texts, const TextSection& section) const {
    const std::string_view text = section.text();
    if (end_of(text, 0, true) == text.size()) return section;
    DerivedText& derived = texts.add();
    for (std::size_t done = 0; done < text.size();) {
      const std::size_t next = end_of(text, done, true);
      const bool takes_marks = next > done && next < text.size();  // the last character of ASCII, a letter perhaps
      const std::size_t begin = takes_marks ? next - 1 : next;
      append_characters(derived, section.part(done, begin - done));
      done = end_of(text, next, false);
      append_formed(derived, section, begin, done);
    }
    return derived.text() == text ? section : TextSection(derived);
  }

 private:
  struct Character {
    char32_t point;
    int combining_class;   ///< 0: marks behind it belong to it
    std::size_t replaced;  ///< characters of the text that it stands for; 0: it came in beside another
  };

  /// Where a stretch of characters that are all ASCII, or all are not, ends.
  static std::size_t end_of(std::string_view text, std::size_t begin, bool ascii) {
    while (begin < text.size() && (static_cast<unsigned char>(text[begin]) < 0x80) == ascii) ++begin;
    return begin;
  }

  /// Each character stands for the first of those that it replaces; one that came in for the character before.
  void append_formed(DerivedText& derived, const TextSection& section, std::size_t begin, std::size_t end) const {
    std::vector<Character> characters = decomposed(section.text().substr(begin, end - begin));
    put_in_order(characters);
    if (form_.composes) compose(characters);
    const auto length = [&](std::size_t at) { return first_character(section.text().substr(at)).length; };
    std::string bytes;
    for (const Character& character : characters) {
      const bool came_in = character.replaced == 0;
      const TextRange origin = came_in ? origin_before(section, begin) : section.origin(begin, begin + length(begin));
      for (std::size_t i = 0; i < character.replaced; ++i) begin += length(begin);
      bytes.clear();
      append_utf8(bytes, character.point);
      derived.append(bytes, origin);
    }
  }

  std::vector<Character> decomposed(std::string_view text) const {
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (form_.compatible ? UTF8PROC_COMPAT : 0));
    std::vector<Character> characters;
    while (!text.empty()) {
      const auto given = first_character(text);
      text.remove_prefix(given.length);
      std::array<utf8proc_int32_t, 32> parts{};  // Unicode knows at most 18
      int boundary = 0;
      const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(given.point), parts.data(),
                                                 static_cast<utf8proc_ssize_t>(parts.size()), options, &boundary);
      for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        const int combining_class = utf8proc_get_property(parts[i])->combining_class;
        characters.push_back({static_cast<char32_t>(parts[i]), combining_class, i == 0 ? std::size_t{1} : 0});
      }
    }
    return characters;
  }

  /// Marks in a row by their classes (the canonical ordering algorithm).
  static void put_in_order(std::vector<Character>& characters) {
    const auto is_mark = [](const Character& character) { return character.combining_class != 0; };
    for (auto begin = characters.begin(); begin != characters.end();) {
      begin = std::find_if(begin, characters.end(), is_mark);
      const auto end = std::find_if_not(begin, characters.end(), is_mark);
      std::stable_sort(begin, end, [](const Character& left, const Character& right) {
        return left.combining_class < right.combining_class;
      });
      begin = end;
    }
  }

  /// Each starter takes the marks, or the starter, behind it that no other is in front of (the canonical composition algorithm).
  static void compose(std::vector<Character>& characters) {
    std::size_t count = 0;
    Character* starter = nullptr;
    int class_before = -1;  // of the last one between the starter and what comes
    for (const Character& character : characters) {
      if (starter != nullptr && class_before < character.combining_class) {
        if (const char32_t composite = composite_of(starter->point, character.point); composite != 0) {
          starter->point = composite;
          starter->replaced += character.replaced;
          continue;
        }
      }
      const bool starts = character.combining_class == 0;
      class_before = starts ? -1 : character.combining_class;
      characters[count] = character;
      if (starts) starter = &characters[count];
      ++count;
    }
    characters.resize(count);
  }

  /// 0 where two characters have none.
  static char32_t composite_of(char32_t first, char32_t second) {
    std::array<utf8proc_int32_t, 2> pair{static_cast<utf8proc_int32_t>(first), static_cast<utf8proc_int32_t>(second)};
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    const bool one = utf8proc_normalize_utf32(pair.data(), 2, options) == 1;
    return one ? static_cast<char32_t>(pair[0]) : 0;
  }

  NormalForm form_;
};

}  // namespace weft::detail
