// SPDX-License-Identifier: Apache-2.0
// What does fused causal attention save over its explicit form, in which scores, softmax and products are whole matrices?
// Two explicit forms stand beside it, both on Weft's own products. `eager` does what a framework does, operation by
// operation: product, scale, mask, softmax and product each write a matrix. `lean` is the least one can do without fusing:
// the product scales, mask and softmax work in place. All run in turn and the best of each counts. GFLOP/s are of the
// products below the diagonal, recomputation excluded; MB are what a form needs beside inputs, results and their gradients.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include "weft/ops/attention/attention_backward.hpp"
#include "weft/ops/attention/attention_forward.hpp"
#include "weft/ops/matmul/matmul_kernel.hpp"
#include "weft/ops/scale/scale_kernels.hpp"
#include "weft/ops/softmax/softmax_kernels.hpp"
#include "weft/tensor/rng.hpp"
#include "weft/tensor/tensor.hpp"

#include "machine.hpp"
#include "memory.hpp"

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

/// What an explicit form needs beside: the mask, and matrices [batch, heads, tokens, tokens].
struct Matrices {
  explicit Matrices(const AttentionSize& s, bool is_eager, bool backward)
      : eager(is_eager),
        tokens(s.queries),
        heads(s.batch * s.heads),
        mask(Shape<Dyn>(tokens * tokens)),
        weights(Shape<Dyn>(count())),
        other(Shape<Dyn>(is_eager ? count() : 1)),
        d_weights(Shape<Dyn>(backward ? count() : 1)) {
    for (Index i = 0; i < tokens; ++i) {
      for (Index j = i + 1; j < tokens; ++j) mask(i * tokens + j) = std::numeric_limits<float>::lowest();
    }
  }

  Index count() const { return heads * tokens * tokens; }

  bool eager;
  Index tokens;
  Index heads;
  Values mask;
  Values weights;
  Values other;  ///< eager: where an operation that may not overwrite its input leaves its result
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
  float* masked = m.eager ? m.other.data() : m.weights.data();
  for_each_head(p, [&](Index b, Index n, Index at) {
    kernels::matmul(Transpose::no, Transpose::yes, t, t, p.size.head_dim, p.input.query(b, n, 0), p.q_width,
                    p.input.key(b, n, 0), p.k_width, masked + at, t,
                    MatmulEpilogue<float>{nullptr, false, m.eager ? 1.0F : p.input.scale});
  });
  if (m.eager) {
    ScaleKernels<Cpu>::forward<float>(m.count(), masked, p.input.scale, nullptr, m.weights.data());
  }
  parallel_for(m.heads * t, 16, [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const float* scores = m.weights.data() + row * t;
      const float* mask = m.mask.data() + row % t * t;
      float* sums = masked + row * t;
      for (Index j = 0; j < t; ++j) sums[j] = scores[j] + mask[j];
    }
  });
  SoftmaxKernels<Cpu>::forward(m.heads * t, t, masked, m.weights.data());
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
  const MatmulEpilogue<float> scaled{nullptr, false, m.eager ? 1.0F : p.input.scale};
  float* d_masked = m.eager ? m.other.data() : m.d_weights.data();
  for_each_head(p, [&](Index b, Index n, Index at) {
    const float* d_out = p.rows(p.d_out, p.out_width).at(b, 0, n * vd);
    kernels::matmul(Transpose::yes, Transpose::no, t, vd, t, m.weights.data() + at, t, d_out, p.out_width,
                    p.rows(p.dv, p.v_width).at(b, 0, n * vd), p.v_width);
    kernels::matmul(Transpose::no, Transpose::yes, t, t, vd, d_out, p.out_width, p.input.value(b, n, 0), p.v_width,
                    m.d_weights.data() + at, t);
  });
  SoftmaxKernels<Cpu>::backward(m.heads * t, t, m.weights.data(), m.d_weights.data(),
                                GradientTarget<float>{d_masked, false});
  if (m.eager) ScaleKernels<Cpu>::forward<float>(m.count(), d_masked, p.input.scale, nullptr, m.d_weights.data());
  for_each_head(p, [&](Index b, Index n, Index at) {
    const float* dx = m.d_weights.data() + at;
    kernels::matmul(Transpose::no, Transpose::no, t, d, t, dx, t, p.input.key(b, n, 0), p.k_width,
                    p.rows(p.dq, p.q_width).at(b, 0, n * d), p.q_width, scaled);
    kernels::matmul(Transpose::yes, Transpose::no, t, d, t, dx, t, p.input.query(b, n, 0), p.q_width,
                    p.rows(p.dk, p.k_width).at(b, 0, n * d), p.k_width, scaled);
  });
}

