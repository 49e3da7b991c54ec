// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `offset_attention`; the CPU's answer is in offset_attention_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// What the weights of an adjacency mean to `offset_attention`.
enum class FutureMask {
  soft_log,  ///< log(A + 1e-9) is added, so that no edge is -20.7: large scores reach the future all the same (quirk F4)
  hard       ///< the same on edges, A > 0; without an edge, whatever made A 0 there, there is no weight at all
};

/// q, v: [batch, queries, heads * dim] and [batch, keys, heads * dim]; k like v; A [batch, heads, queries, keys].
struct OffsetAttentionSize {
  Index batch;
  Index heads;
  Index queries;
  Index keys;
  Index dim;

  Index width() const { return heads * dim; }
};

/// The arguments as kernels see them.
template <class T>
struct OffsetAttentionInput {
  OffsetAttentionSize size;
  FutureMask mask;
  T scale;
  const T* q;
  const T* k;
  const T* v;
  const T* a;
  const std::int32_t* first_key =
      nullptr;         ///< [batch, tokens]: where each token's packed sequence begins; null: one a row
  Index capacity = 0;  ///< where k and v are caches, the rows that each of their texts has room for; 0: `size.keys`
};

/// Kernels of `offset_attention` on a device. A specialisation provides forward, backward and has_negative.
template <class DeviceType>
struct OffsetAttentionKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/offset_attention/offset_attention_cpu.hpp"
#endif
