// SPDX-License-Identifier: Apache-2.0
/// \file
/// Times a layer forwards, forwards and backwards, and token by token, and counts its memory.
#pragma once

#include <benchmark/benchmark.h>
#include <malloc.h>

#include "weft/autograd/inference.hpp"
#include "weft/autograd/tape.hpp"
#include "weft/layers/rotary_embedding.hpp"

#include "layers/operations.hpp"
#include "layers/subjects.hpp"
#include "machine.hpp"
#include "memory.hpp"

namespace bench {

using Rows = weft::Tensor<float, weft::Shape<Dyn, Dyn, Dyn>>;

inline Rows random_rows(Index batch, Index tokens, Index width, std::uint64_t seed) {
  Rows rows{weft::Shape<Dyn, Dyn, Dyn>(batch, tokens, width)};
  const weft::Rng rng(seed);
  for (Index i = 0; i < rows.size(); ++i) {
    rows.data()[i] = static_cast<float>(rng.normal(static_cast<std::uint64_t>(i)));
  }
  return rows;
}

/// A batch of random texts, a gradient of the result, and what attention needs beside.
struct Problem {
  explicit Problem(const Setting& s) : setting(s) {
    std::vector<Index> positions(static_cast<std::size_t>(s.tokens));
    for (Index t = 0; t < s.tokens; ++t) positions[static_cast<std::size_t>(t)] = t;
    weft::RotaryEmbedding(s.head_dim()).fill<float>(positions, cos.data(), sin.data());
  }

  /// Of `count` tokens from `first` on.
  Inputs inputs(Index first, Index count) const {
    const weft::Shape<Dyn, Dyn, Dyn> shape(1, count, setting.head_dim());
    Inputs inputs;
    inputs.cos = {cos.data() + first * setting.head_dim(), shape};
    inputs.sin = {sin.data() + first * setting.head_dim(), shape};
    inputs.causal = true;
    return inputs;
  }
  Inputs inputs() const { return inputs(0, setting.tokens); }

  /// `count` tokens of the first text.
  weft::TensorView<const float, weft::Shape<Dyn, Dyn, Dyn>> part(Index first, Index count) const {
    return {x.data() + first * setting.hidden, weft::Shape<Dyn, Dyn, Dyn>(1, count, setting.hidden)};
  }

