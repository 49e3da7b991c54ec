// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/layers/checkpointed.hpp"
#include "weft/layers/linear.hpp"

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::random_tensor;
using weft::testing::randomize_parameters;

namespace {

/// Two linear layers, one applied twice: enough for shared parameters and intermediate results.
struct Chain {
  Linear<4, 4, double> first;
  Linear<4, 3, double> second;

  template <class Context, class X>
  auto operator()(Context& context, const X& x) const {
    return second(context, first(context, first(context, x), x));
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.first, visit, prefix + "first.");
    for_each_parameter(self.second, visit, prefix + "second.");
  }
};

struct CheckpointedChain {
  Checkpointed<Chain> chain;
  Linear<3, 3, double> head;

  template <class Context, class X>
  auto operator()(Context& context, const X& x) const {
    return head(context, chain(context, x));
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(static_cast<std::conditional_t<std::is_const_v<Self>, const Chain, Chain>&>(self.chain), visit,
                       prefix);
    for_each_parameter(self.head, visit, prefix + "head.");
  }
};

/// Counts how often it is evaluated.
struct Counted : Linear<4, 4, double> {
  mutable int calls = 0;

  template <class Context, class X>
  auto operator()(Context& context, const X& x) const {
    ++calls;
    return Linear<4, 4, double>::operator()(context, x);
  }
};

std::vector<double> gradients(const auto& layer) {
  std::vector<double> all;
  for_each_parameter(layer, [&](const ParameterName&, const auto& parameter) {
    const auto values = parameter.gradient().span();
    all.insert(all.end(), values.begin(), values.end());
  });
  return all;
}

template <class Layer, class X>
void run_backward(Tape& tape, const Layer& layer, const X& x, double seed_value = 1) {
  const auto y = layer(tape, x);
  const std::vector<double> seed(static_cast<std::size_t>(y.size()), seed_value);
  tape.backward(y, TensorView<const double, ShapeOf<decltype(y)>>(seed.data(), y.shape()));
}

}  // namespace

TEST_CASE("gradients flow through shared parameters and residuals") {
  Chain chain;
  randomize_parameters(chain, 1);
  auto x = random_tensor<double>(Shape<Dyn, 4>(3), 2);
  const auto result = gradcheck([&](auto& context, auto& in) { return chain(context, in); }, std::tie(x), chain);
  CHECK(result.message == "gradcheck: 40 derivatives agree");
}

TEST_CASE("gradcheck notices a wrong derivative") {
  Chain chain;
  randomize_parameters(chain, 1);
  auto x = random_tensor<double>(Shape<Dyn, 4>(3), 2);
  const auto wrong = [&](auto& context, auto& in) {
    if constexpr (std::remove_reference_t<decltype(context)>::records) {
      return chain(context, stop_gradient(context, in));  // the input's derivative is lost
    } else {
      return chain(context, in);
    }
  };
  const auto result = gradcheck(wrong, std::tie(x), chain);
  CHECK_FALSE(result.passed);
  CHECK(result.message.starts_with("gradcheck: derivative of input 0[0] is 0"));
}

TEST_CASE("gradients of several backward passes add up until they are cleared") {
  Chain chain;
  randomize_parameters(chain, 1);
  const auto x = random_tensor<double>(Shape<Dyn, 4>(3), 2);
  Tape tape;
  run_backward(tape, chain, x);
  const auto once = gradients(chain);
  tape.reset();
  run_backward(tape, chain, x);
  const auto twice = gradients(chain);
  for (std::size_t i = 0; i < once.size(); ++i) CHECK(twice[i] == Approx(2 * once[i]));
  clear_gradients(chain);
  CHECK_FALSE(chain.first.weight.has_gradient());
  CHECK_THROWS_WITH(chain.first.weight.gradient(),
                    "Parameter::gradient(): no backward pass has reached this parameter");
  tape.reset();
  run_backward(tape, chain, x);
  CHECK(gradients(chain) == once);
}

TEST_CASE("nothing is recorded under no_grad") {
  Chain chain;
  randomize_parameters(chain, 1);
  auto x = random_tensor<double>(Shape<Dyn, 4>(3), 2);
  Tape tape;
  const auto watched = tape.watch(x);
  {
    const auto guard = tape.no_grad();
    CHECK(chain(tape, watched).gradient_slot() == nullptr);
  }
  CHECK(chain(tape, watched).gradient_slot() != nullptr);
  CHECK_FALSE(chain.first.weight.has_gradient());
}

TEST_CASE("a frozen layer takes no gradient memory and stops the backward pass below the last needed node") {
  Chain chain;
  randomize_parameters(chain, 1);
  const auto x = random_tensor<double>(Shape<Dyn, 4>(3), 2);
  set_trainable(chain.first, false);
  Tape tape;
  const auto hidden = chain.first(tape, x);
  CHECK(hidden.gradient_slot() == nullptr);
  run_backward(tape, chain, x);
  CHECK_FALSE(chain.first.weight.has_gradient());
  CHECK(chain.first.weight.gradient_slot() == nullptr);
  CHECK(chain.second.weight.has_gradient());
}

