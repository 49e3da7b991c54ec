// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradient_pool.hpp"

#include "support/catch.hpp"

using namespace weft;

TEST_CASE("a gradient pool hands out again what it got back, in parts where that is enough") {
  GradientPool<Cpu> pool;
  void* const large = pool.allocate(1000);
  const std::size_t peak = pool.peak();
  pool.release(large, 1000);
  CHECK(pool.allocate(500) == large);
  CHECK(pool.allocate(300) == static_cast<std::byte*>(large) + 512);
  CHECK(pool.peak() == peak);
  pool.allocate(300);
  CHECK(pool.peak() > peak);
}

TEST_CASE("a gradient pool joins neighbours, in whatever order they come back") {
  GradientPool<Cpu> pool;
  alignas(kAlignment) std::byte memory[5 * kAlignment];
  const auto give = [&](int line) { pool.give(memory + line * static_cast<int>(kAlignment), kAlignment); };
  give(0);
  give(2);
  give(4);
  give(3);
  give(1);
  CHECK(pool.allocate(5 * kAlignment) == memory);
  CHECK(pool.peak() == 0);
}

TEST_CASE("a gradient pool takes the smallest range that is large enough") {
  GradientPool<Cpu> pool;
  alignas(kAlignment) std::byte memory[8 * kAlignment];
  pool.give(memory, 3 * kAlignment);
  pool.give(memory + 4 * kAlignment, kAlignment);
  pool.give(memory + 6 * kAlignment, 2 * kAlignment);
  CHECK(pool.allocate(1) == memory + 4 * kAlignment);
  CHECK(pool.allocate(2 * kAlignment) == memory + 6 * kAlignment);
  CHECK(pool.allocate(3 * kAlignment) == memory);
  pool.reset();
  CHECK(pool.allocate(1) != memory);
}
