// SPDX-License-Identifier: Apache-2.0
/// \file
/// What divides a text into the words within which tokens are made.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tokenizers/split_step.hpp"
#include "weft/tokenizers/text_section.hpp"

namespace weft::detail {

/// What words are in byte-level vocabularies (GPT-2), if a tokenizer says no more.
inline constexpr std::string_view kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// When `MetaspaceStep` puts its character in front.
enum class PrependScheme { always, first, never };

/// The dividing half of `ByteLevel`: a space in front, the pattern above.
struct ByteLevelStep {
  bool add_prefix_space = false;
  std::optional<SplitStep> split{};  ///< none: no further division
};

/// `Metaspace`: spaces become a visible character, which begins each word.
struct MetaspaceStep {
  std::string replacement;
  PrependScheme prepend = PrependScheme::always;
  bool split = true;
};

/// The steps of a tokenizer's `pre_tokenizer`, in turn, each on the words of the one before.
class PreTokenizer {
 public:
  using Words = std::vector<TextSection>;

  void add(SplitStep step) {
    steps_.emplace_back(
        [step = std::move(step)](DerivedTexts&, const TextSection& word, Words& words) { step(word, words); });
  }
  void add(ByteLevelStep step) {
    steps_.emplace_back([step = std::move(step)](DerivedTexts& texts, const TextSection& word, Words& words) {
      const bool lacks_space = step.add_prefix_space && !word.text().starts_with(' ');
      const TextSection whole = lacks_space ? prepend(texts, word, " ") : word;
      step.split ? (*step.split)(whole, words) : words.push_back(whole);
    });
  }
  void add(MetaspaceStep step) {
    needs_origins_ = needs_origins_ || step.prepend == PrependScheme::first;
    steps_.emplace_back([step = std::move(step)](DerivedTexts& texts, const TextSection& word, Words& words) {
      split_at_spaces(step, texts, word, words);
    });
  }

  /// Whether a step asks where in the text a section begins.
  bool needs_origins() const { return needs_origins_; }

  /// Appends the words of a section.
  void operator()(DerivedTexts& texts, const TextSection& section, Words& words) const {
    if (steps_.empty()) {
      words.push_back(section);
      return;
    }
    Words before{section};
    for (std::size_t i = 0; i + 1 < steps_.size(); ++i) {
      Words after;
      for (const TextSection& word : before) steps_[i](texts, word, after);
      before = std::move(after);
    }
    for (const TextSection& word : before) steps_.back()(texts, word, words);
  }

 private:
  static void split_at_spaces(const MetaspaceStep& step, DerivedTexts& texts, const TextSection& word, Words& words) {
    TextSection section = replace(texts, word, " ", step.replacement);
    const bool at_start = !word.empty() && word.origin(0).begin == 0;
    const bool wanted = step.prepend == PrependScheme::always || (step.prepend == PrependScheme::first && at_start);
    if (wanted && !section.text().starts_with(step.replacement)) section = prepend(texts, section, step.replacement);
    std::size_t begin = 0;
    while (step.split && begin < section.text().size()) {
      const std::size_t next = section.text().find(step.replacement, begin + 1);
      if (next == std::string_view::npos) break;
      words.push_back(section.part(begin, next - begin));
      begin = next;
    }
    words.push_back(section.part(begin, section.text().size() - begin));
  }

  bool needs_origins_ = false;
  std::vector<std::function<void(DerivedTexts&, const TextSection&, Words&)>> steps_;
};

}  // namespace weft::detail
