// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `head_aggregate`; the CPU's answer is in head_aggregate_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// A [batch, heads, queries, keys] on the slices of u [batch, keys, heads * dim].
struct HeadAggregateSize {
  Index batch;
  Index heads;
  Index queries;
  Index keys;
  Index dim;

  Index width() const { return heads * dim; }
};

/// The rows of all tokens of a text in a cache [batch, capacity, width], in the place of a tensor [batch, tokens, width].
template <class T>
struct CachedRows {
  const T* data;
  Index batch;
  Index tokens;
  Index width;
  Index capacity;

  Index batch_stride() const { return capacity * width; }
};

/// Kernels of `head_aggregate` on a device. A specialisation provides forward, backward_weights and backward_values.
template <class DeviceType>
struct HeadAggregateKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/head_aggregate/head_aggregate_cpu.hpp"
#endif
