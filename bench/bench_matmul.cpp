// SPDX-License-Identifier: Apache-2.0
// How near do matrix products come to what the machine can do, and to the libraries made for them? Each row measures weft,
// Eigen, OpenBLAS and oneDNN in turn on the same operands and gives the share of the limit that each reaches: of the
// multiply-add peak from 16 rows on; below, of a plain read of the same weights by all threads, in turn with the
// others because the memory of a shared machine is not always equally fast. Products of few rows jump about in 256 MB of
// weights, more than caches hold, as decoding does, and the median counts; all others cycle through three sets of operands,
// and the best counts.
// oneDNN has two ways: both are measured, and "oneDNN" is the faster one of each row.
// OpenBLAS takes some newer processors for older ones: OPENBLAS_CORETYPE=SkylakeX gives it AVX-512, and "tuned" means that.
// Measure once with g++ and once with clang++, whose Eigen is the faster one.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "weft/tensor/tensor.hpp"

#include "machine.hpp"
#include "matmul_peers.hpp"

namespace {

using namespace weft;
using bench::Product;
using kernels::Transpose;

double fma_peak() {
  static const double flops = bench::fma_peak();
  return flops;
}

double read_bandwidth() {
  static const double bytes = bench::read_bandwidth();
  return bytes;
}

void machine_limits(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(fma_peak() + read_bandwidth());
  state.counters["peak_GFLOP/s"] = fma_peak() * 1e-9;
  state.counters["read_GB/s"] = read_bandwidth() * 1e-9;
  state.counters["threads"] = thread_count();
#ifdef WEFT_BENCH_OPENBLAS
  state.SetLabel(std::string("OpenBLAS for ") + openblas_get_corename());
#endif
}

/// Whether reading the weights takes longer than multiplying them.
bool few_rows(const Product& p) { return p.m < 16; }

/// 256 MB of values that all operands lie in: filled once.
template <class Stored>
const Tensor<Stored, Shape<Dyn>>& arena() {
  static const auto values = [] {
    Tensor<Stored, Shape<Dyn>> tensor{Shape<Dyn>((Index{256} << 20) / static_cast<Index>(sizeof(Stored)))};
    for (Index i = 0; i < tensor.size(); ++i) tensor(i) = Stored(static_cast<float>(i * 7919 % 1009 - 504) / 512.0F);
    return tensor;
  }();
  return values;
}

/// Sets of operands, taken one after the other.
template <class Stored>
class Operands {
 public:
  explicit Operands(const Product& p)
      : stride_((p.k * p.n + 255) / 256 * 256),
        a_size_((p.m * p.k + 255) / 256 * 256),
        sets_(few_rows(p) ? (arena<Stored>().size() / stride_ - 1) / 2 * 2 + 1 : 3),
        c_(Shape<Dyn>(p.m * p.n)) {}

  /// A jump, so that no set has been fetched together with the one before it.
  void next() { set_ = (set_ + sets_ / 2 + 1) % sets_; }
  const float* a() const { return arena<float>().data() + arena<float>().size() - (set_ % 3 + 1) * a_size_; }
  const Stored* b() const { return arena<Stored>().data() + set_ * stride_; }
  float* c() { return c_.data(); }

 private:
  Index stride_;
  Index a_size_;
  Index sets_;
  Index set_ = 0;
  Tensor<float, Shape<Dyn>> c_;
};

/// What a product of few rows can do at best: reads the weights.
class Read {
 public:
  static constexpr const char* name = "read";
  explicit Read(const Product& product) : count_(product.n * product.k) {}

  template <class Stored>
  void operator()(const float* /*a*/, const Stored* b, float* /*c*/) const {
    bench::read_memory(b, count_ * static_cast<Index>(sizeof(Stored)));
  }

