// SPDX-License-Identifier: Apache-2.0
/// \file
/// A text that a model reads and goes on with.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "weft/autograd/inference.hpp"
#include "weft/models/kv_cache.hpp"
#include "weft/models/sampler.hpp"
#include "weft/tensor/tensor.hpp"

namespace weft {

/// Continues one text. Where the model is incremental its keys and values are cached, and a step costs one token; where it
/// is not (see `incremental`; `LlamaMLP_HalfwayGIN_MultiAggregation` with the soft mask of the reference for example), a step
/// costs the whole text. Once a text was as long before, it allocates nothing; with attention that makes no adjacency nothing at
/// all after the prompt.
///
///     weft::Generator generator(model, prompt.size() + 100, sampling);
///     generator.read(prompt);
///     while (...) token = generator.next();
template <class Model>
class Generator {
 public:
  using T = typename Model::T;

  /// \param capacity  tokens of prompt and continuation together that there is room for, at least 1
  Generator(const Model& model, Index capacity, const SamplingOptions& sampling = {})
      : model_(model), capacity_(capacity), sampler_(model.vocab_size(), sampling) {
    if (capacity < 1) fail(concat("Generator(model, capacity): capacity must be positive, found ", capacity));
    if (model.incremental()) cache_.emplace(model.make_cache(1, capacity));
    text_ = Tensor<std::int32_t, Shape<Dyn>>(Shape<Dyn>(capacity));
  }

  const Model& model() const { return model_; }
  Index capacity() const { return capacity_; }

  /// The text so far.
  std::span<const std::int32_t> text() const { return {text_.data(), static_cast<std::size_t>(length_)}; }

  /// Appends tokens to the text and returns the scores of the next one; at least one token. Where that fails, a number that
  /// is no token for instance, the text stays as it was.
  std::span<const T> read(std::span<const std::int32_t> tokens) {
    if (tokens.empty()) fail("Generator::read(tokens): the text needs at least one token");
    if (static_cast<Index>(tokens.size()) > capacity_ - length_) {
      fail(concat("Generator::read(tokens): ", tokens.size(), " more tokens do not fit: ", length_, " of ", capacity_,
                  " are taken"));
    }
    std::copy(tokens.begin(), tokens.end(), text_.data() + length_);
    return compute_scores(length_ + static_cast<Index>(tokens.size()));
  }

  /// Chooses the next token and appends it where there is room; the first call follows a `read`. The model looks at the token
  /// when the one after it is wanted: a token is known as soon as it can be.
  std::int32_t next() {
    if (read_ < length_) compute_scores(length_);
    if (scores_.empty() && length_ == capacity_) {
      fail(concat("Generator::next(): there is room for ", capacity_, " tokens, and all of it is taken"));
    }
    if (scores_.empty()) fail("Generator::next(): read a prompt first");
    const auto token = static_cast<std::int32_t>(sampler_(scores_, text()));
    if (length_ < capacity_) text_.data()[length_++] = token;
    scores_ = {};
    return token;
  }

  /// Forgets everything after the first `tokens` tokens: to start anew (0), or to try another continuation. What comes next is
  /// a `read`.
  void truncate(Index tokens) {
    if (tokens < 0 || tokens > length_) {
      fail(concat("Generator::truncate(tokens) needs 0 <= tokens <= ", length_, ", found ", tokens));
    }
    length_ = tokens;
    read_ = std::min(read_, tokens);
    if (cache_) cache_->truncate(read_);
    scores_ = {};
  }

  /// Makes room for a text of `capacity` tokens. The text stays, but a longer cache is empty: the model reads all of it once
  /// more when the next token is wanted.
  void reserve(Index capacity) {
    if (capacity <= capacity_) return;
    Tensor<std::int32_t, Shape<Dyn>> text{Shape<Dyn>(capacity)};
    std::copy(text_.data(), text_.data() + length_, text.data());
    if (cache_) cache_.emplace(model_.make_cache(1, capacity));
    text_ = std::move(text);
    capacity_ = capacity;
    read_ = 0;
  }

  /// Draws the next tokens in another way, from the beginning of its random numbers.
  void sample_by(const SamplingOptions& sampling) { sampler_ = Sampler(model_.vocab_size(), sampling); }

 private:
  /// The model looks at what it has not seen of the first `length` tokens, which are the text from then on.
  std::span<const T> compute_scores(Index length) {
    scores_ = {};
    context_.reset();
    if (cache_) cache_->truncate(read_);  // it may know more, where the last time failed behind it
    const Index first = cache_ ? read_ : 0;
    const Shape<Dyn, Dyn> shape(1, length - first);
    const TensorView<const std::int32_t, Shape<Dyn, Dyn>> ids(text_.data() + first, shape);
    const auto hidden = model_.model(context_, ids, {}, cache_ ? &*cache_ : nullptr);
    const auto last = hidden.reshape(Shape<Dyn, Model::kHiddenSize>::from({hidden.extent(1), hidden.extent(2)}));
    const auto logits = model_.logits(context_, last.slice(last.extent(0) - 1, 1));
    length_ = read_ = length;
    return scores_ = {logits.data(), static_cast<std::size_t>(logits.size())};
  }

  const Model& model_;
  Inference context_;
  Index capacity_;
  std::optional<KVCache<T>> cache_;  ///< empty where every step recomputes the text
  Tensor<std::int32_t, Shape<Dyn>> text_;
  Index length_ = 0;  ///< tokens of the text so far
  Index read_ = 0;    ///< of which the model has seen these
  Sampler sampler_;
  std::span<const T> scores_;
};

}  // namespace weft
