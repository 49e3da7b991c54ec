// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/layers/linear.hpp"
#include "weft/ops/grouped_linear/grouped_linear.hpp"
#include "weft/ops/grouped_linear/grouped_linear_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Rows = Shape<Dyn, Dyn, Dyn>;

template <class T>
struct Group {
  std::vector<Linear<Dyn, Dyn, T>> layers;

  Group(Index groups, bool bias, Index in, Index out) {
    for (Index g = 0; g < groups; ++g) layers.emplace_back(bias, in, out);
    randomize_parameters(*this, 5);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for (auto& layer : self.layers) for_each_parameter(layer, visit, prefix);
  }
};

}  // namespace

TEST_CASE("grouped_linear agrees with the naive form for awkward sizes") {
  for (const auto& size :
       {GroupedLinearSize{1, 1, 1, 1}, GroupedLinearSize{7, 3, 5, 2}, GroupedLinearSize{33, 2, 17, 65}}) {
    for (const bool bias : {false, true}) {
      const Group<float> group(size.groups, bias, size.in_features, size.out_features);
      const auto x = random_tensor<float>(Rows(1, size.rows, size.input_width()), 1);
      const auto c = random_tensor<float>(Rows(1, size.rows, size.groups), 2);
      std::vector<GroupedLinearPart<float>> parts;
      for (const auto& layer : group.layers) {
        parts.push_back({{layer.weight.data(), nullptr}, {bias ? layer.bias->data() : nullptr, nullptr}});
      }
      std::vector<float> expected(static_cast<std::size_t>(size.rows * size.output_width()));
      Inference inference;
      const float* none_given = nullptr;
      kernels::grouped_linear_naive(size, x.data(), parts.data(), none_given, expected.data());
      CHECK(largest_difference(to_vector(grouped_linear(inference, x, group.layers)), expected) < 2e-5);
      kernels::grouped_linear_naive(size, x.data(), parts.data(), c.data(), expected.data());
      CHECK(largest_difference(to_vector(grouped_linear(inference, x, group.layers, c)), expected) < 2e-5);
    }
  }
}

TEST_CASE("grouped_linear's derivatives agree with finite differences") {
  Group<double> group(2, true, 3, 4);
  Group<double> plain(2, false, 3, 4);
  auto x = random_tensor<double>(Shape<1, Dyn, 6>(5), 1);
  auto c = random_tensor<double>(Rows(1, 5, 2), 2);
  const auto weighted = [&](auto& context, auto& in, auto& factors) {
    return grouped_linear<8>(context, in, group.layers, factors);
  };
  CHECK(gradcheck(weighted, std::tie(x, c), group).message == "gradcheck: 72 derivatives agree");
  CHECK(
      gradcheck([&](auto& context, auto& in) { return grouped_linear(context, in, group.layers); }, std::tie(x), group)
          .passed);
  CHECK(
      gradcheck([&](auto& context, auto& in) { return grouped_linear(context, in, plain.layers); }, std::tie(x), plain)
          .passed);
  Inference inference;
  static_assert(std::is_same_v<ShapeOf<decltype(weighted(inference, x, c))>, Shape<1, Dyn, 8>>);
}

TEST_CASE("grouped_linear gives the same bits for any number of threads") {
  Group<float> group(2, true, 30, 40);
  auto x = random_tensor<float>(Rows(2, 50, 60), 1);
  auto c = random_tensor<float>(Rows(2, 50, 2), 2);
  const auto seed = random_tensor<float>(Rows(2, 50, 80), 3);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    clear_gradients(group);
    const auto xs = tape.watch(x);
    const auto cs = tape.watch(c);
    const auto y = grouped_linear(tape, xs, group.layers, cs);
    tape.backward(y, TensorView<const float, Rows>(seed.data(), seed.shape()));
    auto all = to_vector(y);
    for (const auto& part :
         {to_vector(tape.gradient(xs)), to_vector(tape.gradient(cs)), to_vector(group.layers[1].weight.gradient()),
          to_vector(group.layers[1].bias->gradient())}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }));
}

TEST_CASE("grouped_linear says what does not fit") {
  const Group<float> group(2, false, 3, 4);
  const Tensor<float, Rows> x(Rows(1, 2, 7)), right(Rows(1, 2, 6)), factors(Rows(1, 2, 3));
  Inference inference;
  CHECK_THROWS_WITH(grouped_linear(inference, x, group.layers),
                    "grouped_linear(x, layers): the last axis of x must be groups * in, found 7 for 2 layers with "
                    "weights [4, 3]");
  CHECK_THROWS_WITH(grouped_linear(inference, right, group.layers, factors),
                    Catch::Matchers::ContainsSubstring("one number for each row and group, 2 * 2"));
  CHECK_THROWS_WITH(grouped_linear(inference, x, std::vector<Linear<Dyn, Dyn>>()),
                    "grouped_linear(x, layers): there must be at least one layer");
}
