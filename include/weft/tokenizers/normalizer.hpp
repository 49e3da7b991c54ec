// SPDX-License-Identifier: Apache-2.0
/// \file
/// What changes a text before it is divided.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tokenizers/regular_expression.hpp"
#include "weft/tokenizers/text_section.hpp"

namespace weft::detail {

/// `Prepend`: text put in front.
struct PrependStep {
  std::string content;
  TextSection operator()(DerivedTexts& texts, const TextSection& section) const {
    return prepend(texts, section, content);
  }
};

/// `Replace` of a `String`: one text in the place of another, which is not empty.
struct ReplaceStep {
  std::string pattern;
  std::string content;
  TextSection operator()(DerivedTexts& texts, const TextSection& section) const {
    return replace(texts, section, pattern, content);
  }
};

/// `Replace` of a `Regex`: a text in the place of each match, for whose last character it stands.
struct ReplaceMatchesStep {
  std::shared_ptr<const RegularExpression> expression;
  std::string content;
  TextSection operator()(DerivedTexts& texts, const TextSection& section) const {
    RegularExpression::Search search(*expression, section.text());
    return replace_each(texts, section, content, [&]() -> std::optional<TextRange> {
      const auto match = search.next();
      if (!match) return {};
      return TextRange{match->begin, match->end};
    });
  }
};

/// The steps of a tokenizer's `normalizer`, in turn.
class Normalizer {
 public:
  using Step = std::function<TextSection(DerivedTexts&, const TextSection&)>;

  void add(Step step) { steps_.push_back(std::move(step)); }

  TextSection operator()(DerivedTexts& texts, TextSection section) const {
    for (const Step& step : steps_) section = step(texts, section);
    return section;
  }

  /// The same for a text whose origin nobody asks for.
  std::string operator()(std::string_view text) const {
    DerivedTexts texts(false, text.size());
    return std::string((*this)(texts, TextSection(text, 0)).text());
  }

 private:
  std::vector<Step> steps_;
};

}  // namespace weft::detail
