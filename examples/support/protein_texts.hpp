// SPDX-License-Identifier: Apache-2.0
/// \file
/// Protein sequences as the reference's first recipe learns them: its tokenizer, and a text for each sequence.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io.hpp"
#include "weft/tokenizers.hpp"
#include "weft/weft.hpp"

#include "support/fasta.hpp"
#include "support/packed_texts.hpp"

namespace examples {

inline constexpr std::string_view kProteinBegin = "<|begin_of_text|><|sequence|>";
inline constexpr std::string_view kProteinEnd = "<|/sequence|><|eot_id|>";

/// The sequences of a FASTA file, or the lines of another text, of 1 to `longest` residues. Raises Error if there are none.
inline std::vector<std::string> read_proteins(const std::string& path, std::size_t longest) {
  const std::string text = weft::read_corpus(path);
  const std::string lines = is_fasta(text) ? fasta_sequences(text) : text;
  std::vector<std::string> proteins;
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    if (end > begin && end - begin <= longest) proteins.push_back(lines.substr(begin, end - begin));
    begin = end + 1;
  }
  if (proteins.size() < 2) {
    weft::fail(weft::concat(path, " must have at least two sequences of up to ", longest, " residues, found ",
                            proteins.size()));
  }
  return proteins;
}

/// The options of the reference's README: markers, the 20 amino acids, 8 labels of secondary structure. `vocab_size` asks
/// for fewer tokens than there are in any case, so that no pair is merged and there are 271 (quirk K3).
inline weft::BPETrainingOptions protein_tokenizer_options() {
  weft::BPETrainingOptions options{.vocab_size = 20};
  for (const char residue : std::string_view("ARNDCEQGHILKMFPSTWYV")) options.special_tokens.emplace_back(1, residue);
  for (const char* label : {"AH", "BS", "UNSTRUCTURED", "BEND", "PHIHELIX", "310HELIX", "BETABRIDGE", "T"}) {
    options.special_tokens.push_back(weft::concat("<|", label, "|>"));
  }
  return options;
}

/// Each sequence between its markers, in tokens.
inline std::vector<Tokens> encode_proteins(const weft::Tokenizer& tokenizer, const std::vector<std::string>& proteins) {
  std::vector<Tokens> texts;
  texts.reserve(proteins.size());
  for (const std::string& protein : proteins) {
    texts.push_back(tokenizer.encode(weft::concat(kProteinBegin, protein, kProteinEnd)));
  }
  return texts;
}

/// Brings the texts into a random order and takes a tenth of them, at least one, out for validation.
inline std::vector<Tokens> take_tenth(std::vector<Tokens>& texts, std::uint64_t seed) {
  const weft::Rng rng(seed);
  for (std::size_t last = texts.size() - 1; last > 0; --last) {
    std::swap(texts[last], texts[rng.below(last, static_cast<std::uint32_t>(last) + 1)]);
  }
  const std::size_t tenth = std::max<std::size_t>(1, texts.size() / 10);
  const auto first = texts.end() - static_cast<std::ptrdiff_t>(tenth);
  std::vector<Tokens> taken(std::make_move_iterator(first), std::make_move_iterator(texts.end()));
  texts.erase(first, texts.end());
  return taken;
}

/// What a model has to beat: the loss on `validation`, in nats a token, of who knows where the markers stand but guesses
/// residues and the end of a sequence by how often they occur in `training`.
inline double loss_by_frequency(const std::vector<Tokens>& training, const std::vector<Tokens>& validation) {
  constexpr std::size_t first = 2;  // the beginning is two markers, and the end's second one is sure
  std::map<std::int32_t, double> counts;
  double total = 0;
  for (const Tokens& text : training) {
    for (std::size_t i = first; i + 1 < text.size(); ++i, ++total) ++counts[text[i]];
  }
  double loss = 0;
  double predicted = 0;
  for (const Tokens& text : validation) {
    for (std::size_t i = first; i + 1 < text.size(); ++i) loss -= std::log(std::max(1.0, counts[text[i]]) / total);
    predicted += static_cast<double>(text.size() - 1);
  }
  return loss / predicted;
}

}  // namespace examples
