// SPDX-License-Identifier: Apache-2.0
/// \file
/// Cross attention on the CPU: heads of texts go to the threads, each works through its rows block by block.
#pragma once

#include <algorithm>

#include "weft/ops/cross_attention/cross_attention_backward.hpp"
#include "weft/ops/cross_attention/cross_attention_kernels.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft {

template <>
struct CrossAttentionKernels<Cpu> {
  /// out[b, i, h, :] = Σⱼ a[b, h, i, j] v[b, j, h, :]
  template <class T>
  static void forward(const kernels::CrossAttentionInput<T>& in, T* out) {
    for_each_head(in, [&](Index batch, Index head) {
      clear_skipped(in, batch, head, out);
      kernels::detail::for_each_row_block(in, batch, head, [&](const kernels::detail::RowBlock& block) {
        kernels::detail::WeightBlock<T> weights(in, block, false);
        weights.compute();
        kernels::matmul(kernels::Transpose::no, kernels::Transpose::no, block.count, in.size.head_dim, block.width(),
                        weights.applied(), block.width(), in.value(batch, head, block.keys.begin), in.size.width(),
                        out + in.at(in.size.result_row(batch) + block.first, head), in.size.width());
      });
    });
  }

  /// The gradients of everything that `gradients` asks for.
  template <class T>
  static void backward(const kernels::CrossAttentionInput<T>& in, const T* d_out,
                       const kernels::CrossAttentionGradients<T>& gradients) {
    struct MixParts {};
    const Index pairs = in.size.batch * in.size.heads;
    T* parts = thread_scratch<MixParts, T>(pairs);
    const auto run = [&](Index batch, Index head) {
      parts[batch * in.size.heads + head] = kernels::detail::HeadBackward<T>(in, d_out, gradients, batch, head).run();
    };
    if (in.size.shared_queries) {
      parallel_for(in.size.heads, 1, [&](Index begin, Index end) {
        for (Index head = begin; head < end; ++head) {
          for (Index batch = 0; batch < in.size.batch; ++batch) run(batch, head);
        }
      });
    } else {
      for_each_head(in, run);
    }
    if (!gradients.d_mix) return;
    T sum = gradients.d_mix.accumulate ? *gradients.d_mix.data : T{0};
    for (Index pair = 0; pair < pairs; ++pair) sum += parts[pair];
    *gradients.d_mix.data = sum;
  }

  /// a as a tensor, [batch, heads, queries, keys].
  template <class T>
  static void weights(const kernels::CrossAttentionInput<T>& in, T* weights) {
    for_each_head(in, [&](Index batch, Index head) {
      T* rows = weights + (batch * in.size.heads + head) * in.size.queries * in.size.keys;
      std::fill_n(rows, in.size.queries * in.size.keys, T{0});
      kernels::detail::for_each_row_block(in, batch, head, [&](const kernels::detail::RowBlock& block) {
        kernels::detail::WeightBlock<T> values(in, block, false);
        values.compute();
        for (Index r = 0; r < block.count; ++r) {
          T* row = rows + (block.first + r) * in.size.keys;
          std::copy_n(values.applied() + r * block.width(), block.width(), row + block.keys.begin);
        }
      });
    });
  }

 private:
  /// The results of tokens that ask nothing.
  template <class T>
  static void clear_skipped(const kernels::CrossAttentionInput<T>& in, Index batch, Index head, T* out) {
    const Index end = in.size.result_row(batch);
    const Index begin = end - in.size.skipped;
    const Index count = std::min(in.size.skipped, in.size.query_texts.length(batch, in.size.queries));
    for (Index row = begin; row < begin + count; ++row) std::fill_n(out + in.at(row, head), in.size.head_dim, T{0});
  }

  template <class T, class Body>
  static void for_each_head(const kernels::CrossAttentionInput<T>& in, Body&& body) {
    parallel_for(in.size.batch * in.size.heads, 1, [&](Index begin, Index end) {
      for (Index pair = begin; pair < end; ++pair) body(pair / in.size.heads, pair % in.size.heads);
    });
  }
};

}  // namespace weft
