// SPDX-License-Identifier: Apache-2.0
// What does an element cost in the operations on rows, and how near is that to the memory's speed? Each row gives
// nanoseconds per element, the bytes that the operation has to read and write per second, those as a share of the read
// bandwidth of memory (caches are faster), and as a share of a plain copy of as many bytes, measured in turn.
#include <algorithm>
#include <chrono>
#include <vector>

#include <benchmark/benchmark.h>

#include "weft/ops/dropout/dropout_kernels.hpp"
#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/gated_product/gated_product_kernels.hpp"
#include "weft/ops/layer_norm/layer_norm_kernels.hpp"
#include "weft/ops/rms_norm/rms_norm_kernels.hpp"
#include "weft/ops/softmax/softmax_kernels.hpp"
#include "weft/tensor/rng.hpp"
#include "weft/tensor/tensor.hpp"

#include "machine.hpp"

namespace {

using namespace weft;
using Values = Tensor<float, Shape<Dyn>>;

Values random_values(Index count, std::uint64_t seed) {
  Values values{Shape<Dyn>(count)};
  const Rng rng(seed);
  for (Index i = 0; i < count; ++i) values(i) = static_cast<float>(rng.normal(static_cast<std::uint64_t>(i)));
  return values;
}

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return bench::seconds_since(start);
}

double read_bandwidth() {
  static const double bytes_per_second = bench::read_bandwidth();
  return bytes_per_second;
}

void machine_read_bandwidth(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(read_bandwidth());
  state.counters["GB/s"] = read_bandwidth() * 1e-9;
}

/// Arrays of one size, allocated once.
struct Arrays {
  explicit Arrays(const benchmark::State& state) : rows(state.range(0)), columns(state.range(1)) {}

  const float* in(int which) const { return inputs[which].data(); }
  GradientTarget<float> out(int which) { return {outputs[which].data(), false}; }
  GradientTarget<float> sums(int which) { return {parameters[2 + which].data(), false}; }

  Index rows;
  Index columns;
  Index count = rows * columns;
  Values inputs[3] = {random_values(count, 1), random_values(count, 2), random_values(count, 3)};
  Values outputs[2] = {random_values(count, 4), random_values(count, 5)};
  Values parameters[4] = {random_values(columns, 6), random_values(columns, 7), random_values(columns, 8),
                          random_values(columns, 9)};
};

/// Copies so many bytes in all, read and written, between the arrays: what any operation on them has to do.
void copy_bytes(Arrays& arrays, int arrays_touched) {
  for (int touched = 0; touched < arrays_touched; touched += 2) {
    const float* from = arrays.in(touched / 2 % 3);
    float* to = arrays.out(touched / 2 % 2).data;
    const Index count = touched + 1 < arrays_touched ? arrays.count : arrays.count / 2;
    kernels::parallel_for_each_vector<float>(
        count, [&](Index i, auto access) { access.store(to + i, access.load(from + i)); });
  }
}

/// Measures `work`, which reads and writes `arrays_touched` arrays, in turn with a copy of as many bytes.
void measure(benchmark::State& state, Arrays& arrays, int arrays_touched, const auto& work) {
  std::vector<double> work_seconds, copy_seconds;
  work();
  copy_bytes(arrays, arrays_touched);
  for (auto _ : state) {
    const double seconds = seconds_of(work);
    work_seconds.push_back(seconds);
    copy_seconds.push_back(seconds_of([&] { copy_bytes(arrays, arrays_touched); }));
    state.SetIterationTime(seconds);
  }
  const double best = *std::min_element(work_seconds.begin(), work_seconds.end());
  const double copy = *std::min_element(copy_seconds.begin(), copy_seconds.end());
  const double elements = static_cast<double>(arrays.count);
  state.counters["ns/element"] = best / elements * 1e9;
  const double bytes = arrays_touched * elements * sizeof(float);
  state.counters["GB/s"] = bytes / best * 1e-9;
  state.counters["of_memory"] = bytes / best / read_bandwidth();
  state.counters["of_copy"] = copy / best;
}

