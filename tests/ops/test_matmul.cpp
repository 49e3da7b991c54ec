// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "weft/ops/matmul/matmul_kernel.hpp"
#include "weft/ops/matmul/matmul_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"

using namespace weft;
using kernels::MatmulEpilogue;
using kernels::Transpose;

namespace {

/// One product: its form and size, what lies between the rows of its matrices, and what happens at the end.
struct Problem {
  Transpose ta;
  Transpose tb;
  Index m;
  Index n;
  Index k;
  Index gap = 0;  // elements between rows, and before the first: leading dimensions, and views that are not aligned
  bool bias = false;
  bool accumulate = false;
  double alpha = 1;

  Index lda() const { return (ta == Transpose::no ? k : m) + gap; }
  Index ldb() const { return (tb == Transpose::no ? n : k) + gap; }
  Index ldc() const { return n + gap; }
};

std::ostream& operator<<(std::ostream& stream, const Problem& p) {
  return stream << "m=" << p.m << " n=" << p.n << " k=" << p.k << " ta=" << (p.ta == Transpose::yes)
                << " tb=" << (p.tb == Transpose::yes) << " gap=" << p.gap << " bias=" << p.bias
                << " accumulate=" << p.accumulate << " alpha=" << p.alpha;
}

/// Values from -1 to 1 as if by chance, at a small part of a normal value's cost.
template <class T>
std::vector<T> values(Index count, std::uint64_t seed) {
  std::vector<T> all(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::uint64_t bits = (i * 4 + seed) * 0x9E3779B97F4A7C15U;  // 2^64 over the golden ratio
    bits = (bits ^ (bits >> 32)) * 0x9E3779B97F4A7C15U;
    all[i] = static_cast<T>(static_cast<float>(static_cast<std::int64_t>(bits) >> 40) / (1 << 23));
  }
  return all;
}

/// C and everything around it, by `matmul` or by its definition.
template <class T, class B>
std::vector<T> product(const Problem& p, bool naive) {
  const auto a = values<T>(p.gap + p.lda() * (p.ta == Transpose::no ? p.m : p.k), 1);
  const auto b = values<B>(p.gap + p.ldb() * (p.tb == Transpose::no ? p.k : p.n), 2);
  const auto bias = values<T>(p.gap + p.n, 3);
  auto c = values<T>(p.gap + p.ldc() * p.m, 4);
  const MatmulEpilogue<T> epilogue{p.bias ? bias.data() + p.gap : nullptr, p.accumulate, static_cast<T>(p.alpha)};
  const auto multiply = naive ? kernels::matmul_naive<T, B> : kernels::matmul<T, B>;
  multiply(p.ta, p.tb, p.m, p.n, p.k, a.data() + p.gap, p.lda(), b.data() + p.gap, p.ldb(), c.data() + p.gap, p.ldc(),
           epilogue);
  return c;
}

/// Whether `matmul` does what its definition says and touches nothing between the rows of C.
template <class T, class B = T>
bool agrees(const Problem& p) {
  const auto found = product<T, B>(p, false);
  const auto expected = product<T, B>(p, true);
  // A sum of k products of chance values up to 1 is of size √k, and each addition rounds.
  const double epsilon = std::numeric_limits<T>::epsilon();
  const double tolerance = epsilon * (8 + 4 * static_cast<double>(p.k));
  const double difference = weft::testing::largest_difference(found, expected);
  bool untouched = true;  // between the rows
  for (Index row = 0; row < p.m; ++row) {
    const auto at = row * p.ldc();
    untouched = untouched && std::equal(found.begin() + at, found.begin() + at + p.gap, expected.begin() + at);
  }
  if (difference <= tolerance && untouched) return true;
  UNSCOPED_INFO(p << ": differs by " << difference << (untouched ? "" : ", wrote between the rows"));
  return false;
}

constexpr Transpose kEither[] = {Transpose::no, Transpose::yes};
constexpr Index kVector = kernels::kLanes<float>;
/// One, primes, and around one and several vectors.
constexpr Index kAwkward[] = {0, 1, 2, 3, 7, kVector - 1, kVector, kVector + 1, 4 * kVector + 3, 131};

}  // namespace

TEMPLATE_TEST_CASE("products of few rows agree with their definition on awkward sizes", "", float, double) {
  constexpr Index most = kernels::kFewRows<TestType, TestType>;
  for (const Index m : {Index{1}, Index{2}, Index{3}, Index{5}, most, most + 1}) {
    for (const Index n : kAwkward) {
      for (const Index k : kAwkward) {
        for (const Index gap : {0, 3}) {
          REQUIRE(agrees<TestType>({Transpose::no, Transpose::yes, m, n, k, gap}));
          REQUIRE(agrees<TestType>({Transpose::no, Transpose::no, m, n, k, gap}));
        }
      }
    }
  }
}

