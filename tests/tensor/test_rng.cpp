// SPDX-License-Identifier: Apache-2.0
#include "weft/tensor/rng.hpp"

#include "support/catch.hpp"

using namespace weft;

TEST_CASE("Philox4x32-10 gives its published known answers") {
  // kat_vectors of Random123 (D. E. Shaw Research), philox4x32 with 10 rounds.
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is a function of seed, stream and index") {
  Rng first(42);
  Rng second(42);
  const Rng a = first.next_stream();
  const Rng b = first.next_stream();
  CHECK(a.words(7) == second.next_stream().words(7));
  CHECK(a.words(7) != b.words(7));
  CHECK(Rng(first.state()).state() == first.state());
}

TEST_CASE("uniform and normal values have the moments they should") {
  const Rng rng(3);
  const int count = 200000;
  double sum = 0, normal_sum = 0, normal_squares = 0;
  for (int i = 0; i < count; ++i) {
    const float u = rng.uniform(static_cast<std::uint64_t>(i));
    REQUIRE((u >= 0.0F && u < 1.0F));
    sum += u;
    const double n = rng.normal(static_cast<std::uint64_t>(i));
    normal_sum += n;
    normal_squares += n * n;
  }
  // Five standard errors of each mean.
  CHECK(sum / count == Approx(0.5).margin(5 * 0.2887 / std::sqrt(count)));
  CHECK(normal_sum / count == Approx(0.0).margin(5 / std::sqrt(count)));
  CHECK(normal_squares / count == Approx(1.0).margin(5 * 1.4143 / std::sqrt(count)));
}