TEST_CASE("checkpointing changes neither values nor gradients, bit for bit") {
  CheckpointedChain checkpointed;
  randomize_parameters(checkpointed, 1);
  auto x = random_tensor<double>(Shape<Dyn, 4>(3), 2);
  const auto plain = [&](auto& context, const auto& in) {
    return checkpointed.head(context, static_cast<const Chain&>(checkpointed.chain)(context, in));
  };
  const auto run = [&](const auto& function) {
    Tape tape;
    clear_gradients(checkpointed);
    const auto watched = tape.watch(x);
    run_backward(tape, function, watched);
    auto all = gradients(checkpointed);
    const auto dx = tape.gradient(watched).span();
    all.insert(all.end(), dx.begin(), dx.end());
    return all;
  };
  const auto expected = run(plain);
  CHECK(run(checkpointed) == expected);
  const auto result =
      gradcheck([&](auto& context, auto& in) { return checkpointed(context, in); }, std::tie(x), checkpointed);
  CHECK(result.message == "gradcheck: 49 derivatives agree");
}

TEST_CASE("a checkpointed layer is computed again only where it or its input needs a gradient") {
  const auto x = random_tensor<double>(Shape<Dyn, 4>(3), 1);
  Linear<4, 4, double> head;
  randomize_parameters(head, 2);
  for (const bool trainable : {true, false}) {
    for (const bool watched : {true, false}) {
      Checkpointed<Counted> layer;
      randomize_parameters(layer, 3);
      set_trainable(layer, trainable);
      Tape tape;
      auto input = x.clone();
      const auto net = [&](auto& context, const auto& in) { return head(context, layer(context, in)); };
      if (watched) {
        run_backward(tape, net, tape.watch(input));
      } else {
        run_backward(tape, net, input);
      }
      CHECK(layer.calls == (trainable || watched ? 2 : 1));
      CHECK(layer.weight.has_gradient() == trainable);
      tape.reset();
      CHECK((layer(tape, input).gradient_slot() != nullptr) == trainable);
    }
  }
}

TEST_CASE("a checkpointed layer takes a tensor, and has the gradients of the layer") {
  CheckpointedChain checkpointed;
  randomize_parameters(checkpointed, 1);
  const auto x = random_tensor<double>(Shape<Dyn, 4>(3), 2);
  Tape tape;
  run_backward(tape, checkpointed, x);
  const auto found = gradients(checkpointed);
  clear_gradients(checkpointed);
  tape.reset();
  run_backward(
      tape,
      [&](auto& context, const auto& in) {
        return checkpointed.head(context, static_cast<const Chain&>(checkpointed.chain)(context, in));
      },
      x);
  CHECK(gradients(checkpointed) == found);
}

TEST_CASE("gradients where results lay are the same, bit for bit, in less memory") {
  Linear<64, 64, double> layer;
  CheckpointedChain checkpointed;
  Linear<64, 4, double> narrow;
  randomize_parameters(layer, 1);
  randomize_parameters(checkpointed, 2);
  randomize_parameters(narrow, 3);
  auto x = random_tensor<double>(Shape<Dyn, 64>(3), 4);
  const auto net = [&](auto& context, const auto& in) {
    auto y = layer(context, in);
    for (int i = 0; i < 9; ++i) y = layer(context, y);
    return checkpointed(context, narrow(context, y));
  };
  const auto run = [&](bool reuse, std::size_t& peak) {
    Tape tape;
    tape.reuse_values(reuse);
    std::vector<double> all;
    for (int step = 0; step < 3; ++step) {
      tape.reset();
      clear_gradients(layer);
      clear_gradients(checkpointed);
      clear_gradients(narrow);
      const auto watched = tape.watch(x);
      run_backward(tape, net, watched);
      all = gradients(layer);
      for (const auto& more : {gradients(checkpointed), gradients(narrow)}) {
        all.insert(all.end(), more.begin(), more.end());
      }
      const auto dx = tape.gradient(watched).span();
      all.insert(all.end(), dx.begin(), dx.end());
    }
    peak = tape.peak_bytes();
    return all;
  };
  std::size_t apart = 0;
  std::size_t together = 0;
  CHECK(run(true, together) == run(false, apart));
  CHECK(together < apart);
}

TEST_CASE("an unwatched gradient is refused with a reason") {
  auto x = random_tensor<double>(Shape<Dyn, 4>(3), 2);
  Tape tape;
  const auto watched = tape.watch(x);
  CHECK_THROWS_WITH(tape.gradient(watched),
                    "Tape::gradient(x): no gradient has reached x (was it watched, and does the loss use it?)");
}

TEST_CASE("inference of a deep stack needs the memory of one layer") {
  const Linear<64, 64> layer;
  const Tensor<float, Shape<Dyn, 64>> input(Shape<Dyn, 64>(8));
  Inference inference;
  const auto run = [&](int depth) {
    inference.reset();
    auto x = layer(inference, input);
    for (int i = 0; i < depth; ++i) x = inference.evolve(x, [&](const auto& h) { return layer(inference, h); });
    return inference.workspace().peak();
  };
  const auto shallow = run(1);
  CHECK(run(100) == shallow);
}
