// SPDX-License-Identifier: Apache-2.0
// What does fused causal attention save over its explicit form, in which scores, softmax and products are whole matrices?
// Both run in turn and the best of each counts. GFLOP/s are of the products below the diagonal, recomputation excluded.
#include <chrono>

#include <benchmark/benchmark.h>

#include "weft/ops/attention/attention_backward.hpp"
#include "weft/ops/attention/attention_forward.hpp"
#include "weft/ops/matmul/matmul_kernel.hpp"
#include "weft/ops/softmax/softmax_kernels.hpp"
#include "weft/tensor/rng.hpp"
#include "weft/tensor/tensor.hpp"

namespace {

using namespace weft;
using kernels::AttentionInput;
using kernels::AttentionRows;
using kernels::AttentionSize;
using kernels::MatmulEpilogue;
using kernels::Transpose;
using Values = Tensor<float, Shape<Dyn>>;

Values random_values(Index count, std::uint64_t seed) {
  Values values{Shape<Dyn>(count)};
  const Rng rng(seed);
  for (Index i = 0; i < count; ++i) values(i) = static_cast<float>(rng.normal(static_cast<std::uint64_t>(i)));
  return values;
}

/// Inputs and results, which both forms share.
struct Problem {
  explicit Problem(const AttentionSize& s) : size(s) {
    input.size = s;
    input.q = {q.data(), s.queries * q_width, q_width};
    input.k = {k.data(), s.keys * k_width, k_width};
    input.v = {v.data(), s.keys * v_width, v_width};
    input.mask.causal = true;
    input.scale = 1 / std::sqrt(static_cast<float>(s.head_dim));
  }

  AttentionRows<float> rows(Values& values, Index width) const { return {values.data(), size.queries * width, width}; }
  AttentionRows<const float> rows(const Values& values, Index width) const {
    return {values.data(), size.queries * width, width};
  }
  double forward_flops() const {
    return static_cast<double>(size.batch * size.heads * size.queries * (size.queries + 1) *
                               (size.head_dim + size.value_dim));
  }

  AttentionSize size;
  Index q_width = size.heads * size.head_dim;
  Index k_width = size.kv_heads * size.head_dim;
  Index v_width = size.kv_heads * size.value_dim;
  Index out_width = size.heads * size.value_dim;
  Values q = random_values(size.batch * size.queries * q_width, 1);
  Values k = random_values(size.batch * size.keys * k_width, 2);
  Values v = random_values(size.batch * size.keys * v_width, 3);
  Values d_out = random_values(size.batch * size.queries * out_width, 4);
  Values out{Shape<Dyn>(size.batch * size.queries * out_width)};
  Values dq{Shape<Dyn>(size.batch * size.queries * q_width)};
  Values dk{Shape<Dyn>(size.batch * size.keys * k_width)};
  Values dv{Shape<Dyn>(size.batch * size.keys * v_width)};
  Values statistics{Shape<Dyn>(kernels::attention_statistics_size(size))};
  AttentionInput<float> input;
};

void fused_forward(Problem& p) {
  kernels::attention_forward(p.input, p.rows(p.out, p.out_width), {p.statistics.data()});
}

void fused_backward(Problem& p) {
  kernels::AttentionGradients<float> gradients;
  gradients.dq.rows = p.rows(p.dq, p.q_width);
  gradients.dk.rows = p.rows(p.dk, p.k_width);
  gradients.dv.rows = p.rows(p.dv, p.v_width);
  kernels::attention_backward(p.input, p.rows(std::as_const(p.out), p.out_width), {p.statistics.data()},
                              p.rows(std::as_const(p.d_out), p.out_width), gradients);
}

/// What the explicit form needs beside: the mask, and weights and their gradients, [batch, heads, tokens, tokens].
struct Matrices {
  explicit Matrices(const AttentionSize& s)
      : tokens(s.queries),
        heads(s.batch * s.heads),
        mask(Shape<Dyn>(tokens * tokens)),
        weights(Shape<Dyn>(heads * tokens * tokens)),
        d_weights(Shape<Dyn>(heads * tokens * tokens)) {
    for (Index i = 0; i < tokens; ++i) {
      for (Index j = i + 1; j < tokens; ++j) mask(i * tokens + j) = std::numeric_limits<float>::lowest();
    }
  }

  Index tokens;
  Index heads;
  Values mask;
  Values weights;
  Values d_weights;
};

/// Calls body(batch, head, offset of the head's matrix): heads on different threads, the products of one on one.
template <class Body>
void for_each_head(const Problem& p, Body&& body) {
  parallel_for(p.size.batch * p.size.heads, 1, [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      body(at / p.size.heads, at % p.size.heads, at * p.size.queries * p.size.keys);
    }
  });
}