TEST_CASE("a row times a matrix of a few vectors' width agrees with its definition") {
  for (const Index n : {4 * kVector, 8 * kVector}) {
    for (const Index k : {0, 1, 7, 64, 131, 300}) {
      REQUIRE(agrees<float>({Transpose::no, Transpose::no, 1, n, k, k % 3, true, true, 0.5}));
      REQUIRE(agrees<double>({Transpose::yes, Transpose::no, 1, n / 2, k, k % 3}));
      REQUIRE(agrees<float, bf16>({Transpose::no, Transpose::no, 1, n, k, k % 3}));
    }
  }
}

TEST_CASE("a row times a matrix wider than a strip agrees with its definition") {
  const Index n = kernels::detail::kStripColumns<float> + 5;
  REQUIRE(agrees<float>({Transpose::no, Transpose::no, 1, n, 9, 1, true}));
  REQUIRE(agrees<float, bf16>({Transpose::no, Transpose::no, 1, n, 17}));
}

TEST_CASE("products of few rows with bf16 weights are summed in float") {
  for (const Transpose tb : kEither) {
    for (const Index m : {1, 3, 4, 9, 23}) {
      for (const Index n : kAwkward) {
        for (const Index k : kAwkward)
          REQUIRE(agrees<float, bf16>({Transpose::no, tb, m, n, k, n % 2, true, true, 0.5}));
      }
    }
  }
}

TEMPLATE_TEST_CASE("products of all forms agree with their definition on awkward sizes", "", float, double) {
  for (const Transpose ta : kEither) {
    for (const Transpose tb : kEither) {
      for (const Index m : {1, 6, 70}) {
        for (const Index n : {1, 15, 80, 97}) {
          for (const Index k : {0, 1, 33, 130}) REQUIRE(agrees<TestType>({ta, tb, m, n, k, k % 2 * 5}));
        }
      }
    }
  }
}

TEST_CASE("a product is scaled and then added to the bias and to what is there") {
  for (const Index m : {1, 3, 4, 5, 40}) {
    for (const Transpose tb : kEither) {
      for (const bool bias : {false, true}) {
        for (const bool accumulate : {false, true}) {
          for (const double alpha : {1.0, -0.5, 0.0}) {
            REQUIRE(agrees<float>({Transpose::no, tb, m, 37, 41, 1, bias, accumulate, alpha}));
            REQUIRE(agrees<double>({Transpose::no, tb, m, 37, 41, 0, bias, accumulate, alpha}));
          }
        }
      }
    }
  }
}

TEST_CASE("a product that is only written never reads what is there") {
  for (const Index m : {1, 4, 20}) {
    for (const Transpose tb : kEither) {
      const Problem p{Transpose::no, tb, m, 19, 23};
      const auto a = values<float>(m * 23, 1);
      const auto b = values<float>(19 * 23, 2);
      std::vector<float> c(static_cast<std::size_t>(m * 19), std::nanf(""));
      kernels::matmul(p.ta, p.tb, m, 19, 23, a.data(), p.lda(), b.data(), p.ldb(), c.data(), p.ldc());
      CHECK(std::none_of(c.begin(), c.end(), [](float value) { return std::isnan(value); }));
    }
  }
}

TEST_CASE("a product deeper than a block agrees with its definition") {
  for (const Index m : {1, 2, 17, 64}) {
    for (const Transpose tb : kEither) REQUIRE(agrees<float>({Transpose::no, tb, m, 70, 2100, 0, true, true}));
  }
  REQUIRE(agrees<float>({Transpose::yes, Transpose::no, 70, 33, 1500}));
}

TEST_CASE("a product of many rows, or with many columns, agrees with its definition") {
  constexpr Index panel = kernels::kTileColumns<float>;
  for (const Index odd : {0, 5}) {
    REQUIRE(agrees<float>({Transpose::no, Transpose::yes, 600 + odd, 4 * panel, 9 + odd, odd, true}));
    REQUIRE(agrees<float>({Transpose::no, Transpose::yes, 4 * panel - odd, 700 + odd, 240, odd, true, true, 0.5}));
    for (const Transpose ta : kEither) {  // columns, rows and depth each in several blocks
      REQUIRE(agrees<float>({ta, Transpose::no, 144 + odd, 8 * panel + odd, 520, odd, true}));
      REQUIRE(agrees<float>({ta, Transpose::no, 144 + odd, panel, 520, odd}));
    }
  }
}

TEST_CASE("products have the same bits for any number of threads") {
  for (const Transpose ta : kEither) {
    for (const Transpose tb : kEither) {
      // Threads share out the rows of 1030 x 150 and the columns of 600 x 256; 20 x 700 has many rows on its right.
      constexpr std::array<Index, 3> sizes[] = {{1, 261, 300},  {2, 261, 300},  {4, 261, 300}, {16, 261, 300},
                                                {67, 261, 300}, {1030, 150, 9}, {600, 256, 9}, {20, 700, 64}};
      for (const auto [m, n, k] : sizes) {
        const Problem p{ta, tb, m, n, k, 0, true, true};
        CHECK(weft::testing::same_bits_for_any_thread_count([&] { return product<float, float>(p, false); }));
        CHECK(weft::testing::same_bits_for_any_thread_count([&] { return product<float, bf16>(p, false); }));
      }
    }
  }
}
