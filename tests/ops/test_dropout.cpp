// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/dropout/dropout.hpp"
#include "weft/ops/dropout/dropout_naive.hpp"
#include "weft/ops/scale/scale.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("vectors of random words are the words of the generator") {
  Rng rng(0x123456789ABCDEFULL);
  rng.next_stream();
  for (const Index first : {Index{0}, Index{64}, Index{1} << 34, (Index{1} << 34) - 64}) {
    std::uint32_t words[kernels::kPhiloxWords];
    kernels::philox_words(rng, first, words);
    for (Index i = 0; i < kernels::kPhiloxWords; ++i) {
      const auto at = static_cast<std::uint64_t>(first + i);
      REQUIRE(words[i] == rng.words(at / 4)[at % 4]);
    }
  }
}

TEMPLATE_TEST_CASE("dropout agrees with the naive form, exactly, for every awkward size", "", float, double) {
  using T = TestType;
  for (const Index count : kAwkwardSizes) {
    for (const double probability : {0.1, 0.5, 0.999}) {
      const auto x = random_guarded<T>(count, 1, 1);
      Guarded<T> y(count, 2), expected(count);
      DropoutKernels<Cpu>::forward(DropoutMask(Rng(9), probability), count, x.data(), y.data());
      kernels::dropout_naive(Rng(9), probability, count, x.data(), expected.data());
      CHECK(std::equal(y.data(), y.data() + count, expected.data()));
      CHECK(y.intact());
    }
  }
}

TEST_CASE("dropout keeps a share 1 - p of the elements and scales what it keeps") {
  Tensor<float, Shape<Dyn>> x(Shape<Dyn>(100000));
  for (float& value : x.span()) value = 1;
  Tape tape;
  tape.enable_dropout(Rng(3));
  const auto y = dropout(tape, x, 0.2);
  Index kept = 0;
  for (const float value : y.span()) {
    CHECK((value == 0 || value == 1 / 0.8F));
    kept += value != 0;
  }
  CHECK(std::abs(double(kept) - 80000) < 5 * std::sqrt(100000 * 0.8 * 0.2));  // five standard deviations
}

TEST_CASE("dropout's gradient passes exactly where its values do") {
  auto x = random_tensor<float>(Shape<Dyn, 5>(30), 1);
  const auto seed = random_tensor<float>(Shape<Dyn, 5>(30), 2);
  Tape tape;
  tape.enable_dropout(Rng(3));
  const auto watched = tape.watch(x);
  const auto y = dropout(tape, watched, 0.4);
  tape.backward(y, seed.view());
  const auto dx = tape.gradient(watched);
  for (Index i = 0; i < x.size(); ++i) {
    const float factor = y.data()[i] == 0 ? 0 : static_cast<float>(1 / 0.6);
    CHECK(y.data()[i] == x.data()[i] * factor);
    CHECK(dx.data()[i] == seed.data()[i] * factor);
  }
}

TEST_CASE("dropout is the identity, without a copy, where nothing is dropped") {
  auto x = random_tensor<double>(Shape<Dyn, 3>(4), 1);
  const auto& constant = x;
  Inference inference;
  CHECK(dropout(inference, constant, 0.5).data() == x.data());
  Tape tape;
  const auto watched = tape.watch(x);
  CHECK(dropout(tape, watched, 0.5).data() == x.data());
  CHECK(dropout(tape, watched, 0.5).gradient_slot() == watched.gradient_slot());
  tape.enable_dropout(Rng(1));
  CHECK(dropout(tape, watched, 0).data() == x.data());
  CHECK(dropout(tape, watched, 0.5).data() != x.data());
  tape.disable_dropout();
  CHECK(dropout(tape, watched, 0.5).data() == x.data());
  const auto through = [](auto& context, auto& a) {
    return scale(context, dropout(context, scale(context, a, 2), 0.5), 3);
  };
  CHECK(gradcheck(through, std::tie(x)).message == "gradcheck: 12 derivatives agree");
}

TEST_CASE("each dropout of a tape draws anew, and the same state draws the same again") {
  const auto x = random_tensor<float>(Shape<200>(), 1);
  Tape tape;
  tape.enable_dropout(Rng(5));
  const Rng state = tape.dropout_state();
  const auto first = to_vector(dropout(tape, x, 0.5));
  const auto second = to_vector(dropout(tape, x, 0.5));
  CHECK(first != second);
  tape.set_dropout_state(state);
  CHECK(to_vector(dropout(tape, x, 0.5)) == first);
  CHECK(to_vector(dropout(tape, x, 0.5)) == second);
}

TEST_CASE("dropout gives the same bits for any number of threads") {
  const auto x = random_tensor<float>(Shape<Dyn>(50001), 1);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    tape.enable_dropout(Rng(5));
    return to_vector(dropout(tape, x, 0.3));
  }));
}

TEST_CASE("dropout refuses what is not a probability below 1") {
  const Tensor<float, Shape<4>> x;
  Inference inference;
  CHECK_THROWS_WITH(dropout(inference, x, 1.0), "dropout(x, probability): the probability must be in [0, 1), found 1");
  CHECK_THROWS_AS(dropout(inference, x, -0.1), Error);
  CHECK_THROWS_AS(dropout(inference, x, std::nan("")), Error);
}
