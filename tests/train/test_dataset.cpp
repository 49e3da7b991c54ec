// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "weft/train/dataset.hpp"

#include "support/catch.hpp"

using weft::Index;
using weft::TokenDataset;

namespace {

/// The tokens 0, 1, 2, ...: the first token of a block says which block it is.
std::vector<std::int32_t> counting(int count) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

std::vector<Index> draw_blocks(TokenDataset& data, Index blocks, Index batch_size) {
  std::vector<Index> drawn;
  while (static_cast<Index>(drawn.size()) < blocks) {
    const auto batch = data.next_batch(batch_size);
    for (Index row = 0; row < batch_size; ++row) drawn.push_back(batch.ids(row, 0) / data.block_size());
  }
  return drawn;
}

}  // namespace

TEST_CASE("a batch holds whole blocks, and labels are the ids") {
  TokenDataset data(counting(103), {.block_size = 10});
  CHECK(data.training_blocks() == 10);
  CHECK(data.validation_blocks() == 0);
  const auto batch = data.next_batch(3);
  REQUIRE(batch.ids.shape() == weft::Shape<weft::Dyn, weft::Dyn>(3, 10));
  REQUIRE(batch.labels.shape() == batch.ids.shape());
  for (Index row = 0; row < 3; ++row) {
    CHECK(batch.ids(row, 0) % 10 == 0);
    for (Index t = 0; t < 10; ++t) {
      CHECK(batch.ids(row, t) == batch.ids(row, 0) + t);
      CHECK(batch.labels(row, t) == batch.ids(row, t));
    }
  }
}

TEST_CASE("every epoch takes each block once, in another order, across batches that do not divide it") {
  TokenDataset data(counting(320), {.block_size = 10});
  const auto drawn = draw_blocks(data, 96, 6);  // three epochs of 32, 6 does not divide 32
  std::set<std::vector<Index>> orders;
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<Index> order(drawn.begin() + 32 * epoch, drawn.begin() + 32 * (epoch + 1));
    orders.insert(order);
    std::sort(order.begin(), order.end());
    for (Index block = 0; block < 32; ++block) CHECK(order[static_cast<std::size_t>(block)] == block);
  }
  CHECK(orders.size() == 3);
  CHECK(data.epoch() == 3);
}

TEST_CASE("the order is a function of the seed, and shuffled fairly") {
  TokenDataset first(counting(320), {.block_size = 10, .seed = 1});
  TokenDataset again(counting(320), {.block_size = 10, .seed = 1});
  TokenDataset other(counting(320), {.block_size = 10, .seed = 2});
  const auto order = draw_blocks(first, 64, 4);
  CHECK(order == draw_blocks(again, 64, 4));
  CHECK(order != draw_blocks(other, 64, 4));

  // Of 400 shuffles of 8 blocks, each block comes first 50 times on average, with standard deviation 6.6.
  std::vector<int> came_first(8, 0);
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    TokenDataset data(counting(80), {.block_size = 10, .seed = seed});
    ++came_first[static_cast<std::size_t>(draw_blocks(data, 1, 1).front())];
  }
  for (const int count : came_first) CHECK(std::abs(count - 50) < 30);
}

TEST_CASE("a data set goes on from any saved position") {
  TokenDataset straight(counting(170), {.block_size = 10});
  const auto order = draw_blocks(straight, 60, 5);  // three epochs and a half of 17
  for (Index batches = 0; batches < 12; ++batches) {
    TokenDataset data(counting(170), {.block_size = 10});
    draw_blocks(data, 35, 7);  // what it did before does not matter
    data.set_position(5 * batches);
    CHECK(data.position() == 5 * batches);
    CHECK(draw_blocks(data, 60 - 5 * batches, 5) == std::vector<Index>(order.begin() + 5 * batches, order.end()));
  }
  CHECK_THROWS_WITH(straight.set_position(-1), Catch::Matchers::ContainsSubstring("must not be negative"));
}

TEST_CASE("the validation part is the end of the text and is never trained on") {
  TokenDataset data(counting(1000), {.block_size = 10, .validation = 0.2});
  CHECK(data.training_blocks() == 80);
  CHECK(data.validation_blocks() == 20);
  for (const Index block : draw_blocks(data, 160, 8)) CHECK(block < 80);
  const auto batch = data.validation_batch(18, 2);
  CHECK(batch.ids(0, 0) == 980);
  CHECK(batch.ids(1, 9) == 999);
  CHECK_THROWS_WITH(data.validation_batch(19, 2), Catch::Matchers::ContainsSubstring("20 blocks, found [19, 21)"));

  TokenDataset small(counting(25), {.block_size = 10, .validation = 0.01});  // never less than a block
  CHECK(small.training_blocks() == 1);
  CHECK(small.validation_blocks() == 1);
  TokenDataset mostly_held_out(counting(25), {.block_size = 10, .validation = 0.99});
  CHECK(mostly_held_out.training_blocks() == 1);
  CHECK(mostly_held_out.validation_blocks() == 1);
}

TEST_CASE("a text shorter than a block is refused with both numbers") {
  CHECK_THROWS_WITH(TokenDataset(counting(99), {.block_size = 128}),
                    "TokenDataset: the text has 99 tokens, fewer than a block of 128");
  CHECK_THROWS_WITH(
      TokenDataset(counting(200), {.block_size = 128, .validation = 0.1}),
      "TokenDataset: the text has 200 tokens, fewer than a block for training and one for validation of 128");
  CHECK_THROWS_WITH(TokenDataset(counting(9), {.block_size = 1}),
                    "TokenDataset: block_size must be at least 2, found 1");
  CHECK_THROWS_WITH(TokenDataset(counting(9), {.block_size = 3, .validation = 1}),
                    Catch::Matchers::ContainsSubstring("validation must be in [0, 1)"));
  CHECK_THROWS_WITH(TokenDataset(counting(9), {.block_size = 3, .bytes_per_token = 0}),
                    Catch::Matchers::ContainsSubstring("bytes_per_token must be positive"));
  TokenDataset data(counting(9), {.block_size = 3});
  CHECK_THROWS_WITH(data.next_batch(0), Catch::Matchers::ContainsSubstring("at least 1 is needed, found 0"));
  for (const Index longest : {std::numeric_limits<Index>::max(), std::numeric_limits<Index>::max() / 2 + 1}) {
    CHECK_THROWS_WITH(TokenDataset(counting(9), {.block_size = longest, .validation = 0.1}),
                      Catch::Matchers::ContainsSubstring("of " + std::to_string(longest)));
    CHECK_THROWS_WITH(data.next_batch(longest),
                      Catch::Matchers::ContainsSubstring("blocks of 3 tokens can be counted"));
  }
}
