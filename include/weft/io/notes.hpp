// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sentences that somebody should see.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace weft::detail {

/// Adds sentences to the caller's, or where there is no place for them (null) writes each as a line on standard error, after
/// "weft: note: ".
inline void give_notes(const std::vector<std::string>& sentences, std::vector<std::string>* notes) {
  if (notes != nullptr) {
    notes->insert(notes->end(), sentences.begin(), sentences.end());
    return;
  }
  for (const std::string& sentence : sentences) std::fprintf(stderr, "weft: note: %s\n", sentence.c_str());
}

}  // namespace weft::detail
