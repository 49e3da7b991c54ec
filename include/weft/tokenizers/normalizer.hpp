// SPDX-License-Identifier: Apache-2.0
/// \file
/// What changes a text before it is divided.
#pragma once

#include <functional>
#include <memory>
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
    if (section.empty()) return section;  // not even an empty match
    RegularExpression::Search search(*expression, section.text());
    auto match = search.next();
    if (!match) return section;
    DerivedText& derived = texts.add();
    std::size_t done = 0;
    for (; match; match = search.next()) {
      append_characters(derived, section.part(done, match->begin - done));
      derived.append(content, origin_before(section, match->end));
      done = match->end;
    }
    append_characters(derived, section.part(done, section.text().size() - done));
    return TextSection(derived);
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
