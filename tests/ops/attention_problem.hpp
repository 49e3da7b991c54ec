// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random attention problems of any size, mask and layout, with memory for their results and gradients.
#pragma once

#include <bit>
#include <string>
#include <vector>

#include "weft/ops/attention/attention_input.hpp"
#include "weft/tensor/error.hpp"
#include "weft/tensor/rng.hpp"

namespace weft::testing {

enum class MaskKind {
  none,
  causal,
  padding,
  causal_left_padding,
  causal_right_padding,
  additive,
  causal_additive,
  packed
};

inline constexpr MaskKind kAllMasks[] = {MaskKind::none,
                                         MaskKind::causal,
                                         MaskKind::padding,
                                         MaskKind::causal_left_padding,
                                         MaskKind::causal_right_padding,
                                         MaskKind::additive,
                                         MaskKind::causal_additive,
                                         MaskKind::packed};

struct AttentionCase {
  kernels::AttentionSize size;
  MaskKind mask = MaskKind::none;
  double sharpness = 1;
  Index gap = 0;  ///< unused features between rows, and between batches unused rows
  double dropout = 0;

  std::string text() const {
    return concat("batch ", size.batch, " heads ", size.heads, " kv_heads ", size.kv_heads, " queries ", size.queries,
                  " keys ", size.keys, " head_dim ", size.head_dim, " value_dim ", size.value_dim, " mask ",
                  static_cast<int>(mask), " sharpness ", sharpness, " gap ", gap, " dropout ", dropout);
  }
};

template <class T>
double largest(const std::vector<T>& values) {
  double result = 0;
  for (const T value : values) result = std::max(result, std::abs(static_cast<double>(value)));
  return result;
}

/// Rows of random numbers, `features` of each used.
template <class T>
struct RandomRows {
  RandomRows(Index batch, Index rows, Index features, Index gap, std::uint64_t seed, double scale = 1)
      : row_stride(features + gap), batch_stride((rows + gap) * row_stride) {
    const Rng rng(seed);
    for (Index i = 0; i < batch * batch_stride; ++i) {
      values.push_back(static_cast<T>(scale * rng.normal(static_cast<std::uint64_t>(i))));
    }
  }

  kernels::AttentionRows<T> rows() { return {values.data(), batch_stride, row_stride}; }
  kernels::AttentionRows<const T> rows() const { return {values.data(), batch_stride, row_stride}; }

  Index row_stride;
  Index batch_stride;
  std::vector<T> values;
};

template <class T>
class AttentionProblem {
 public:
  explicit AttentionProblem(const AttentionCase& c)
      : q(c.size.batch, c.size.queries, c.size.heads * c.size.head_dim, c.gap, 1),
        k(c.size.batch, c.size.keys, c.size.kv_heads * c.size.head_dim, c.gap, 2),
        v(c.size.batch, c.size.keys, c.size.kv_heads * c.size.value_dim, 2 * c.gap, 3),
        d_out(c.size.batch, c.size.queries, c.size.heads * c.size.value_dim, c.gap, 4) {
    input.size = c.size;
    input.q = std::as_const(q).rows();
    input.k = std::as_const(k).rows();
    input.v = std::as_const(v).rows();
    input.scale = static_cast<T>(1 / std::sqrt(static_cast<double>(c.size.head_dim)));
    input.sharpness = static_cast<T>(c.sharpness);
    if (c.dropout > 0) input.dropout.emplace(Rng(5), c.dropout);
    set_mask(c);
  }

  kernels::AttentionInput<T> input;
  RandomRows<T> q;
  RandomRows<T> k;
  RandomRows<T> v;
  RandomRows<T> d_out;
  std::vector<std::int32_t> key_valid;
  std::vector<std::int32_t> first_key;
  std::vector<T> additive;

