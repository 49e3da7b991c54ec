// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/elementwise/block_sum.hpp"
#include "weft/ops/elementwise/drop_last_axis.hpp"
#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/elementwise/same_shape.hpp"
#include "weft/ops/elementwise/vector_math.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;
using kernels::Vector;

namespace {

template <class T>
T first_lane(const Vector<T>& value) {
  T lanes[kernels::kLanes<T>];
  value.store_unaligned(lanes);
  return lanes[0];
}

/// The largest relative error of a vector function on an interval, in epsilons.
template <class T, class Fast, class Exact>
double largest_relative_error(T low, T high, Fast&& fast, Exact&& exact) {
  double largest = 0;
  constexpr int steps = 20000;
  for (int i = 0; i <= steps; ++i) {
    const T x = low + (high - low) * static_cast<T>(i) / steps;
    const Wide<T> expected = exact(static_cast<Wide<T>>(x));
    const Wide<T> found = static_cast<Wide<T>>(first_lane<T>(fast(Vector<T>(x))));
    largest = std::max(largest, static_cast<double>(std::abs((found - expected) / expected)) / epsilon<T>);
  }
  return largest;
}

}  // namespace

TEMPLATE_TEST_CASE("vector functions keep their relative accuracy", "", float, double) {
  using T = TestType;
  using W = Wide<T>;
  const auto fast_exp = [](Vector<T> x) { return kernels::exp(x); };
  const auto fast_tanh = [](Vector<T> x) { return kernels::tanh(x); };
  const auto fast_sigmoid = [](Vector<T> x) { return kernels::sigmoid(x); };
  const auto fast_softplus = [](Vector<T> x) { return kernels::softplus(x); };
  const T limit = std::is_same_v<T, float> ? T(87) : T(700);
  CHECK(largest_relative_error<T>(-limit, limit, fast_exp, [](W x) { return std::exp(x); }) < 1.5);
  CHECK(largest_relative_error<T>(T(1e-3), T(10), fast_tanh, [](W x) { return std::tanh(x); }) < 2.5);
  CHECK(largest_relative_error<T>(-limit, T(40), fast_sigmoid, [](W x) { return 1 / (1 + std::exp(-x)); }) < 3);
  CHECK(largest_relative_error<T>(T(-30), T(30), fast_softplus,
                                  [](W x) { return x > 20 ? x : std::log1p(std::exp(x)); }) < 2.5);
}

TEMPLATE_TEST_CASE("the normal distribution is accurate around 0 and, in float, in its lower tail", "", float, double) {
  using T = TestType;
  using W = Wide<T>;
  const auto distribution = [](Vector<T> x) { return kernels::standard_normal(x).distribution; };
  const auto density = [](Vector<T> x) { return kernels::standard_normal(x).density; };
  const auto exact = [](W x) { return std::erfc(-x / std::sqrt(W(2))) / 2; };
  CHECK(largest_relative_error<T>(T(-1), T(6), distribution, exact) < (std::is_same_v<T, float> ? 6 : 40));
  // e^(-x²/2) carries the rounding of x²/2, which is below x² / 4 epsilons of the result.
  CHECK(largest_relative_error<T>(T(-3), T(3), density,
                                  [](W x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(W(-1))); }) < 6);
  if (std::is_same_v<T, float>) CHECK(largest_relative_error<T>(T(-12), T(-1), distribution, exact) < 60);
}

TEST_CASE("exp in float reaches infinity, denormal numbers and zero where e to the x does, and passes NaN on") {
  const auto at = [](float x) { return first_lane<float>(kernels::exp(Vector<float>(x))); };
  CHECK(at(0) == 1);
  CHECK(at(88.72F) == Approx(std::exp(88.72F)).epsilon(1e-6));
  CHECK(at(88.73F) == infinity<float>);
  CHECK(at(infinity<float>) == infinity<float>);
  CHECK(at(-87.4F) == Approx(std::exp(-87.4F)).epsilon(1e-6));
  CHECK(at(-200.0F) == 0);
  CHECK(at(-infinity<float>) == 0);
  CHECK(std::isnan(at(not_a_number<float>)));
}

TEMPLATE_TEST_CASE("loops over vectors visit each element once and nothing else", "", float, double) {
  using T = TestType;
  for (const Index count : kAwkwardSizes) {
    for (const Index shift : {0, 1, 3}) {
      Guarded<T> values(count, shift);
      for (Index i = 0; i < count; ++i) values[i] = static_cast<T>(i);
      kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
        access.store(values.data() + i, Vector<T>(access.load(values.data() + i) + Vector<T>(T{1})));
      });
      for (Index i = 0; i < count; ++i) CHECK(values[i] == static_cast<T>(i + 1));
      CHECK(values.intact());
    }
  }
}

