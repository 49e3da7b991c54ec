// SPDX-License-Identifier: Apache-2.0
#include <new>

#include "weft/tensor/parallel.hpp"

#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "train/training_run.hpp"

using weft::testing::allocations;
using weft::testing::deallocations;
using weft::testing::TrainingRun;

TEST_CASE("the counter sees every form of allocation") {
  const auto before = allocations();
  const auto freed = deallocations();
  ::operator delete(::operator new(4));
  ::operator delete[](::operator new[](12));
  { const weft::Tensor<float, weft::Shape<5>> aligned; }
  CHECK(allocations() - before == 3);
  CHECK(deallocations() - freed == 3);
}

TEST_CASE("a training step allocates nothing once it is warm, across epochs, and neither does an evaluation") {
  const int threads = weft::thread_count();
  for (const int count : {1, 2}) {
    weft::set_threads(count);
    TrainingRun run;
    for (int step = 0; step < 3; ++step) run.trainer.step(run.data);
    run.trainer.evaluate(run.data);
    run.trainer.evaluate(run.data);
    const auto before = allocations();
    const auto freed = deallocations();
    for (int step = 0; step < 12; ++step) run.trainer.step(run.data);
    run.trainer.evaluate(run.data);
    CHECK(allocations() - before == 0);
    CHECK(deallocations() - freed == 0);
    CHECK(run.data.epoch() >= 2);
  }
  weft::set_threads(threads);
}