 private:
  void set_mask(const AttentionCase& c) {
    using enum MaskKind;
    input.mask.causal = c.mask != none && c.mask != padding && c.mask != additive;
    if (c.mask == padding || c.mask == causal_left_padding || c.mask == causal_right_padding) set_key_valid(c);
    if (c.mask == packed) set_first_key(c);
    if (c.mask == additive || c.mask == causal_additive) set_additive(c);
  }

  /// Another number of padded keys in each sequence; without a causal mask the padding has holes.
  void set_key_valid(const AttentionCase& c) {
    for (Index b = 0; b < c.size.batch; ++b) {
      const Index padded = (c.size.keys * (b + 1)) / (c.size.batch + 1);
      for (Index j = 0; j < c.size.keys; ++j) {
        bool valid = (j + b) % 3 != 0;
        if (c.mask == MaskKind::causal_left_padding) valid = j >= padded;
        if (c.mask == MaskKind::causal_right_padding) valid = j < c.size.keys - padded;
        key_valid.push_back(valid ? 1 : 0);
      }
    }
    input.mask.key_valid = key_valid.data();
  }

  /// Sequences of growing length: 1, 2, 4, ... keys, one after the other, shifted from batch to batch.
  void set_first_key(const AttentionCase& c) {
    for (Index b = 0; b < c.size.batch; ++b) {
      for (Index i = 0; i < c.size.queries; ++i) {
        const auto position = static_cast<std::uint64_t>(c.size.offset() + i + b);
        const auto start = static_cast<Index>(std::bit_floor(position + 1)) - 1 - b;
        first_key.push_back(static_cast<std::int32_t>(std::max<Index>(0, start)));
      }
    }
    input.mask.first_key = first_key.data();
  }

  /// Small numbers, penalties of -1e9, the smallest number and -inf; every fifth row holds nothing but penalties.
  void set_additive(const AttentionCase& c) {
    const Rng rng(9);
    input.mask.additive_row_stride = c.size.keys + c.gap;
    input.mask.additive_batch_stride = c.size.queries * input.mask.additive_row_stride;
    for (Index b = 0; b < c.size.batch; ++b) {
      for (Index i = 0; i < c.size.queries; ++i) {
        for (Index j = 0; j < input.mask.additive_row_stride; ++j) {
          const auto at = static_cast<std::uint64_t>(additive.size());
          const double draw = rng.normal(at);
          double value = 0;
          if (draw > 0.5) value = draw;
          if (draw < -0.3) value = -1e9;
          if (draw < -0.8) value = static_cast<double>(std::numeric_limits<T>::lowest());
          if (draw < -1.5) value = -std::numeric_limits<double>::infinity();
          if (i % 5 == 4) value = i % 2 == 0 ? -1e9 : static_cast<double>(std::numeric_limits<T>::lowest());
          additive.push_back(static_cast<T>(value));
        }
      }
    }
    input.mask.additive = additive.data();
  }
};

/// Memory for what backward gives.
template <class T>
struct AttentionResult {
  AttentionResult(const AttentionCase& c, std::uint64_t seed)
      : out(c.size.batch, c.size.queries, c.size.heads * c.size.value_dim, c.gap, seed),
        dq(c.size.batch, c.size.queries, c.size.heads * c.size.head_dim, c.gap, seed + 1),
        dk(c.size.batch, c.size.keys, c.size.kv_heads * c.size.head_dim, c.gap, seed + 2),
        dv(c.size.batch, c.size.keys, c.size.kv_heads * c.size.value_dim, 2 * c.gap, seed + 3),
        statistics(static_cast<std::size_t>(kernels::attention_statistics_size(c.size))) {}

  kernels::AttentionGradients<T> gradients(bool accumulate = false) {
    return {{dq.rows(), accumulate}, {dk.rows(), accumulate}, {dv.rows(), accumulate}, &d_sharpness, accumulate};
  }

  RandomRows<T> out;
  RandomRows<T> dq;
  RandomRows<T> dk;
  RandomRows<T> dv;
  T d_sharpness = T(0.5);
  std::vector<T> statistics;
};

}  // namespace weft::testing
