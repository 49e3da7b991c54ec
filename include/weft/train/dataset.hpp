// SPDX-License-Identifier: Apache-2.0
/// \file
/// A long text of tokens as shuffled blocks of equal length.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "weft/tensor/rng.hpp"
#include "weft/tensor/tensor.hpp"

namespace weft {

/// How a text is cut into blocks and split for training and validation.
struct TokenDatasetOptions {
  Index block_size = 128;      ///< tokens a model sees at once
  double validation = 0;       ///< share of the text, at its end, that is never trained on; in [0, 1)
  std::uint64_t seed = 42;     ///< of the order of the blocks
  double bytes_per_token = 1;  ///< bytes of text that a token stands for on average; for bits per byte
};

/// Token ids and the labels they predict, [batch, block_size]: labels are the ids themselves, because the loss shifts
/// them (Hugging Face's convention).
struct TokenBatch {
  TensorView<const std::int32_t, Shape<Dyn, Dyn>> ids;
  TensorView<const std::int32_t, Shape<Dyn, Dyn>> labels;
};

/// The text is cut into blocks; what is left at the end of a part is not used. Every epoch takes each training block
/// once, in an order of its own: a function of the seed and the number of the epoch. A batch may end one epoch and begin
/// the next, so all batches have the same size.
class TokenDataset {
 public:
  /// Raises Error when the text is shorter than a block, or than two where a validation part is asked for.
  explicit TokenDataset(std::vector<std::int32_t> tokens, const TokenDatasetOptions& options = {})
      : tokens_(std::move(tokens)), options_(options) {
    expect_valid_options();
    const auto length = static_cast<Index>(tokens_.size());
    const Index parts = options.validation > 0 ? 2 : 1;
    if (options.block_size > length / parts) {
      fail(concat("TokenDataset: the text has ", length, " tokens, fewer than ",
                  parts == 1 ? "a block" : "a block for training and one for validation", " of ", options.block_size));
    }
    if (options.validation > 0) {
      const auto share = static_cast<Index>(std::floor(options.validation * static_cast<double>(length)));
      const Index held_out = std::clamp(share, options.block_size, length - options.block_size);
      validation_begin_ = length - held_out;
      validation_blocks_ = held_out / options.block_size;
    } else {
      validation_begin_ = length;
    }
    order_.resize(static_cast<std::size_t>(validation_begin_ / options.block_size));
    shuffle();
  }

  /// The next training blocks. Valid until the next call, which allocates only when it asks for a larger batch.
  TokenBatch next_batch(Index batch_size) {
    if (batch_size < 1) fail(concat("TokenDataset::next_batch(batch_size): at least 1 is needed, found ", batch_size));
    const Index block = options_.block_size;
    if (batch_size > std::numeric_limits<Index>::max() / block) {
      fail(concat("TokenDataset::next_batch(batch_size): at most ", std::numeric_limits<Index>::max() / block,
                  " blocks of ", block, " tokens can be counted, found ", batch_size));
    }
    batch_.resize(static_cast<std::size_t>(batch_size * block));
    for (Index row = 0; row < batch_size; ++row) {
      const auto index = static_cast<std::size_t>(position_ % training_blocks());
      const std::int32_t* source = tokens_.data() + static_cast<Index>(order_[index]) * block;
      std::copy(source, source + block, batch_.data() + row * block);
      if (++position_ % training_blocks() == 0) shuffle();
    }
    return as_batch(batch_.data(), batch_size);
  }

  /// Consecutive blocks of the validation part.
  TokenBatch validation_batch(Index first_block, Index blocks) const {
    if (first_block < 0 || blocks < 1 || first_block > validation_blocks_ - blocks) {
      fail(concat("TokenDataset::validation_batch: there are ", validation_blocks_, " blocks, found [", first_block,
                  ", ", first_block + blocks, ")"));
    }
    return as_batch(tokens_.data() + validation_begin_ + first_block * options_.block_size, blocks);
  }

  /// Blocks of a pass over the training part.
  Index training_blocks() const { return static_cast<Index>(order_.size()); }
  /// Blocks of the validation part, 0 where there is none.
  Index validation_blocks() const { return validation_blocks_; }
  Index block_size() const { return options_.block_size; }
  const TokenDatasetOptions& options() const { return options_; }
  std::span<const std::int32_t> tokens() const { return tokens_; }

  /// How many training blocks have been handed out since the beginning. With the same text and options, setting it goes
  /// on from there.
  Index position() const { return position_; }
  void set_position(Index position) {
    if (position < 0) fail(concat("TokenDataset::set_position(position): must not be negative, found ", position));
    position_ = position;
    shuffle();
  }

  /// Complete passes over the training blocks so far.
  Index epoch() const { return position_ / training_blocks(); }

 private:
  /// Streams of the seed that no other user of the same seed reaches.
  static constexpr std::uint64_t first_stream = std::uint64_t{1} << 62;

  void expect_valid_options() const {
    if (options_.block_size < 2) {
      fail(concat("TokenDataset: block_size must be at least 2, found ", options_.block_size));
    }
    if (!(options_.validation >= 0 && options_.validation < 1)) {
      fail(concat("TokenDataset: validation must be in [0, 1), found ", options_.validation));
    }
    if (!(options_.bytes_per_token > 0)) {
      fail(concat("TokenDataset: bytes_per_token must be positive, found ", options_.bytes_per_token));
    }
  }

  /// The order of the current epoch (Fisher and Yates; Knuth, TAOCP 2, algorithm 3.4.2 P).
  void shuffle() {
    const Rng rng(Rng::State{options_.seed, first_stream + static_cast<std::uint64_t>(epoch())});
    std::iota(order_.begin(), order_.end(), 0U);
    for (std::size_t last = order_.size() - 1; last > 0; --last) {
      std::swap(order_[last], order_[rng.below(last, static_cast<std::uint32_t>(last) + 1)]);
    }
  }

  TokenBatch as_batch(const std::int32_t* first, Index blocks) const {
    const TensorView<const std::int32_t, Shape<Dyn, Dyn>> ids(first, Shape<Dyn, Dyn>(blocks, options_.block_size));
    return {ids, ids};
  }

  std::vector<std::int32_t> tokens_;
  TokenDatasetOptions options_;
  Index validation_begin_ = 0;
  Index validation_blocks_ = 0;
  Index position_ = 0;
  std::vector<std::uint32_t> order_;  ///< of the current epoch's blocks
  std::vector<std::int32_t> batch_;
};

}  // namespace weft
