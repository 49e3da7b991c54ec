// SPDX-License-Identifier: Apache-2.0
/// \file
/// The update of a graph isomorphism network by its definition: what the fast kernels are compared with.
#pragma once

#include <cmath>
#include <vector>

#include "weft/ops/gin/gin_size.hpp"

namespace weft::kernels {

/// What dropout multiplies a hidden value by.
inline double gin_dropout_factor_naive(const GINSize& size, const GINRules& rules, Index head, Index row,
                                       Index column) {
  const auto position = static_cast<std::uint64_t>(GINRules::dropout_position(size, head, row, column));
  const auto word = rules.dropout.rng.words(position / 4)[position % 4];
  return word >> 8 >= rules.dropout.threshold ? rules.dropout.scale : 0;
}

/// One row of one head, with everything between input and output.
template <class T>
struct GINRowNaive {
  std::vector<T> z, u, normalised, r, s;
  T inverse_rms = 0;

  GINRowNaive(const GINSize& size, const GINRules& rules, const GINHead<T>& head, Index n, Index row, const T* x,
              const T* aggregated)
      : z(static_cast<std::size_t>(size.dim)), u(static_cast<std::size_t>(size.hidden)), normalised(u), r(u), s(u) {
    const T self_weight = static_cast<T>(rules.self_weight(static_cast<double>(head.epsilon.data[0])));
    for (std::size_t i = 0; i < z.size(); ++i) z[i] = self_weight * x[i] + aggregated[i];
    T squares = 0;
    for (std::size_t j = 0; j < u.size(); ++j) {
      u[j] = head.mlp0_bias.data[j];
      for (std::size_t i = 0; i < z.size(); ++i) u[j] += head.mlp0_weight.data[j * z.size() + i] * z[i];
      u[j] *= static_cast<T>(gin_dropout_factor_naive(size, rules, n, row, static_cast<Index>(j)));
      squares += u[j] * u[j];
    }
    inverse_rms = 1 / std::sqrt(squares / static_cast<T>(size.hidden) + static_cast<T>(rules.rms_norm_eps));
    for (std::size_t j = 0; j < u.size(); ++j) {
      normalised[j] = u[j] * inverse_rms;
      r[j] = normalised[j] * head.norm_weight.data[j];
      s[j] = r[j] / (1 + std::exp(-r[j]));
    }
  }
};

/// y = W₄ silu(RMSNorm(dropout(W₀ z + b₀))) + b₄ + residual, z = epsilon x + aggregated; `residual` may be null.
template <class T>
void gin_naive(const GINSize& size, const GINRules& rules, const T* x, const T* aggregated, const GINHead<T>* heads,
               const T* residual, T* y) {
  for (Index row = 0; row < size.rows; ++row) {
    for (Index n = 0; n < size.heads; ++n) {
      const Index place = row * size.width() + n * size.dim;
      const GINRowNaive<T> values(size, rules, heads[n], n, row,
                                  x + row * size.input_width() + n / size.group() * size.dim, aggregated + place);
      for (Index i = 0; i < size.dim; ++i) {
        T sum = heads[n].mlp4_bias.data[i];
        for (Index j = 0; j < size.hidden; ++j) {
          sum += heads[n].mlp4_weight.data[i * size.hidden + j] * values.s[static_cast<std::size_t>(j)];
        }
        y[place + i] = residual != nullptr ? residual[place + i] + sum : sum;
      }
    }
  }
}

/// Adds all gradients to targets that hold something already.
template <class T>
void gin_backward_naive(const GINSize& size, const GINRules& rules, const T* x, const T* aggregated,
                        const GINHead<T>* heads, const T* dy, T* dx, T* daggregated, const GINHeadTargets<T>* targets) {
  const auto hidden = static_cast<std::size_t>(size.hidden);
  const auto dim = static_cast<std::size_t>(size.dim);
  for (Index row = 0; row < size.rows; ++row) {
    for (Index n = 0; n < size.heads; ++n) {
      const GINHead<T>& head = heads[n];
      const GINHeadTargets<T>& target = targets[n];
      const Index place = row * size.width() + n * size.dim;
      const Index x_place = row * size.input_width() + n / size.group() * size.dim;
      const GINRowNaive<T> values(size, rules, head, n, row, x + x_place, aggregated + place);
      const T self_weight = static_cast<T>(rules.self_weight(static_cast<double>(head.epsilon.data[0])));

      std::vector<T> scaled(hidden);  // gradient of the normalised hidden values
      T mean = 0;
      for (std::size_t j = 0; j < hidden; ++j) {
        T ds = 0;
        for (std::size_t i = 0; i < dim; ++i) {
          ds += dy[place + static_cast<Index>(i)] * head.mlp4_weight.data[i * hidden + j];
          target.mlp4_weight.data[i * hidden + j] += dy[place + static_cast<Index>(i)] * values.s[j];
        }
        const T sigmoid = 1 / (1 + std::exp(-values.r[j]));
        const T dr = ds * sigmoid * (1 + values.r[j] * (1 - sigmoid));
        target.norm_weight.data[j] += dr * values.normalised[j];
        scaled[j] = dr * head.norm_weight.data[j];
        mean += scaled[j] * values.normalised[j] / static_cast<T>(size.hidden);
      }
      std::vector<T> dz(dim);
      for (std::size_t j = 0; j < hidden; ++j) {
        T du = values.inverse_rms * (scaled[j] - values.normalised[j] * mean);
        du *= static_cast<T>(gin_dropout_factor_naive(size, rules, n, row, static_cast<Index>(j)));
        target.mlp0_bias.data[j] += du;
        for (std::size_t i = 0; i < dim; ++i) {
          target.mlp0_weight.data[j * dim + i] += du * values.z[i];
          dz[i] += du * head.mlp0_weight.data[j * dim + i];
        }
      }
      for (std::size_t i = 0; i < dim; ++i) {
        target.mlp4_bias.data[i] += dy[place + static_cast<Index>(i)];
        target.epsilon.data[0] += dz[i] * x[x_place + static_cast<Index>(i)];
        dx[x_place + static_cast<Index>(i)] += self_weight * dz[i];
        daggregated[place + static_cast<Index>(i)] += dz[i];
      }
    }
  }
}

}  // namespace weft::kernels