TEMPLATE_TEST_CASE("a gradient is overwritten first and added to later", "", float, double) {
  using T = TestType;
  for (const Index count : kAwkwardSizes) {
    Guarded<T> gradient(count, 1);
    const auto values = random_guarded<T>(count, 5, 2);
    kernels::add_to_gradient(count, values.data(), GradientTarget<T>{gradient.data(), false});
    kernels::add_to_gradient(count, values.data(), GradientTarget<T>{gradient.data(), true});
    for (Index i = 0; i < count; ++i) CHECK(gradient[i] == 2 * values[i]);
    CHECK(gradient.intact());
  }
}

TEMPLATE_TEST_CASE("sums and maxima along a row agree with their definitions", "", float, double) {
  using T = TestType;
  for (const Index count : kAwkwardSizes) {
    const auto row = random_guarded<T>(count, 11, 1);
    Wide<T> sum = 0;
    Wide<T> squares = 0;
    T largest = -infinity<T>;
    for (Index i = 0; i < count; ++i) {
      sum += row[i];
      squares += Wide<T>(row[i]) * row[i];
      largest = std::max(largest, row[i]);
    }
    const auto found = kernels::row_sums<T, 2>(count, [&](Index i, auto access, auto& sums) {
      const auto values = access.load(row.data() + i);
      sums[0] += values;
      sums[1] = kernels::multiply_add(values, values, sums[1]);
    });
    // Each lane adds few terms; one epsilon of the sum of absolute values, bounded by sqrt(count · squares), covers
    // them.
    CHECK(std::abs(static_cast<double>(found[0] - sum)) <= epsilon<T> * std::sqrt(double(count) * double(squares)));
    CHECK(std::abs(static_cast<double>(found[1] - squares)) <= 4 * epsilon<T> * static_cast<double>(squares));
    CHECK(kernels::row_max(count, row.data()) == largest);
  }
}

TEMPLATE_TEST_CASE("lanes beyond the end of an array read as what is asked for", "", float, double) {
  using T = TestType;
  const T values[] = {1, 2, 3, 4};
  for (Index count = 1; count < kernels::kLanes<T>; ++count) {
    if (count > 4) break;
    T lanes[kernels::kLanes<T>];
    kernels::PartialVector{count}.load_or(values, T{9}).store_unaligned(lanes);
    for (Index i = 0; i < kernels::kLanes<T>; ++i) CHECK(lanes[i] == (i < count ? values[i] : T{9}));
  }
}

TEST_CASE("sums over blocks of rows cover every row once and do not depend on threads") {
  struct Tag;
  for (const Index rows : {0, 1, 7, 8, 100, 1000}) {
    constexpr Index width = 37;
    const auto x = random_guarded<float>(rows * width, 3);
    const auto totals = [&] {
      std::vector<float> result;
      kernels::for_row_blocks<Tag, float>(
          rows, width,
          [&](Index begin, Index end, float* sums) {
            for (Index row = begin; row < end; ++row) {
              for (Index i = 0; i < width; ++i) sums[i] += x[row * width + i];
            }
          },
          [&](const float* sums) { result.assign(sums, sums + width); });
      return result;
    };
    CHECK(same_bits_for_any_thread_count(totals));
    const auto found = totals();
    for (Index i = 0; i < width; ++i) {
      double expected = 0;
      for (Index row = 0; row < rows; ++row) expected += x[row * width + i];
      CHECK(found[static_cast<std::size_t>(i)] == Approx(expected).margin(1e-4));
    }
  }
}

TEST_CASE("sums over a whole tensor do not depend on threads") {
  struct Tag;
  const auto x = random_guarded<float>(200001, 4);
  CHECK(same_bits_for_any_thread_count([&] {
    return std::vector<float>{kernels::block_sum<Tag, float>(
        x.size(), [&](Index i, auto access, auto& sum) { sum += access.load(x.data() + i); })};
  }));
}

TEST_CASE("shapes agree axis by axis, and the known extents win") {
  static_assert(SameShape<Shape<2, Dyn>, Shape<Dyn, 3>>);
  static_assert(!SameShape<Shape<2, 3>, Shape<2, 4>>);
  static_assert(!SameShape<Shape<2, 3>, Shape<2>>);
  static_assert(std::is_same_v<MergedShape<Shape<2, Dyn>, Shape<Dyn, 3>>, Shape<2, 3>>);
  static_assert(std::is_same_v<DropLast<Shape<Dyn, 3, 4>>, Shape<Dyn, 3>>);
  static_assert(std::is_same_v<DropLast<Shape<4>>, Shape<>>);
  CHECK(drop_last_axis(Shape<Dyn, 3, Dyn>(5, 4)) == Shape<5, 3>());
}
