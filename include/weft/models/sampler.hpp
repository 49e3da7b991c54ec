// SPDX-License-Identifier: Apache-2.0
/// \file
/// Choosing the next token from its scores.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "weft/tensor/error.hpp"
#include "weft/tensor/rng.hpp"

namespace weft {

/// How the next token is chosen. Filters apply in Hugging Face's order: repetition penalty, temperature, top-k, top-p, min-p.
struct SamplingOptions {
  bool sample = false;     ///< false: the token with the highest score (greedy)
  double temperature = 1;  ///< > 0; divides the scores' distances from the highest
  Index top_k = 0;         ///< keep the k most probable tokens; 0: all
  double top_p = 1;        ///< keep the smallest set of tokens whose probability reaches p, in (0, 1]
  double min_p = 0;        ///< keep tokens with at least this share of the highest probability, in [0, 1]
  std::uint64_t seed = 0;
  /// > 0, of tokens that the text has already, also of greedy choices: positive scores are divided by it, negative ones
  /// multiplied (Keskar et al., arXiv 1909.05858, as Hugging Face has it)
  double repetition_penalty = 1;
};

/// Picks tokens; the same seed gives the same choices. Allocates in its constructor only.
class Sampler {
 public:
  /// \param vocab_size  at least 1
  Sampler(Index vocab_size, const SamplingOptions& options) : options_(options), rng_(options.seed) {
    if (vocab_size < 1) fail(concat("Sampler: needs at least one token to choose from, found ", vocab_size));
    if (!(options.temperature > 0) || !std::isfinite(options.temperature)) {
      fail(concat("SamplingOptions: temperature must be positive, found ", options.temperature,
                  " (for the most probable token use sample = false)"));
    }
    if (options.top_k < 0) fail(concat("SamplingOptions: top_k must not be negative, found ", options.top_k));
    if (!(options.top_p > 0 && options.top_p <= 1)) {
      fail(concat("SamplingOptions: top_p must be in (0, 1], found ", options.top_p));
    }
    if (!(options.min_p >= 0 && options.min_p <= 1)) {
      fail(concat("SamplingOptions: min_p must be in [0, 1], found ", options.min_p));
    }
    if (!(options.repetition_penalty > 0) || !std::isfinite(options.repetition_penalty)) {
      fail(concat("SamplingOptions: repetition_penalty must be positive and finite, found ",
                  options.repetition_penalty));
    }
    candidates_.resize(static_cast<std::size_t>(vocab_size));
    if (options.repetition_penalty != 1) penalized_.resize(candidates_.size());
  }

  /// \param logits  one score for each token of the vocabulary; -inf: never chosen. Raises Error for NaN and where the
  ///                highest score is infinite
  /// \param text    the tokens so far, which `repetition_penalty` asks for
  template <class T>
  Index operator()(std::span<const T> logits, std::span<const std::int32_t> text = {}) {
    if (logits.size() != candidates_.size()) {
      fail(concat("Sampler: made for ", candidates_.size(), " tokens, found ", logits.size(), " scores"));
    }
    return penalized_.empty() ? choose(logits) : choose(penalized(logits, text));
  }

 private:
  struct Candidate {
    double weight;  ///< score, 0 for the best, then unnormalised probability, 1 for the best
    Index token;
  };

  template <class T>
  std::span<const double> penalized(std::span<const T> logits, std::span<const std::int32_t> text) {
    std::copy(logits.begin(), logits.end(), penalized_.begin());
    for (const std::int32_t token : text) {
      const auto at = static_cast<std::size_t>(token);
      if (token < 0 || at >= logits.size()) {
        fail(concat("Sampler: the text must have tokens from 0 to ", logits.size() - 1, ", found ", token));
      }
      const auto score = static_cast<double>(logits[at]);  // not of penalized_: once, however often the text has it
      penalized_[at] = score < 0 ? score * options_.repetition_penalty : score / options_.repetition_penalty;
    }
    return penalized_;
  }

  template <class T>
  Index choose(std::span<const T> logits) {
    const std::size_t best = find_best(logits);
    if (!options_.sample) return static_cast<Index>(best);
    // The highest score becomes 0 first: however small the temperature, the quotients are 0 or less and never NaN.
    const auto highest = static_cast<double>(logits[best]);
    for (std::size_t token = 0; token < logits.size(); ++token) {
      const double distance = static_cast<double>(logits[token]) - highest;
      candidates_[token] = {distance / options_.temperature, static_cast<Index>(token)};
    }
    return draw(keep_min_p(keep_top_p(keep_top_k(candidates_))));
  }

  /// The first token with the highest score.
  template <class T>
  static std::size_t find_best(std::span<const T> logits) {
    std::size_t best = 0;
    for (std::size_t token = 0; token < logits.size(); ++token) {
      if (logits[token] <= logits[best]) continue;
      best = token;
      if (std::isnan(logits[token])) break;
    }
    if (!std::isfinite(logits[best])) {
      fail(concat("Sampler: the highest score must be finite, found ", logits[best], " for token ", best));
    }
    return best;
  }

  /// Higher weights first; equal ones by token, so that ties do not depend on the sort.
  static bool better(const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
  }
  static bool worse(const Candidate& a, const Candidate& b) { return better(b, a); }

  /// The k best, by selection: no sort of the vocabulary. Scores become probabilities up to a factor.
  std::span<Candidate> keep_top_k(std::span<Candidate> all) const {
    const auto k = static_cast<std::size_t>(options_.top_k);
    if (k > 0 && k < all.size()) {
      std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k), all.end(), better);
      all = all.first(k);
    }
    for (Candidate& candidate : all) candidate.weight = std::exp(candidate.weight);
    return all;
  }

  /// The best until their probability reaches p; taken from a heap, so only those kept are ordered.
  std::span<Candidate> keep_top_p(std::span<Candidate> all) const {
    if (options_.top_p >= 1) return all;
    const double enough = options_.top_p * total(all);
    std::make_heap(all.begin(), all.end(), worse);
    double kept = 0;
    auto end = all.end();
    while (end != all.begin() && kept < enough) {
      std::pop_heap(all.begin(), end, worse);
      kept += (--end)->weight;
    }
    return {end, all.end()};
  }

  std::span<Candidate> keep_min_p(std::span<Candidate> all) const {
    if (options_.min_p <= 0) return all;
    const auto improbable = [&](const Candidate& candidate) { return candidate.weight < options_.min_p; };
    return {all.begin(), std::remove_if(all.begin(), all.end(), improbable)};
  }

  Index draw(std::span<const Candidate> candidates) {
    double remaining = rng_.uniform(draws_++) * total(candidates);
    Index chosen = 0;
    for (const Candidate& candidate : candidates) {
      if (candidate.weight <= 0) continue;  // not even where rounding leaves a remainder at the end
      chosen = candidate.token;
      remaining -= candidate.weight;
      if (remaining < 0) break;
    }
    return chosen;
  }

  static double total(std::span<const Candidate> candidates) {
    double sum = 0;
    for (const Candidate& candidate : candidates) sum += candidate.weight;
    return sum;
  }

  SamplingOptions options_;
  Rng rng_;
  std::uint64_t draws_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<double> penalized_;  ///< the scores; empty where nothing is penalised
};

}  // namespace weft