  Setting setting;
  Rows x = random_rows(setting.batch, setting.tokens, setting.hidden, 1);
  Rows d_result = random_rows(setting.batch, setting.tokens, setting.hidden, 2);
  Rows cos{weft::Shape<Dyn, Dyn, Dyn>(1, setting.tokens, setting.head_dim())};
  Rows sin{weft::Shape<Dyn, Dyn, Dyn>(1, setting.tokens, setting.head_dim())};
};

template <class Subject>
void run_forward(const Subject& subject, const Problem& p, weft::Inference& context) {
  context.reset();
  benchmark::DoNotOptimize(subject(context, p.x, p.inputs()).data());
}

template <class Subject>
void run_backward(Subject& subject, Problem& p, weft::Tape& tape) {
  tape.reset();
  weft::clear_gradients(subject);
  const auto x = tape.watch(p.x);
  const auto y = subject(tape, x, p.inputs());
  const weft::TensorView<const float, std::decay_t<decltype(y.shape())>> seed(p.d_result.data(), y.shape());
  tape.backward(y, seed);
  benchmark::DoNotOptimize(tape.gradient(x).data());
}

inline double machine_peak() {
  static const double operations = fma_peak();
  return operations;
}

/// Runs `body` once a round; `between` before it, untimed. The shortest round in seconds.
template <class Body, class Between>
double best_round(benchmark::State& state, Body&& body, Between&& between) {
  double best = 1e30;
  for (auto _ : state) {
    between();
    const auto start = std::chrono::steady_clock::now();
    body();
    const double seconds = seconds_since(start);
    best = std::min(best, seconds);
    state.SetIterationTime(seconds);
  }
  return best;
}

/// The counters of a pass over all texts.
inline void report_pass(benchmark::State& state, const Setting& s, double seconds, double operations,
                        std::size_t context_bytes, double megabytes) {
  state.counters["best_ms"] = seconds * 1e3;
  state.counters["tokens/s"] = static_cast<double>(s.nodes()) / seconds;
  state.counters["GFLOP"] = operations * 1e-9;
  state.counters["share_of_peak"] = operations / seconds / machine_peak();
  state.counters["context_MB"] = static_cast<double>(context_bytes) / (1 << 20);
  state.counters["MB"] = megabytes;
  state.counters["threads"] = weft::thread_count();
}

template <class Subject>
void forward(benchmark::State& state, Subject subject, const Setting& s, const Operations& operations) {
  mallopt(M_MMAP_THRESHOLD, 64 << 10);  // what is freed goes back, so that memory is seen
  const Problem p(s);
  const int threads = weft::thread_count();
  const double megabytes = peak_megabytes([&] {
    weft::set_threads(threads);
    weft::Inference context;
    run_forward(subject, p, context);
  });
  weft::Inference context;
  for (int warm = 0; warm < 2; ++warm) run_forward(subject, p, context);
  const double best = best_round(
      state, [&] { run_forward(subject, p, context); }, [] {});
  report_pass(state, s, best, operations.forward(s), context.workspace().peak(), megabytes);
}

template <class Subject>
void forward_backward(benchmark::State& state, Subject subject, const Setting& s, const Operations& operations) {
  mallopt(M_MMAP_THRESHOLD, 64 << 10);
  Problem p(s);
  const int threads = weft::thread_count();
  const double megabytes = peak_megabytes([&] {
    weft::set_threads(threads);
    weft::Tape tape;
    run_backward(subject, p, tape);
  });
  weft::Tape tape;
  for (int warm = 0; warm < 2; ++warm) run_backward(subject, p, tape);
  const double best = best_round(
      state, [&] { run_backward(subject, p, tape); }, [] {});
  report_pass(state, s, best, 3 * operations.forward(s), tape.peak_bytes(), megabytes);
}

/// The last token of one text, given all others: what every step reads is the weights, and the cache. Before each, other
/// memory is read, so that they come from there as in a model whose layers fit no cache; how fast is the limit.
template <class Subject>
void decode(benchmark::State& state, Subject subject, Setting s, const Operations& operations) {
  s.batch = 1;
  const Problem p(s);
  const Index past = s.tokens - 1;
  auto remembered = subject.make_state(s.tokens);
  if (past > 0) {
    weft::Inference all_others;
    subject.step(all_others, p.part(0, past), p.inputs(0, past), remembered);
  }
  weft::Inference context;
  const auto step = [&] {
    context.reset();
    benchmark::DoNotOptimize(subject.step(context, p.part(past, 1), p.inputs(past, 1), remembered).data());
  };
  double bandwidth = 0;
  const auto prepare = [&] {
    Subject::forget_last(remembered);
    const auto start = std::chrono::steady_clock::now();
    const double bytes = read_all_memory();
    bandwidth = std::max(bandwidth, bytes / seconds_since(start));
  };
  step();
  const double best = best_round(state, step, prepare);
  const double bytes = 4 * operations.weights + static_cast<double>(subject.state_bytes() * past);
  state.counters["best_us"] = best * 1e6;
  state.counters["tokens/s"] = 1 / best;
  state.counters["read_MB"] = bytes / (1 << 20);
  state.counters["share_of_bandwidth"] = bytes / best / bandwidth;
  state.counters["bandwidth_GB/s"] = bandwidth * 1e-9;
  state.counters["context_MB"] = static_cast<double>(context.workspace().peak()) / (1 << 20);
  state.counters["threads"] = weft::thread_count();
}

}  // namespace bench
