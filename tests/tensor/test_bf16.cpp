// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "weft/tensor/types.hpp"

#include "support/catch.hpp"

using weft::bf16;

TEST_CASE("bf16 rounds to nearest, ties to even") {
  CHECK(float(bf16(1.0F)) == 1.0F);
  CHECK(bf16(1.0F + 0x1.0p-9F).bits() == bf16(1.0F).bits());  // below half: down
  CHECK(float(bf16(1.0F + 0x1.0p-8F)) == 1.0F);               // tie, even below
  CHECK(float(bf16(1.0F + 0x1.8p-7F)) == 1.0F + 0x1.0p-6F);   // tie, even above
  CHECK(float(bf16(1.0F + 0x1.1p-8F)) == 1.0F + 0x1.0p-7F);   // above half: up
  CHECK(float(bf16(-3.0e38F)) == Approx(-3.0e38F).epsilon(0.01));
}

TEST_CASE("bf16 keeps infinities and NaN, and every bit pattern survives a round trip") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(float(bf16(infinity)) == infinity);
  CHECK(std::isnan(float(bf16(std::numeric_limits<float>::quiet_NaN()))));
  CHECK(float(bf16(std::numeric_limits<float>::max())) == infinity);
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const bf16 value = bf16::from_bits(static_cast<std::uint16_t>(bits));
    if (!std::isnan(float(value))) REQUIRE(bf16(float(value)).bits() == bits);
  }
}
