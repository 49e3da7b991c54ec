// SPDX-License-Identifier: Apache-2.0
/// \file
/// Several sequences side by side in one row: batches of variable length without padding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "weft/tensor/tensor.hpp"

namespace weft {

/// Where sequences begin in rows of tokens, given as cumulative lengths (`cu_seq_lens` of the reference's
/// FlashAttentionKwargs). Tokens see only their own sequence, in attention and in every graph layer, and positions start
/// anew in each. Attention costs the sum of the squared lengths. Layers that take something over a whole row refuse them.
///
///     const std::int32_t ends[] = {0, 5, 12, 20};                     // three sequences in one row of 20 tokens
///     const weft::PackedSequences packed(ends, 1, 20);
///     const auto labels = packed.labels(ids);                         // both must outlive the step of a tape
///     const auto loss = model.loss(tape, ids, labels, {.packed = &packed});
class PackedSequences {
 public:
  /// \param cu_seq_lens  0, then where each sequence ends, counted through all rows: rising, the last is batch * tokens.
  ///                     No sequence may reach from one row into the next.
  PackedSequences(std::span<const std::int32_t> cu_seq_lens, Index batch, Index tokens)
      : batch_(batch), tokens_(tokens) {
    expect_valid(cu_seq_lens);
    for (std::size_t s = 0; s + 1 < cu_seq_lens.size(); ++s) {
      const Index start = cu_seq_lens[s] % tokens;
      for (Index t = cu_seq_lens[s]; t < cu_seq_lens[s + 1]; ++t) {
        first_key_.push_back(static_cast<std::int32_t>(start));
        position_ids_.push_back(t - cu_seq_lens[s]);
      }
    }
  }

  Index batch() const { return batch_; }
  Index tokens() const { return tokens_; }

  /// [batch, tokens]: the first token, within its row, of each token's sequence.
  const std::int32_t* first_key() const { return first_key_.data(); }

  /// [batch * tokens]: 0, 1, 2, ... in each sequence.
  std::span<const Index> position_ids() const { return position_ids_; }

  /// Labels for the shifted loss: the ids themselves, but `ignore_index` where a sequence begins, because what stands before
  /// does not predict it.
  template <class Ids>
  auto labels(const Ids& ids, std::int64_t ignore_index = -100) const {
    using Id = std::remove_const_t<typename Ids::Element>;
    if (ids.size() != batch_ * tokens_) {
      fail(concat("PackedSequences::labels(ids): ids must have ", batch_ * tokens_, " elements, found ", ids.size()));
    }
    Tensor<Id, typename Ids::Shape> labels(ids.shape());
    for (Index t = 0; t < ids.size(); ++t) {
      const bool begins = position_ids_[static_cast<std::size_t>(t)] == 0;
      labels.data()[t] = begins ? static_cast<Id>(ignore_index) : ids.data()[t];
    }
    return labels;
  }

 private:
  void expect_valid(std::span<const std::int32_t> ends) const {
    if (batch_ < 1 || tokens_ < 1) {
      fail(concat("PackedSequences: batch and tokens must be positive, found ", batch_, " and ", tokens_));
    }
    if (ends.size() < 2 || ends.front() != 0 || ends.back() != batch_ * tokens_) {
      fail(concat("PackedSequences: cu_seq_lens must begin with 0 and end with batch * tokens = ", batch_ * tokens_,
                  ", found ", ends.size(), " values",
                  ends.empty() ? std::string() : concat(" from ", ends.front(), " to ", ends.back())));
    }
    for (std::size_t s = 0; s + 1 < ends.size(); ++s) {
      if (ends[s + 1] <= ends[s]) {
        fail(concat("PackedSequences: cu_seq_lens must rise, found ", ends[s], " before ", ends[s + 1]));
      }
      if (ends[s] / tokens_ != (ends[s + 1] - 1) / tokens_) {
        fail(concat("PackedSequences: a sequence must stay in its row of ", tokens_, " tokens, found one from ",
                    ends[s], " to ", ends[s + 1]));
      }
    }
  }

  Index batch_;
  Index tokens_;
  std::vector<std::int32_t> first_key_;
  std::vector<Index> position_ids_;
};

}  // namespace weft
