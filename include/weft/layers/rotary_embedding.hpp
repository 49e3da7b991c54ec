// SPDX-License-Identifier: Apache-2.0
/// \file
/// The angles of rotary positions: frequencies, their scaling for longer texts, and the tables of cosines and sines.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include "weft/layers/rope_scaling.hpp"
#include "weft/tensor/error.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// Tables for `rotary_embedding`, as Hugging Face's LlamaRotaryEmbedding makes them. No parameters.
///
/// Frequencies and angles are `float` whatever the model computes in: at long positions the rounding of the product
/// position * frequency is part of what a checkpoint was trained with.
class RotaryEmbedding {
 public:
  /// \param head_dim                 even
  /// \param theta                    base of the frequencies (`rope_theta`)
  /// \param max_position_embeddings  used by the `dynamic` scaling alone
  explicit RotaryEmbedding(Index head_dim, double theta = 10000, Index max_position_embeddings = 2048,
                           RopeScaling scaling = {})
      : head_dim_(head_dim),
        theta_(theta),
        max_positions_(max_position_embeddings),
        scaling_(scaling),
        longest_(max_position_embeddings) {
    check();
    unscaled_.resize(static_cast<std::size_t>(head_dim / 2));
    compute_frequencies(theta, unscaled_);
    frequencies_ = unscaled_;
    if (scaling.type == RopeType::linear) {
      for (float& frequency : frequencies_) frequency /= static_cast<float>(scaling.factor);
    } else if (scaling.type == RopeType::llama3) {
      for (float& frequency : frequencies_) frequency = llama3(frequency);
    }
  }

  Index head_dim() const { return head_dim_; }

  /// Whether a position's angles are the same in every text: with `dynamic` scaling they follow the text's length, so that
  /// keys which were turned earlier are not those of the longer text.
  bool incremental() const { return scaling_.type != RopeType::dynamic; }

  /// One for each pair of channels, radians per position. With `dynamic` scaling they are those of the last `fill`.
  std::span<const float> inverse_frequencies() const { return frequencies_; }

  /// Writes the tables of the given positions, [positions, head_dim] each; both halves of a row are equal.
  ///
  /// `dynamic` scaling has a memory, as in Hugging Face: a text longer than any before raises the frequencies' base, and
  /// only one shorter than `max_position_embeddings` resets it. So concurrent callers need an object each; with the other
  /// types nothing changes here.
  template <class T>
  void fill(std::span<const Index> positions, T* cos, T* sin) const {
    if (scaling_.type == RopeType::dynamic) follow_length(positions);
    const Index half = head_dim_ / 2;
    for (const Index position : positions) {
      for (Index k = 0; k < half; ++k) {
        const float angle = frequencies_[static_cast<std::size_t>(k)] * static_cast<float>(position);
        cos[k] = cos[k + half] = static_cast<T>(std::cos(angle));
        sin[k] = sin[k + half] = static_cast<T>(std::sin(angle));
      }
      cos += head_dim_;
      sin += head_dim_;
    }
  }

 private:
  void check() const {
    if (head_dim_ <= 0 || head_dim_ % 2 != 0) {
      fail(concat("RotaryEmbedding: head_dim must be even and positive, found ", head_dim_));
    }
    if (!(theta_ > 0)) fail(concat("RotaryEmbedding: rope_theta must be positive, found ", theta_));
    if (scaling_.type != RopeType::standard && !(scaling_.factor > 0)) {
      fail(concat("RotaryEmbedding: the factor of rope_scaling must be positive, found ", scaling_.factor));
    }
    if (scaling_.type == RopeType::dynamic && (head_dim_ < 4 || max_positions_ <= 0)) {
      fail(concat("RotaryEmbedding: rope_type dynamic needs head_dim >= 4 and max_position_embeddings > 0, found ",
                  head_dim_, " and ", max_positions_));
    }
    if (scaling_.type == RopeType::llama3 &&
        !(scaling_.low_freq_factor > 0 && scaling_.high_freq_factor > scaling_.low_freq_factor &&
          scaling_.original_max_position_embeddings > 0)) {
      fail(
          "RotaryEmbedding: rope_type llama3 needs 0 < low_freq_factor < high_freq_factor and "
          "original_max_position_embeddings > 0");
    }
  }

  /// theta^(-2k / head_dim): the exponent, the power and its inverse each rounded to float.
  void compute_frequencies(double theta, std::span<float> frequencies) const {
    for (std::size_t k = 0; k < frequencies.size(); ++k) {
      const float exponent = static_cast<float>(2 * k) / static_cast<float>(head_dim_);
      const double power = std::pow(static_cast<double>(static_cast<float>(theta)), static_cast<double>(exponent));
      frequencies[k] = 1.0F / static_cast<float>(power);
    }
  }

  /// High frequencies stay, low ones are divided by the factor, those between are blended.
  float llama3(float frequency) const {
    const auto context = static_cast<float>(scaling_.original_max_position_embeddings);
    const auto low = static_cast<float>(scaling_.low_freq_factor);
    const auto high = static_cast<float>(scaling_.high_freq_factor);
    const auto factor = static_cast<float>(scaling_.factor);
    const float wavelength = static_cast<float>(2 * std::numbers::pi) / frequency;
    if (wavelength < context / high) return frequency;
    if (wavelength > context / low) return frequency / factor;
    const float blend = (context / wavelength - low) / (high - low);
    return (1.0F - blend) * frequency / factor + blend * frequency;
  }

  void follow_length(std::span<const Index> positions) const {
    if (positions.empty()) return;
    const Index length = *std::max_element(positions.begin(), positions.end()) + 1;
    if (length > longest_) {
      const double stretch = scaling_.factor * static_cast<double>(length) / static_cast<double>(max_positions_);
      const double dim = static_cast<double>(head_dim_);
      compute_frequencies(theta_ * std::pow(stretch - (scaling_.factor - 1), dim / (dim - 2)), frequencies_);
      longest_ = length;
    } else if (length < max_positions_ && longest_ > max_positions_) {
      std::copy(unscaled_.begin(), unscaled_.end(), frequencies_.begin());
      longest_ = max_positions_;
    }
  }

  Index head_dim_;
  double theta_;
  Index max_positions_;
  RopeScaling scaling_;
  std::vector<float> unscaled_;
  mutable std::vector<float> frequencies_;
  mutable Index longest_;  ///< text that the dynamic frequencies are made for
};

}  // namespace weft