 private:
  Index count_;
};

/// A number for each, by its name.
using ByName = std::map<std::string, double>;

/// Seconds of the best run of each, or of the median.
template <class Stored, class... Peers>
ByName measure_in_turn(benchmark::State& state, const Product& product, Peers... peers) {
  Operands<Stored> operands(product);
  std::map<std::string, std::vector<double>> runs;
  const auto run = [&](auto& peer) {
    operands.next();
    const auto start = std::chrono::steady_clock::now();
    peer(operands.a(), operands.b(), operands.c());
    runs[peer.name].push_back(bench::seconds_since(start));
  };
  (run(peers), ...);
  runs.clear();
  for (auto _ : state) {
    (run(peers), ...);
    state.SetIterationTime(runs.at(bench::Weft::name).back());
  }
  ByName seconds;
  for (auto& [name, all] : runs) {
    std::sort(all.begin(), all.end());
    seconds[name] = few_rows(product) ? all[all.size() / 2] : all.front();
  }
  return seconds;
}

/// Shares of the limit by group of rows, for the means at the end.
std::map<std::string, std::vector<ByName>>& shares_by_group() {
  static std::map<std::string, std::vector<ByName>> groups;
  return groups;
}

/// Reports the share of the limit that each reaches and keeps it for the group's mean.
void report(benchmark::State& state, const std::string& group, const Product& p, Index stored_bytes, ByName seconds) {
  const double weft = seconds.at(bench::Weft::name);
  double limit = p.flops() / fma_peak();
  if (few_rows(p)) {
    limit = seconds.at(Read::name);
    state.counters["GB/s"] = static_cast<double>(p.k * p.n * stored_bytes) / weft * 1e-9;
  } else {
    state.counters["GFLOP/s"] = p.flops() / weft * 1e-9;
  }
  seconds.erase(Read::name);
  ByName shares;
#ifdef WEFT_BENCH_DNNL
  if (stored_bytes == sizeof(float)) {
    seconds["oneDNN"] = std::min(seconds.at(bench::OneDnnMatmulPeer::name), seconds.at(bench::OneDnnSgemmPeer::name));
  }
#endif
  for (const auto& [name, taken] : seconds) state.counters[name] = shares[name] = limit / taken;
  shares_by_group()[group].push_back(shares);
}

std::string group_of(const std::string& form, Index m) {
  return form + (m < 64 ? "/M:" + std::to_string(m) : "/M>=64");
}

void product_row(benchmark::State& state, const std::string& form, const Product& p) {
  const auto seconds = measure_in_turn<float>(state, p, Read(p),
#ifdef WEFT_BENCH_EIGEN
                                              bench::EigenPeer(p),
#endif
#ifdef WEFT_BENCH_OPENBLAS
                                              bench::OpenBlasPeer(p),
#endif
#ifdef WEFT_BENCH_DNNL
                                              bench::OneDnnMatmulPeer(p), bench::OneDnnSgemmPeer(p),
#endif
                                              bench::Weft(p));
  report(state, group_of(form, p.m), p, sizeof(float), seconds);
}

void bf16_row(benchmark::State& state, const std::string& form, const Product& p) {
  report(state, group_of(form, p.m), p, sizeof(bf16), measure_in_turn<bf16>(state, p, Read(p), bench::Weft(p)));
}

/// Geometric means of a group's shares, and weft's speed over that of each other library.
void mean_row(benchmark::State& state, const std::string& group) {
  for (auto _ : state) {
  }
  const auto& rows = shares_by_group()[group];
  if (rows.empty()) return state.SkipWithError("none of its rows has run");
  ByName logs;
  double least = 1e30;
  for (const ByName& shares : rows) {
    for (const auto& [name, share] : shares) logs[name] += std::log(share) / static_cast<double>(rows.size());
    if (shares.count("Eigen") > 0) least = std::min(least, shares.at(bench::Weft::name) / shares.at("Eigen"));
  }
  for (const auto& [name, log] : logs) {
    state.counters[name] = std::exp(log);
    if (name != bench::Weft::name) state.counters["weft/" + name] = std::exp(logs.at(bench::Weft::name) - log);
  }
  if (logs.count("Eigen") > 0) state.counters["least_weft/Eigen"] = least;
}

struct Features {
  Index in;
  Index out;
};
constexpr Features kFeatures[] = {{64, 64}, {256, 256}, {256, 1024}, {560, 512}, {768, 3072}, {2048, 5632}};

/// Enough runs for a best one, in about a tenth of a second for each library.
Index runs_of(const Product& product) {
  const double seconds = std::max(product.flops() / 150e9, 3e-6 + product.flops() * 2 / 20e9 * few_rows(product));
  return std::clamp<Index>(static_cast<Index>(0.1 / seconds), 5, 2000);
}

template <class Row>
void add_row(Row* row, const std::string& form, const Product& p) {
  std::string name = form;
  name += "/M:" + std::to_string(p.m) + "/N:" + std::to_string(p.n) + "/K:" + std::to_string(p.k);
  benchmark::RegisterBenchmark(name.c_str(), row, form, p)
      ->UseManualTime()
      ->Iterations(runs_of(p))
      ->Unit(benchmark::kMicrosecond);
}

void add_rows() {
  benchmark::RegisterBenchmark("machine_limits", machine_limits)->Iterations(1);
  for (const Index m : {1, 4, 16, 64, 256, 1024}) {
    for (const auto [in, out] : kFeatures) {
      add_row(product_row, "linear", {Transpose::no, Transpose::yes, m, out, in});
      if (m != 4) add_row(product_row, "nn", {Transpose::no, Transpose::no, m, out, in});
      if (m < 16) add_row(bf16_row, "linear_bf16", {Transpose::no, Transpose::yes, m, out, in});
    }
  }
  for (const Index m : {64, 256, 1024}) {
    for (const auto [in, out] : {kFeatures[1], kFeatures[3], kFeatures[4]}) {
      add_row(product_row, "backward_input", {Transpose::no, Transpose::no, m, in, out});
      add_row(product_row, "backward_weight", {Transpose::yes, Transpose::no, out, in, m});
    }
  }
  for (const char* group : {"linear/M:1", "linear/M:4", "nn/M:1", "linear_bf16/M:1", "linear_bf16/M:4", "linear/M:16",
                            "nn/M:16", "linear/M>=64", "nn/M>=64", "backward_input/M>=64", "backward_weight/M>=64"}) {
    benchmark::RegisterBenchmark((std::string("mean/") + group).c_str(), mean_row, std::string(group))->Iterations(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  add_rows();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
