// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `table_rows`; the CPU's answer is in table_rows_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// Rows [first, first + rows) of a table of `table_rows`, added to the first `rows` of `tokens` rows of every text.
struct TableRowsSize {
  Index batch;
  Index tokens;
  Index rows;
  Index features;
  Index first;
  Index table_rows;
};

/// Kernels of `table_rows` on a device. A specialisation provides forward, backward_input and backward_table.
template <class DeviceType>
struct TableRowsKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/table_rows/table_rows_cpu.hpp"
#endif
