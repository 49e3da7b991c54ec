// SPDX-License-Identifier: Apache-2.0
/// \file
/// The model folders of the goldens as types, each compiled from typed_model.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parity/golden_case.hpp"

namespace weft::testing {

struct TypedModel {
  std::string folder;
  /// What the tool weft_parity does with `Dynamic`: everything that the golden file of the folder expects.
  void (*compare)(const std::string& folder, parity::GoldenCase& golden) = nullptr;
  std::vector<float> (*logits)(const std::string& folder, const parity::GoldenCase& golden) = nullptr;
};

/// In the order in which they were linked.
inline std::vector<TypedModel>& typed_models() {
  static std::vector<TypedModel> all;
  return all;
}

}  // namespace weft::testing
