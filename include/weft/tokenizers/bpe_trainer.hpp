// SPDX-License-Identifier: Apache-2.0
/// \file
/// Learns merges: which pair of symbols is most frequent, again and again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weft/tokenizers/byte_symbols.hpp"

namespace weft::detail {

/// A vocabulary in the making. What it learns depends on words and their counts alone, not on their order.
class BPETrainer {
 public:
  using Pair = std::pair<std::int32_t, std::int32_t>;

  struct Merge {
    Pair pair;
    std::int32_t merged;
  };

  /// \param special_tokens  the first tokens; what comes twice counts once. One that is a symbol stands for that byte too.
  explicit BPETrainer(const std::vector<std::string>& special_tokens) {
    for (const std::string& token : special_tokens) add(token);
    auto symbols = kByteSymbols;
    std::sort(symbols.begin(), symbols.end());
    for (const char32_t symbol : symbols) {
      std::string text;
      append_utf8(text, symbol);
      add(text);
    }
    for (unsigned byte = 0; byte < 256; ++byte) symbols_[byte] = ids_.at(byte_symbol(static_cast<unsigned char>(byte)));
  }

  /// Adds a word that the texts have `count` times.
  void add_word(std::string_view word, std::int64_t count) {
    Word& added = words_.emplace_back();
    added.count = count;
    for (const char byte : word) added.symbols.push_back(symbols_[static_cast<unsigned char>(byte)]);
  }

  /// Merges the most frequent pair, of equally frequent ones the first by its numbers, until the vocabulary is large
  /// enough or no pair is as frequent as `min_frequency`.
  void train(std::size_t vocab_size, std::int64_t min_frequency) {
    count_pairs();
    while (tokens_.size() < vocab_size && !queue_.empty()) {
      Entry top = pop();
      const std::int64_t count = counts_[top.pair];
      if (top.count != count) {
        top.count = count;
        push(std::move(top));
        continue;
      }
      if (count < 1 || count < min_frequency) break;
      const std::int32_t merged = add(tokens_[index(top.pair.first)] + tokens_[index(top.pair.second)]);
      merges_.push_back({top.pair, merged});
      apply(top, merged);
    }
  }

  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<Merge>& merges() const { return merges_; }

 private:
  struct Word {
    std::vector<std::int32_t> symbols;
    std::int64_t count = 0;
  };

  /// A pair, how often it was when it was noticed, and the words that had it.
  struct Entry {
    Pair pair;
    std::int64_t count = 0;
    std::set<std::size_t> words;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.count != b.count ? a.count < b.count : a.pair > b.pair;
    }
  };

  static std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }

  /// The token's number, a new one if it is new.
  std::int32_t add(const std::string& token) {
    const auto [known, is_new] = ids_.emplace(token, static_cast<std::int32_t>(tokens_.size()));
    if (is_new) tokens_.push_back(token);
    return known->second;
  }

  void push(Entry entry) {
    queue_.push_back(std::move(entry));
    std::push_heap(queue_.begin(), queue_.end(), Later());
  }
  Entry pop() {
    std::pop_heap(queue_.begin(), queue_.end(), Later());
    Entry top = std::move(queue_.back());
    queue_.pop_back();
    return top;
  }

  void count_pairs() {
    std::map<Pair, std::set<std::size_t>> having;
    for (std::size_t w = 0; w < words_.size(); ++w) {
      const auto& symbols = words_[w].symbols;
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        const Pair pair{symbols[i], symbols[i + 1]};
        counts_[pair] += words_[w].count;
        having[pair].insert(w);
      }
    }
    queue(std::move(having));
  }

  void queue(std::map<Pair, std::set<std::size_t>>&& having) {
    for (auto& [pair, words] : having) {
      if (counts_[pair] > 0) push({pair, counts_[pair], std::move(words)});
    }
  }

  /// Puts `merged` in the place of a pair. New pairs get entries of their own, with the words changed now.
  void apply(const Entry& entry, std::int32_t merged) {
    std::map<Pair, std::set<std::size_t>> having;
    for (const std::size_t w : entry.words) {
      replace(words_[w], entry.pair, merged, [&](Pair pair, std::int64_t change) {
        counts_[pair] += change * words_[w].count;
        if (change > 0) having[pair].insert(w);
      });
    }
    queue(std::move(having));
  }

  /// Calls `changed(pair, by)` for the neighbours. The count of the pair itself stays what it was.
  template <class Changed>
  static void replace(Word& word, Pair pair, std::int32_t merged, Changed&& changed) {
    auto& symbols = word.symbols;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < symbols.size(); ++kept) {
      const bool found = symbols[i] == pair.first && i + 1 < symbols.size() && symbols[i + 1] == pair.second;
      if (!found) {
        symbols[kept] = symbols[i++];
        continue;
      }
      if (kept > 0) {
        changed({symbols[kept - 1], pair.first}, -1);
        changed({symbols[kept - 1], merged}, 1);
      }
      symbols[kept] = merged;
      i += 2;
      if (i < symbols.size()) {
        changed({pair.second, symbols[i]}, -1);
        changed({merged, symbols[i]}, 1);
      }
    }
    symbols.resize(kept);
  }

  std::vector<std::string> tokens_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::int32_t symbols_[256] = {};
  std::vector<Word> words_;
  std::map<Pair, std::int64_t> counts_;
  std::vector<Entry> queue_;
  std::vector<Merge> merges_;
};

}  // namespace weft::detail
