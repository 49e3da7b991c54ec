// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "weft/train/adamw.hpp"
#include "weft/train/clip_gradient_norm.hpp"

#include "support/catch.hpp"
#include "support/random.hpp"
#include "train/letter_model.hpp"

using weft::AdamW;
using weft::AdamWOptions;
using weft::Index;
using weft::ParameterList;
using weft::testing::LetterModel;

namespace {

/// torch.optim.AdamW written down once more, in double, one parameter at a time.
struct NaiveAdamW {
  AdamWOptions options;
  std::vector<double> weight, first, second;
  int steps = 0;

  void step(double rate, double decay, const std::vector<double>& gradient) {
    ++steps;
    first.resize(weight.size());
    second.resize(weight.size());
    for (std::size_t i = 0; i < weight.size(); ++i) {
      weight[i] *= 1 - rate * decay;
      first[i] = options.beta1 * first[i] + (1 - options.beta1) * gradient[i];
      second[i] = options.beta2 * second[i] + (1 - options.beta2) * gradient[i] * gradient[i];
      const double unbiased_first = first[i] / (1 - std::pow(options.beta1, steps));
      const double unbiased_second = second[i] / (1 - std::pow(options.beta2, steps));
      weight[i] -= rate * unbiased_first / (std::sqrt(unbiased_second) + options.epsilon);
    }
  }
};

/// Gives a parameter a gradient as a backward pass would.
template <class ParameterType>
void set_gradient(ParameterType& parameter, const std::vector<double>& values) {
  auto* slot = parameter.gradient_slot();
  REQUIRE(slot != nullptr);
  slot->filled = true;
  for (std::size_t i = 0; i < values.size(); ++i) {
    static_cast<typename ParameterType::Element*>(slot->data)[i] =
        static_cast<typename ParameterType::Element>(values[i]);
  }
}

std::vector<double> random_values(Index size, std::uint64_t seed, double scale) {
  const auto tensor = weft::testing::random_tensor<double>(weft::Shape<weft::Dyn>(size), seed, scale);
  return {tensor.data(), tensor.data() + size};
}

template <class T>
double worst_difference(const AdamWOptions& options, int steps) {
  LetterModel<T> model;
  std::map<std::string, NaiveAdamW> naive;
  weft::for_each_parameter(model, [&](const weft::ParameterName& name, auto& parameter) {
    naive[name.name] = {options, {parameter.data(), parameter.data() + parameter.size()}, {}, {}, 0};
  });
  AdamW<T> optimizer((ParameterList(model)), options);
  for (int step = 0; step < steps; ++step) {
    const double rate = 0.01 / (1 + step);
    weft::clear_gradients(model);
    std::uint64_t seed = static_cast<std::uint64_t>(100 * step);
    weft::for_each_parameter(model, [&](const weft::ParameterName& name, auto& parameter) {
      ++seed;
      if (name.name == "unused" || (name.name == "head.weight" && step % 3 == 1)) return;  // no gradient this time
      const auto gradient = random_values(parameter.size(), seed, step == 4 ? 0 : 0.1);    // zeros count as gradients
      const bool spared = name.name == "hidden.bias" || name.name == "norm.weight";
      set_gradient(parameter, gradient);
      naive[name.name].step(rate, spared ? 0 : options.weight_decay, gradient);
    });
    optimizer.step(rate);
  }
  double worst = 0;
  weft::for_each_parameter(model, [&](const weft::ParameterName& name, auto& parameter) {
    for (Index i = 0; i < parameter.size(); ++i) {
      const double expected = naive[name.name].weight[static_cast<std::size_t>(i)];
      worst = std::max(worst, std::abs(static_cast<double>(parameter.data()[i]) - expected));
    }
  });
  return worst;
}

}  // namespace

TEST_CASE("AdamW agrees with its equations in double, with decay groups and missing gradients") {
  const AdamWOptions plain{.weight_decay = 0};
  const AdamWOptions decayed{.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.1};
  // A step changes a weight of size below 2 by at most the rate times a factor near 1, each with some roundings.
  for (const AdamWOptions& options : {plain, decayed}) {
    CHECK(worst_difference<double>(options, 12) < 12 * 20 * std::numeric_limits<double>::epsilon());
    CHECK(worst_difference<float>(options, 12) < 12 * 4 * std::numeric_limits<float>::epsilon());
  }
}

