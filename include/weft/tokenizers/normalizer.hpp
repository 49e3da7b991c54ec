// SPDX-License-Identifier: Apache-2.0
/// \file
/// What changes a text before it is divided.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weft/tokenizers/text_section.hpp"

namespace weft::detail {

/// One step: text put in front (`Prepend`), or one text in the place of another (`Replace`).
struct NormalizerStep {
  bool prepends = false;
  std::string pattern{};  ///< what is replaced
  std::string content{};
};

/// The steps of a tokenizer's `normalizer`, in turn.
class Normalizer {
 public:
  void add(NormalizerStep step) { steps_.push_back(std::move(step)); }

  TextSection operator()(DerivedTexts& texts, TextSection section) const {
    for (const NormalizerStep& step : steps_) {
      section =
          step.prepends ? prepend(texts, section, step.content) : replace(texts, section, step.pattern, step.content);
    }
    return section;
  }

  /// The same for a text whose origin nobody asks for.
  std::string operator()(std::string_view text) const {
    DerivedTexts texts(false, text.size());
    return std::string((*this)(texts, TextSection(text, 0)).text());
  }

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace weft::detail
