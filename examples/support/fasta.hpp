// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sequences of a FASTA file (Lipman and Pearson, Science 227, 1985) as a text to train on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/train/text.hpp"

namespace examples {

/// Whether a text is FASTA: its first line is a description.
inline bool is_fasta(std::string_view text) { return text.starts_with('>'); }

/// One sequence a line, without the descriptions and without the line breaks inside a sequence.
inline std::string fasta_sequences(std::string_view text) {
  std::string sequences;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('>')) {
      if (!first) sequences += '\n';
      first = false;
    } else {
      sequences += line;
    }
  }
  return sequences + '\n';
}

/// The bytes of a text to train on; of FASTA those of its sequences.
inline std::vector<std::int32_t> read_bytes(const std::string& path) {
  const std::string text = weft::read_corpus(path);
  return weft::bytes_as_tokens(is_fasta(text) ? fasta_sequences(text) : text);
}

}  // namespace examples
