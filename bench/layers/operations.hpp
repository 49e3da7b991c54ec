// SPDX-License-Identifier: Apache-2.0
/// \file
/// How many operations of matrix products a layer's equations have: what its time is held against.
#pragma once

#include "layers/setting.hpp"

namespace bench {

/// Multiply-adds of one token, forwards. What an implementation computes twice, or above the diagonal in vain, is not in it.
struct Operations {
  double weights = 0;    ///< with weights; while decoding, each of them is read once for it
  double pairs = 0;      ///< with each token up to its own
  double all_pairs = 0;  ///< with each token of the text

  friend Operations operator+(const Operations& a, const Operations& b) {
    return {a.weights + b.weights, a.pairs + b.pairs, a.all_pairs + b.all_pairs};
  }

  /// Floating-point operations of one forward pass; a backward pass has twice as many.
  double forward(const Setting& s) const {
    const double tokens = static_cast<double>(s.tokens);
    return 2 * static_cast<double>(s.nodes()) * (weights + pairs * (tokens + 1) / 2 + all_pairs * tokens);
  }
};

/// `count` projections of the hidden width to itself.
inline Operations projections(const Setting& s, int count) {
  return {count * static_cast<double>(s.hidden * s.hidden)};
}

/// `count` products of all heads over pairs of tokens: scores, sums over values.
inline Operations pair_products(const Setting& s, int count) { return {0, count * static_cast<double>(s.hidden)}; }

/// The networks of a GIN's heads, head_dim -> inner -> head_dim.
inline Operations gin_networks(const Setting& s, double multiplier) {
  const double inner = static_cast<double>(static_cast<Index>(multiplier * static_cast<double>(s.head_dim())));
  return {2 * static_cast<double>(s.hidden) * inner};
}

/// The networks of PNA's heads, 4 head_dim -> inner -> head_dim.
inline Operations pna_networks(const Setting& s, double multiplier) {
  const double inner = static_cast<double>(static_cast<Index>(multiplier * static_cast<double>(s.head_dim())));
  return {5 * static_cast<double>(s.hidden) * inner};
}

/// Gate, up and down projection.
inline Operations gated_block(const Setting& s) { return {3 * static_cast<double>(s.hidden * s.intermediate)}; }

/// The dense weights of a softmax attention.
inline Operations attention_weights(const Setting& s) { return projections(s, 2) + pair_products(s, 1); }

/// One level of CG_Attention as the reference masks it, with one latent layer: of n latents in use, each a mean of no more
/// than n tokens. Queries of latents are the same for all texts.
inline Operations coarse_level(const Setting& s, Index latents) {
  const double n = static_cast<double>(latents);
  const double hidden = static_cast<double>(s.hidden);
  const double shared_queries = 1 / static_cast<double>(s.batch);
  const double entrance = (3 + shared_queries) * hidden * hidden;
  const double latent_layer = 12 * hidden * hidden;
  const double exit = 3 * hidden * hidden;
  const double two_attentions = 2 * hidden * (n + 1);
  return {n * (entrance + latent_layer + exit + two_attentions) / static_cast<double>(s.tokens)};
}

}  // namespace bench
