// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every operation and layer promises beside its values: finite results, the same bits on a tape and without, for any
/// number of threads, no allocation once warm, and where it says so that later rows change no earlier one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <vector>

#include "weft/autograd/gradcheck.hpp"
#include "weft/tensor/parallel.hpp"

#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace weft::testing {

template <class T>
bool all_finite(const std::vector<T>& values) {
  return std::all_of(values.begin(), values.end(), [](T value) { return std::isfinite(value); });
}

/// One training step of `function(context, inputs...)` on a tape that is kept, seeded with random numbers.
template <class Function, class Layer, class... Inputs>
class TrainingStep {
  using T = std::common_type_t<typename Inputs::Element...>;

 public:
  TrainingStep(Function& function, Layer& layer, Inputs&... inputs)
      : function_(function), layer_(layer), inputs_(inputs...) {}

  /// Forwards and backwards, gradients added to those that are there. No heap but for the seed, the first time.
  void operator()() {
    forward_and_backward([](const T*, Index) {});
  }

  /// The result, the inputs' gradients and those of the parameters, one behind the other.
  std::vector<T> results() {
    std::vector<T> all;
    const auto append = [&](const T* values, Index count) { all.insert(all.end(), values, values + count); };
    for_each_of_parameters([](auto& parameter) { parameter.clear_gradient(); });
    forward_and_backward(append);
    for_each_of_parameters([&](auto& parameter) {
      if (parameter.has_gradient()) append(parameter.gradient().data(), parameter.size());
    });
    return all;
  }

 private:
  /// Calls visit(values, count) with the result and the inputs' gradients.
  template <class Visit>
  void forward_and_backward(Visit&& visit) {
    tape_.reset();
    const auto watched = std::apply([&](auto&... x) { return std::make_tuple(tape_.watch(x)...); }, inputs_);
    const auto y = std::apply([&](auto&... x) { return function_(tape_, x...); }, watched);
    visit(y.data(), y.size());
    const Rng rng(77);
    while (static_cast<Index>(seed_.size()) < y.size()) seed_.push_back(static_cast<T>(rng.normal(seed_.size())));
    tape_.backward(y, TensorView<const T, ShapeOf<decltype(y)>>(seed_.data(), y.shape()));
    const auto visit_gradient = [&](const auto& x) {
      if (tape_.has_gradient(x)) visit(tape_.gradient(x).data(), x.size());
    };
    std::apply([&](const auto&... x) { (visit_gradient(x), ...); }, watched);
  }

  template <class Visit>
  void for_each_of_parameters(Visit&& visit) {
    Layer::visit_parameters(
        layer_, [&](const auto&, auto& parameter) { visit(parameter); }, "");
  }

  Function& function_;
  Layer& layer_;
  std::tuple<Inputs&...> inputs_;
  std::vector<T> seed_;
  Tape tape_;
};

/// The result of `function(inference, inputs...)`.
template <class Function, class... Inputs>
auto result_of(Function& function, Inputs&... inputs) {
  using T = std::common_type_t<typename Inputs::Element...>;
  Inference inference;
  const auto y = function(inference, inputs...);
  return std::vector<T>(y.data(), y.data() + y.size());
}

/// Checks everything but causality of `function(context, inputs...)`, which uses the parameters of `layer`.
template <class Function, class Layer, class... Inputs>
void check_promises(Function&& function, Layer&& layer, Inputs&... inputs) {
  const int threads = thread_count();
  set_threads(1);
  TrainingStep step(function, layer, inputs...);
  const auto one = step.results();
  CHECK(all_finite(one));
  const auto inferred = result_of(function, inputs...);
  CHECK(std::equal(inferred.begin(), inferred.end(), one.begin()));
  for (const int count : {3, 2}) {
    set_threads(count);
    const auto several = step.results();
    REQUIRE(several.size() == one.size());
    CHECK((one.empty() || std::memcmp(several.data(), one.data(), one.size() * sizeof(one[0])) == 0));
  }
  for (int warm = 0; warm < 2; ++warm) step();
  const auto before = allocations();
  for (int again = 0; again < 2; ++again) step();
  CHECK(allocations() == before);
  set_threads(threads);
}

/// The same of an operation without parameters.
template <class Function, class... Inputs>
void check_operation(Function&& function, Inputs&... inputs) {
  NoParameters nothing;
  check_promises(function, nothing, inputs...);
}

/// Whether the result and all gradients are finite.
template <class Function, class Layer, class... Inputs>
bool stays_finite(Function&& function, Layer& layer, Inputs&... inputs) {
  return all_finite(TrainingStep(function, layer, inputs...).results());
}

/// Whether changing row t of x, [1, rows, features] or [rows, features], for every t, moves no earlier row of
/// `function(inference, x)` and moves row t or a later one.
template <class Function, class X>
bool looks_only_back(Function&& function, X& x) {
  const Index rows = x.extent(-2), features = x.extent(-1);
  const auto before = result_of(function, x);
  const auto width = static_cast<Index>(before.size()) / rows;
  bool moved = false;
  std::vector<typename X::Element> row(static_cast<std::size_t>(features));
  for (Index t = 0; t < rows; ++t) {
    auto* const changed = x.data() + t * features;
    std::copy_n(changed, features, row.begin());
    for (Index c = 0; c < features; ++c) changed[c] += static_cast<typename X::Element>(1 + 0.5 * c);
    const auto after = result_of(function, x);
    std::copy_n(row.begin(), features, changed);
    if (!std::equal(before.begin(), before.begin() + t * width, after.begin())) return false;
    moved = moved || after != before;
  }
  return moved;
}

}  // namespace weft::testing