TEST_CASE("a parameter without a gradient is left alone, decay included, while one with a zero gradient is decayed") {
  LetterModel<double> model;
  AdamW<double> optimizer((ParameterList(model)), {.weight_decay = 0.5});
  const auto before = weft::testing::weights_of(model);
  optimizer.step(0.1);
  CHECK(weft::testing::weights_of(model) == before);

  set_gradient(model.head.weight, std::vector<double>(static_cast<std::size_t>(model.head.weight.size()), 0.0));
  const double first = model.head.weight.data()[0];
  optimizer.step(0.1);
  CHECK(model.head.weight.data()[0] == Approx(first * (1 - 0.1 * 0.5)).epsilon(1e-15));
  CHECK(model.unused.data()[0] == 0.25);
  CHECK(optimizer.states()[4].steps == 1);
  CHECK(optimizer.states()[5].steps == 0);
}

TEST_CASE("frozen parameters take no memory in the optimiser, and thawing one later is refused") {
  LetterModel<float> model;
  const std::size_t all = AdamW<float>((ParameterList(model))).bytes();
  weft::set_trainable(model.embed, false);
  AdamW<float> optimizer((ParameterList(model)));
  CHECK(all - optimizer.bytes() == 2 * sizeof(float) * weft::testing::kLetters * 8);
  CHECK(optimizer.states()[0].first_moment == nullptr);

  weft::set_trainable(model.embed, true);
  set_gradient(model.embed.weight, std::vector<double>(weft::testing::kLetters * 8, 1.0));
  CHECK_THROWS_WITH(optimizer.step(0.1),
                    "AdamW: parameter embed.weight was frozen when the optimiser was made; make a new one");
}

TEST_CASE("AdamW refuses options outside of their ranges") {
  LetterModel<float> model;
  const ParameterList parameters(model);
  CHECK_THROWS_WITH(AdamW(parameters, {.beta1 = 1}), "AdamWOptions: beta1 must be in [0, 1), found 1");
  CHECK_THROWS_AS(AdamW(parameters, {.beta2 = -0.1}), weft::Error);
  CHECK_THROWS_AS(AdamW(parameters, {.epsilon = -1}), weft::Error);
  CHECK_THROWS_AS(AdamW(parameters, {.weight_decay = std::nan("")}), weft::Error);
}

TEST_CASE("clipping scales all gradients by max_norm / (norm + 1e-6) and returns the norm") {
  LetterModel<double> model;
  const ParameterList parameters(model);
  double squares = 0;
  const auto fill = [&] {
    squares = 0;
    std::uint64_t seed = 3;
    weft::for_each_parameter(model, [&](const weft::ParameterName& name, auto& parameter) {
      if (name.name == "unused") return;
      const auto values = random_values(parameter.size(), ++seed, 0.2);
      set_gradient(parameter, values);
      for (const double value : values) squares += value * value;
    });
  };

  fill();
  const double norm = std::sqrt(squares);
  const double first = model.embed.weight.gradient().data()[0];
  CHECK(weft::gradient_norm(parameters) == Approx(norm).epsilon(1e-13));
  CHECK(weft::clip_gradient_norm(parameters, 0.5) == Approx(norm).epsilon(1e-13));
  CHECK(model.embed.weight.gradient().data()[0] == Approx(first * 0.5 / (norm + 1e-6)).epsilon(1e-13));
  CHECK(weft::gradient_norm(parameters) == Approx(0.5 * norm / (norm + 1e-6)).epsilon(1e-12));

  fill();
  CHECK(weft::clip_gradient_norm(parameters, norm + 1) == Approx(norm).epsilon(1e-13));  // short enough
  CHECK(model.embed.weight.gradient().data()[0] == first);
  CHECK(weft::clip_gradient_norm(parameters, 0) == Approx(norm).epsilon(1e-13));  // 0: no clipping
  CHECK(model.embed.weight.gradient().data()[0] == first);

  weft::clear_gradients(model);
  CHECK(weft::clip_gradient_norm(parameters, 1) == 0);
}
