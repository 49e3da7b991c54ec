// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `table_rows`; the CPU's answer is in table_rows_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/packed_rows.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// Rows [first, first + rows) of a table of `table_rows`, added to the first `rows` tokens of every text, which has
/// `tokens` of them, or its own number where texts are packed.
struct TableRowsSize {
  Index batch;
  Index tokens;
  Index rows;
  Index features;
  Index first;
  Index table_rows;
  PackedRows packed = {};
  bool in_place = false;  ///< results of packed texts stay where their tokens are; else each text has a row of them

  /// Token t of a text, counted through all rows of x, or -1.
  Index token(Index text, Index t) const {
    return t < packed.length(text, tokens) ? packed.begin(text, tokens) + t : -1;
  }
  /// The result for token t of a text, counted through all rows, or -1.
  Index result(Index text, Index t) const { return in_place ? token(text, t) : text * rows + t; }
  Index all_results() const { return in_place ? all_tokens() : batch * rows; }
  /// The text of a result, and its token.
  Index text_of(Index at) const { return in_place ? packed.text_of(at, tokens) : at / rows; }
  Index token_of(Index at) const { return in_place ? at - packed.begin(text_of(at), tokens) : at % rows; }
  /// Tokens of all texts.
  Index all_tokens() const { return packed ? packed.starts[batch] : batch * tokens; }
};

/// Kernels of `table_rows` on a device. A specialisation provides forward, backward_input and backward_table.
template <class DeviceType>
struct TableRowsKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/table_rows/table_rows_cpu.hpp"
#endif