void gated_product_forward(benchmark::State& state) {
  Arrays a(state);
  measure(state, a, 3,
          [&] { GatedProductKernels<Cpu>::forward(Activation::silu, a.count, a.in(0), a.in(1), a.out(0).data); });
}

void gated_product_backward(benchmark::State& state) {
  Arrays a(state);
  measure(state, a, 5, [&] {
    GatedProductKernels<Cpu>::backward(Activation::silu, a.count, a.in(0), a.in(1), a.in(2), a.out(0), a.out(1));
  });
}

void gated_product_gelu_forward(benchmark::State& state) {
  Arrays a(state);
  measure(state, a, 3,
          [&] { GatedProductKernels<Cpu>::forward(Activation::gelu, a.count, a.in(0), a.in(1), a.out(0).data); });
}

void rms_norm_forward(benchmark::State& state) {
  Arrays a(state);
  const RMSNormSize<float> size{a.rows, a.columns, 1e-5F};
  measure(state, a, 2, [&] { RMSNormKernels<Cpu>::forward(size, a.in(0), a.parameters[0].data(), a.out(0).data); });
}

void rms_norm_backward(benchmark::State& state) {
  Arrays a(state);
  const RMSNormSize<float> size{a.rows, a.columns, 1e-5F};
  measure(state, a, 3,
          [&] { RMSNormKernels<Cpu>::backward(size, a.in(0), a.parameters[0].data(), a.in(1), a.out(0), a.sums(0)); });
}

void layer_norm_forward(benchmark::State& state) {
  Arrays a(state);
  const LayerNormSize<float> size{a.rows, a.columns, 1e-5F};
  measure(state, a, 2, [&] {
    LayerNormKernels<Cpu>::forward(size, a.in(0), a.parameters[0].data(), a.parameters[1].data(), a.out(0).data);
  });
}

void layer_norm_backward(benchmark::State& state) {
  Arrays a(state);
  const LayerNormSize<float> size{a.rows, a.columns, 1e-5F};
  measure(state, a, 3, [&] {
    LayerNormKernels<Cpu>::backward(size, a.in(0), a.parameters[0].data(), a.in(1), a.out(0), a.sums(0), a.sums(1));
  });
}

void softmax_forward(benchmark::State& state) {
  Arrays a(state);
  measure(state, a, 2, [&] { SoftmaxKernels<Cpu>::forward(a.rows, a.columns, a.in(0), a.out(0).data); });
}

void softmax_backward(benchmark::State& state) {
  Arrays a(state);
  measure(state, a, 3, [&] { SoftmaxKernels<Cpu>::backward(a.rows, a.columns, a.in(0), a.in(1), a.out(0)); });
}

void dropout_forward(benchmark::State& state) {
  Arrays a(state);
  const DropoutMask mask(Rng(1), 0.1);
  measure(state, a, 2, [&] { DropoutKernels<Cpu>::forward(mask, a.count, a.in(0), a.out(0).data); });
}

/// Rows in the second-level cache, in the third, and in memory; narrow rows with a tail.
void sizes(benchmark::internal::Benchmark* rows) {
  rows->Args({64, 560})->Args({2048, 560})->Args({4096, 35})->Args({8192, 2048})->UseManualTime()->MinTime(0.2);
}

BENCHMARK(machine_read_bandwidth)->Iterations(1);
BENCHMARK(gated_product_forward)->Apply(sizes);
BENCHMARK(gated_product_backward)->Apply(sizes);
BENCHMARK(gated_product_gelu_forward)->Apply(sizes);
BENCHMARK(rms_norm_forward)->Apply(sizes);
BENCHMARK(rms_norm_backward)->Apply(sizes);
BENCHMARK(layer_norm_forward)->Apply(sizes);
BENCHMARK(layer_norm_backward)->Apply(sizes);
BENCHMARK(softmax_forward)->Apply(sizes);
BENCHMARK(softmax_backward)->Apply(sizes);
BENCHMARK(dropout_forward)->Apply(sizes);

}  // namespace
