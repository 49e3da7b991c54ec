// SPDX-License-Identifier: Apache-2.0
/// \file
/// `gin_update` on the CPU: panels of rows and heads are shared out among threads.
#pragma once

#include <algorithm>

#include "weft/ops/gin/gin_backward_cpu.hpp"
#include "weft/ops/gin/gin_forward_cpu.hpp"
#include "weft/ops/gin/gin_kernels.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft {

template <>
struct GINKernels<Cpu> {
  /// y = W₄ silu(RMSNorm(dropout(W₀ z + b₀))) + b₄ + residual, z = epsilon x + aggregated. Keeps the values before the norm
  /// in u unless that is null; `residual` may be null.
  template <class T>
  static void forward(const GINSize& size, const GINRules& rules, const T* x, const T* aggregated,
                      const GINHead<T>* heads, const T* residual, T* u, T* y) {
    if (size.rows == 0) return;
    const kernels::GINInput<T> input{size, rules, x, aggregated, heads};
    const kernels::GINForward<T> forward(input, residual, u, y);
    parallel_for(size.panels() * size.heads, 1, [&](Index begin, Index end) {
      while (begin < end) {
        const Index head = begin % size.heads;
        const Index last_head = std::min({size.heads, head + size.heads_at_once(), head + end - begin});
        forward.run(begin / size.heads, head, last_head);
        begin += last_head - head;
      }
    });
  }

  /// All gradients but that of the residual. The rows are cut into chunks; a task is a chunk for the heads that read one
  /// slice of x. Its sums over rows are its own, and are added to those of the other chunks in order. The chunks depend on
  /// the sizes alone.
  template <class T>
  static void backward(const GINSize& size, const GINRules& rules, const T* x, const T* aggregated,
                       const GINHead<T>* heads, const T* u, const T* dy, GradientTarget<T> dx,
                       GradientTarget<T> daggregated, const GINHeadTargets<T>* targets) {
    const kernels::GINInput<T> input{size, rules, x, aggregated, heads};
    const kernels::GINBackwardPanels<T> panels(input, u, dy, dx, daggregated, targets);
    const Sums<T> sums(size);
    parallel_for(sums.chunks * size.key_value_heads, 1, [&](Index begin, Index end) {
      while (begin < end) {
        const Index chunk = begin / size.key_value_heads;
        const Index after = std::min(end, (chunk + 1) * size.key_value_heads);
        const Index first_head = begin % size.key_value_heads * size.group();
        run_chunk(panels, sums, chunk, first_head, first_head + (after - begin) * size.group());
        begin = after;
      }
    });
    parallel_for(size.heads, 1, [&](Index begin, Index end) {
      for (Index head = begin; head < end; ++head) sums.finish(head, targets[head]);
    });
  }

  /// target = values, or target += values
  template <class T>
  static void add(Index count, const T* values, GradientTarget<T> target) {
    kernels::add_to_gradient(count, values, target);
  }

 private:
  /// The sums of every chunk of rows and head.
  template <class T>
  struct Sums {
    GINSize size;
    Index chunks;
    Index stride;
    T* memory;
    double* epsilon;

    explicit Sums(const GINSize& sizes)
        : size(sizes),
          chunks(std::clamp<Index>(sizes.rows / 512, 1, 16)),
          stride(kernels::GINSums<T>::count(sizes)),
          memory(thread_scratch<Sums, T>(chunks * sizes.heads * stride)),
          epsilon(thread_scratch<EpsilonTag, double>(chunks * sizes.heads)) {}

    struct EpsilonTag {};

    Index place(Index chunk, Index head) const { return chunk * size.heads + head; }
    kernels::GINSums<T> at(Index chunk, Index head) const { return {size, memory + place(chunk, head) * stride}; }

    void finish(Index head, const GINHeadTargets<T>& targets) const {
      T* total = memory + place(0, head) * stride;
      double total_epsilon = epsilon[place(0, head)];
      for (Index chunk = 1; chunk < chunks; ++chunk) {
        kernels::gin_add(stride, memory + place(chunk, head) * stride, total);
        total_epsilon += epsilon[place(chunk, head)];
      }
      at(0, head).finish(size, targets);
      kernels::GINSums<T>::put(targets.epsilon, 0, static_cast<T>(total_epsilon));
    }
  };

  template <class T>
  static void run_chunk(const kernels::GINBackwardPanels<T>& panels, const Sums<T>& sums, Index chunk, Index first_head,
                        Index last_head) {
    for (Index head = first_head; head < last_head; ++head) {
      T* own = sums.memory + sums.place(chunk, head) * sums.stride;
      std::fill(own, own + sums.stride, T{0});
      sums.epsilon[sums.place(chunk, head)] = 0;
    }
    const auto sums_of = [&](Index head) { return sums.at(chunk, head); };
    const auto epsilon_of = [&](Index head) -> double& { return sums.epsilon[sums.place(chunk, head)]; };
    const Index count = sums.size.panels();
    for (Index panel = count * chunk / sums.chunks; panel < count * (chunk + 1) / sums.chunks; ++panel) {
      for (Index head = first_head; head < last_head; head += sums.size.heads_at_once()) {
        panels.run(panel, head, std::min(last_head, head + sums.size.heads_at_once()), sums_of, epsilon_of);
      }
    }
  }
};

}  // namespace weft