void explicit_forward(Problem& p, Matrices& m) {
  const Index t = m.tokens;
  for_each_head(p, [&](Index b, Index n, Index at) {
    kernels::matmul(Transpose::no, Transpose::yes, t, t, p.size.head_dim, p.input.query(b, n, 0), p.q_width,
                    p.input.key(b, n, 0), p.k_width, m.weights.data() + at, t,
                    MatmulEpilogue<float>{nullptr, false, p.input.scale});
  });
  parallel_for(m.heads * t, 16, [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      float* weights = m.weights.data() + row * t;
      const float* mask = m.mask.data() + row % t * t;
      for (Index j = 0; j < t; ++j) weights[j] += mask[j];
    }
  });
  SoftmaxKernels<Cpu>::forward(m.heads * t, t, m.weights.data(), m.weights.data());
  for_each_head(p, [&](Index b, Index n, Index at) {
    kernels::matmul(Transpose::no, Transpose::no, t, p.size.value_dim, t, m.weights.data() + at, t,
                    p.input.value(b, n, 0), p.v_width, p.rows(p.out, p.out_width).at(b, 0, n * p.size.value_dim),
                    p.out_width);
  });
}

void explicit_backward(Problem& p, Matrices& m) {
  const Index t = m.tokens;
  const Index d = p.size.head_dim;
  const Index vd = p.size.value_dim;
  const MatmulEpilogue<float> scaled{nullptr, false, p.input.scale};
  for_each_head(p, [&](Index b, Index n, Index at) {
    const float* d_out = p.rows(p.d_out, p.out_width).at(b, 0, n * vd);
    kernels::matmul(Transpose::yes, Transpose::no, t, vd, t, m.weights.data() + at, t, d_out, p.out_width,
                    p.rows(p.dv, p.v_width).at(b, 0, n * vd), p.v_width);
    kernels::matmul(Transpose::no, Transpose::yes, t, t, vd, d_out, p.out_width, p.input.value(b, n, 0), p.v_width,
                    m.d_weights.data() + at, t);
  });
  SoftmaxKernels<Cpu>::backward(m.heads * t, t, m.weights.data(), m.d_weights.data(),
                                GradientTarget<float>{m.d_weights.data(), false});
  for_each_head(p, [&](Index b, Index n, Index at) {
    const float* dx = m.d_weights.data() + at;
    kernels::matmul(Transpose::no, Transpose::no, t, d, t, dx, t, p.input.key(b, n, 0), p.k_width,
                    p.rows(p.dq, p.q_width).at(b, 0, n * d), p.q_width, scaled);
    kernels::matmul(Transpose::yes, Transpose::no, t, d, t, dx, t, p.input.query(b, n, 0), p.q_width,
                    p.rows(p.dk, p.k_width).at(b, 0, n * d), p.k_width, scaled);
  });
}

template <class Run>
double seconds(Run&& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Rows (batch, tokens, heads, head_dim).
void compare(benchmark::State& state, bool backward) {
  const Index tokens = state.range(1), heads = state.range(2), head_dim = state.range(3);
  const AttentionSize size{state.range(0), heads, heads, tokens, tokens, head_dim, head_dim};
  Problem p(size);
  Matrices m(size);
  double fused = 1e9;
  double whole = 1e9;
  for (auto _ : state) {
    const double time = seconds([&] {
      fused_forward(p);
      if (backward) fused_backward(p);
    });
    state.SetIterationTime(time);
    fused = std::min(fused, time);
    whole = std::min(whole, seconds([&] {
                       explicit_forward(p, m);
                       if (backward) explicit_backward(p, m);
                     }));
  }
  const double flops = p.forward_flops() * (backward ? 3 : 1);
  state.counters["GFLOP/s"] = flops / fused * 1e-9;
  state.counters["explicit_GFLOP/s"] = flops / whole * 1e-9;
  state.counters["ratio"] = whole / fused;
}

void forward(benchmark::State& state) { compare(state, false); }
void forward_backward(benchmark::State& state) { compare(state, true); }

void sizes(benchmark::internal::Benchmark* rows) {
  rows->ArgNames({"batch", "tokens", "heads", "head_dim"})->UseManualTime();
  rows->Args({16, 128, 8, 64})->Args({4, 512, 8, 64})->Args({1, 2048, 8, 64});
  rows->Args({8, 256, 8, 70})->Args({16, 128, 4, 32});  // the training recipes
}

BENCHMARK(forward)->Apply(sizes);
BENCHMARK(forward_backward)->Apply(sizes);

/// One new token against a cache of (keys, heads, kv_heads, head_dim): bytes of keys and values that are read.
void decode(benchmark::State& state) {
  const Index keys = state.range(0), kv_heads = state.range(2), head_dim = state.range(3);
  const AttentionSize size{1, state.range(1), kv_heads, 1, keys, head_dim, head_dim};
  Problem p(size);
  double best = 1e9;
  for (auto _ : state) {
    const double time = seconds([&] { kernels::attention_forward(p.input, p.rows(p.out, p.out_width)); });
    state.SetIterationTime(time);
    best = std::min(best, time);
  }
  state.counters["GB/s"] = static_cast<double>(2 * keys * p.k_width) * sizeof(float) / best * 1e-9;
}

BENCHMARK(decode)
    ->ArgNames({"keys", "heads", "kv_heads", "head_dim"})
    ->UseManualTime()
    ->Args({512, 8, 8, 70})
    ->Args({2048, 32, 8, 64})
    ->Args({32768, 8, 8, 64});

}  // namespace
