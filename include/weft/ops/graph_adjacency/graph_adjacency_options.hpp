// SPDX-License-Identifier: Apache-2.0
/// \file
/// The choices of `shape_adjacency`.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// How the attention weights of the heads become one value for a pair of tokens (`adj_construction_method`).
enum class AdjacencyMethod {
  mean,                 ///< over the heads
  sum,                  ///< over the heads, at most 1
  learnable_aggregate,  ///< a small network over the heads: AggregatedLearnableAdjacencyTransformer
  threshold_any,        ///< max over the heads of sigmoid((w - threshold) / tau)
};

/// How the weight of a pair depends on the distance d = |i - j| * strength (`distance_scaling_method`). The result is
/// divided by its largest value over the tokens, so that weights grow with the distance and depend on their number
/// (quirk D9). Where all distances are 0, of one token or with strength 0, `linear` divides 0 by 0.
enum class DistanceScaling {
  sigmoid,  ///< sigmoid d
  exp,      ///< exp d
  power,    ///< (d + 1)^strength
  linear,   ///< d: every other name
};

/// From attention weights to edges; names after the reference's GNNConfig.
struct GraphAdjacencyOptions {
  AdjacencyMethod method = AdjacencyMethod::sum;
  bool per_head = false;                 ///< `gnn_mode` per_head: the heads stay apart
  double threshold = 0.5;                ///< where the transform, and `threshold_any`, are one half
  double epsilon_threshold = 0.5;        ///< entries up to it are no edges
  double tau = 10;                       ///< `threshold_any_tau`, a temperature (quirk D8)
  double alpha = 10;                     ///< `continuous_transform_alpha`; 0 or less: no transform
  bool zero_below_epsilon = true;        ///< `zero_below_epsilon_threshold`
  bool remove_self_connections = false;  ///< the diagonal becomes 0
  bool enforce_causality = true;         ///< what lies above the diagonal becomes 0
  bool respects_mask = false;            ///< corrected form of quirk D7: masked pairs stay 0 through the transform
  bool use_distance_scaling = false;     ///< entries are multiplied by a function of the distance
  double distance_strength = 1;          ///< `distance_weight_strength`
  DistanceScaling distance_scaling = DistanceScaling::power;
  /// 0 stays 0 where `linear` divides it by 0 and `zero_below_epsilon` does not take that for no edge; false: NaN, as in the
  /// reference
  bool distance_zero_guard = true;
};

/// Which keys a query sees. Everything given has to allow a pair; a hidden pair is multiplied by 0, which a transform may make
/// something else of (quirk D7), but never where its tokens are of different sequences.
template <class T>
struct GraphAdjacencyMask {
  bool causal = false;                      ///< keys up to the query only
  const std::int32_t* key_valid = nullptr;  ///< [batch, tokens]: 1 = token, 0 = padding
  const T* additive = nullptr;              ///< by the strides below: hidden where not above -1e10
  const std::int32_t* first_key = nullptr;  ///< [batch, tokens]: where the sequence of query i begins
  Index past =
      0;  ///< keys before that of the first query, which are columns of the weights, key_valid and additive too
  Index additive_batch_stride = 0;  ///< entry (i, j) of batch b: additive[b * batch_stride + i * row_stride + j]
  Index additive_row_stride = 0;

  bool hides_something() const { return causal || key_valid != nullptr || additive != nullptr || first_key != nullptr; }

  /// Whether query i of `tokens` sees key j, counted from the first of the past.
  bool sees(Index tokens, Index b, Index i, Index j) const {
    if (causal && j > past + i) return false;
    const Index keys = past + tokens;
    if (key_valid != nullptr && key_valid[b * keys + j] == 0) return false;
    if (first_key != nullptr && j < first_key[b * tokens + i]) return false;
    return additive == nullptr || additive[b * additive_batch_stride + i * additive_row_stride + j] > T(-1e10);
  }

  /// Whether key j is of another packed sequence than query i: then nothing ever joins the two.
  bool apart(Index tokens, Index b, Index i, Index j) const {
    if (first_key == nullptr) return false;
    const std::int32_t* first = first_key + b * tokens;
    return j < first[i] || (j > past + i && first[j - past] > first[i]);
  }
};

/// How the maps of the input become those of the result.
enum class GraphAdjacencyCombine {
  keep,  ///< as they are
  mean,
  sum,
  any,      ///< the largest sigmoid of all
  sigmoid,  ///< the sigmoid of each
};

/// What a kernel needs to know.
template <class T>
struct GraphAdjacencyProblem {
  Index batch;
  Index heads;   ///< maps of the input
  Index maps;    ///< of the result
  Index tokens;  ///< queries; of keys there are `mask.past` more
  GraphAdjacencyCombine combine;
  GraphAdjacencyOptions options;
  GraphAdjacencyMask<T> mask;
  const T* distance_factors;  ///< [keys] by the distance, or null
  bool diagonal = false;      ///< rows have one entry, that of the query's own key
};

}  // namespace weft
