// SPDX-License-Identifier: Apache-2.0
/// \file
/// Packed texts for the tests of operations.
#pragma once

#include <cstdint>
#include <vector>

#include "weft/ops/packed_rows.hpp"

namespace weft::testing {

/// Two rows of 7 tokens in five texts of 3, 1, 3, 5 and 2 tokens.
inline const std::vector<std::int32_t> kFirstKeys{0, 0, 0, 3, 4, 4, 4, 0, 0, 0, 0, 0, 5, 5};

/// The same as operations are told.
struct Packing {
  Inference context;
  PackedRows rows = packed_rows(context, kFirstKeys.data(), 2, 7);
};

/// Two rows of 150 tokens, in texts of 30, of one or two, and of what is left.
struct LongPacking {
  Inference context;
  PackedRows rows;

  LongPacking() {
    std::vector<std::int32_t> first_keys;
    for (std::int32_t row = 0; row < 2; ++row) {
      for (std::int32_t t = 0; t < 150; ++t) first_keys.push_back(t < 30 ? 0 : t < 31 + row ? 30 : 31 + row);
    }
    rows = packed_rows(context, first_keys.data(), 2, 150);
  }
};

}  // namespace weft::testing