/// The seconds and the memory of one form.
struct Measurement {
  template <class Run>
  void time(Run&& run) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    last = bench::seconds_since(begin);
    best = std::min(best, last);
  }

  double last = 0;
  double best = 1e9;
  double megabytes = 0;
};

void run_fused(Problem& p, bool backward) {
  fused_forward(p);
  if (backward) fused_backward(p);
}

void run_explicit(Problem& p, Matrices& m, bool backward) {
  explicit_forward(p, m);
  if (backward) explicit_backward(p, m);
}

double explicit_megabytes(Problem& p, bool eager, bool backward) {
  return bench::peak_megabytes([&] {
    Matrices m(p.size, eager, backward);
    run_explicit(p, m, backward);
  });
}

/// Rows (batch, tokens, heads, head_dim).
void compare(benchmark::State& state, bool backward) {
  mallopt(M_MMAP_THRESHOLD, 64 << 10);  // what is freed goes back, so that each form's memory is seen
  const Index tokens = state.range(1), heads = state.range(2), head_dim = state.range(3);
  Problem p({state.range(0), heads, heads, tokens, tokens, head_dim, head_dim});
  run_fused(p, backward);  // results have been touched before memory is counted
  Measurement fused, lean, eager;
  fused.megabytes = bench::peak_megabytes([&] { run_fused(p, backward); });
  lean.megabytes = explicit_megabytes(p, false, backward);
  eager.megabytes = explicit_megabytes(p, true, backward);
  Matrices least(p.size, false, backward);
  Matrices all(p.size, true, backward);
  for (auto _ : state) {
    fused.time([&] { run_fused(p, backward); });
    lean.time([&] { run_explicit(p, least, backward); });
    eager.time([&] { run_explicit(p, all, backward); });
    state.SetIterationTime(fused.last);
  }
  const double flops = p.forward_flops() * (backward ? 3 : 1);
  state.counters["GFLOP/s"] = flops / fused.best * 1e-9;
  state.counters["share_of_peak"] = flops / fused.best / bench::fma_peak();
  state.counters["ms"] = fused.best * 1e3;
  state.counters["eager_ms"] = eager.best * 1e3;
  state.counters["lean_ms"] = lean.best * 1e3;
  state.counters["over_eager"] = eager.best / fused.best;
  state.counters["over_lean"] = lean.best / fused.best;
  state.counters["MB"] = fused.megabytes;
  state.counters["eager_MB"] = eager.megabytes;
  state.counters["lean_MB"] = lean.megabytes;
  state.counters["threads"] = thread_count();
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

/// Sequences of (length) that are packed into a row of (tokens), beside one sequence that fills it.
void packed(benchmark::State& state) {
  const Index tokens = state.range(0), length = state.range(1), heads = 8, head_dim = 64;
  Problem whole({1, heads, heads, tokens, tokens, head_dim, head_dim});
  Problem parts(whole.size);
  std::vector<std::int32_t> first_key;
  for (Index t = 0; t < tokens; ++t) first_key.push_back(static_cast<std::int32_t>(t / length * length));
  parts.input.mask.first_key = first_key.data();
  Measurement one, many;
  for (auto _ : state) {
    one.time([&] { run_fused(whole, true); });
    many.time([&] { run_fused(parts, true); });
    state.SetIterationTime(many.last);
  }
  state.counters["ms"] = many.best * 1e3;
  state.counters["whole_ms"] = one.best * 1e3;
  state.counters["ratio"] = one.best / many.best;
}

BENCHMARK(packed)->ArgNames({"tokens", "length"})->UseManualTime()->Args({2048, 512})->Args({2048, 128});

/// One new token against a cache of (keys, heads, kv_heads, head_dim): bytes of keys and values that are read.
void decode(benchmark::State& state) {
  const Index keys = state.range(0), kv_heads = state.range(2), head_dim = state.range(3);
  const AttentionSize size{1, state.range(1), kv_heads, 1, keys, head_dim, head_dim};
  Problem p(size);
  Measurement one;
  for (auto _ : state) {
    one.time([&] { kernels::attention_forward(p.input, p.rows(p.out, p.out_width)); });
    state.SetIterationTime(one.last);
  }
  const double bytes = static_cast<double>(2 * keys * p.k_width) * sizeof(float);
  state.counters["GB/s"] = bytes / one.best * 1e-9;
  state.counters["share_of_bandwidth"] = bytes / one.best / bench::read_bandwidth();
}

BENCHMARK(decode)
    ->ArgNames({"keys", "heads", "kv_heads", "head_dim"})
    ->UseManualTime()
    ->Args({512, 8, 8, 70})
    ->Args({2048, 32, 8, 64})
    ->Args({32768, 8, 8, 64});

}  // namespace
