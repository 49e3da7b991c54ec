// SPDX-License-Identifier: Apache-2.0
/// \file
/// How rotary frequencies are changed for texts longer than those of pre-training.
#pragma once

namespace weft {

/// `rope_type` of a Hugging Face configuration; `standard` ("default" in files) leaves the frequencies as they are.
enum class RopeType { standard, linear, dynamic, llama3 };

/// `rope_scaling` of a Hugging Face configuration; null there is `RopeType::standard`.
struct RopeScaling {
  RopeType type = RopeType::standard;
  double factor = 1.0;            ///< linear, dynamic, llama3: how many times longer the text may be
  double low_freq_factor = 1.0;   ///< llama3: wavelengths above the original length / this are stretched by `factor`
  double high_freq_factor = 4.0;  ///< llama3: wavelengths below the original length / this stay as they are
  int original_max_position_embeddings = 8192;  ///< llama3: the text length of the original training

  constexpr bool operator==(const RopeScaling&) const = default;
};

}  // namespace weft
