// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "weft/tensor/parallel.hpp"
#include "weft/train/checkpoint.hpp"

#include "support/catch.hpp"
#include "train/temporary_folder.hpp"
#include "train/training_run.hpp"

using weft::testing::TemporaryFolder;
using weft::testing::TrainingRun;

namespace {

/// Goes on from the checkpoint and saves after every step, until it is killed. One thread: a forked process must not use
/// the thread pool of its parent.
[[noreturn]] void train_and_save_forever(const std::string& path) {
  try {
    weft::set_threads(1);
    TrainingRun run;
    weft::load_checkpoint(path, run.trainer, run.data);
    for (;;) {
      run.trainer.step(run.data);
      weft::save_checkpoint(path, run.trainer, run.data);
    }
  } catch (...) {
    _exit(1);
  }
}

}  // namespace

TEST_CASE("whenever training is killed, its checkpoint loads and training goes on as if it had never stopped") {
  const TemporaryFolder folder;
  const std::string path = folder / "run";
  TrainingRun straight;  // never killed
  weft::save_checkpoint(path, straight.trainer, straight.data);

  const weft::Rng rng(2024);
  int kills = 0;
  // At least 20, and on a busy machine as many as it takes to get somewhere.
  while (kills < 25 || (straight.trainer.completed_steps() < 10 && kills < 500)) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) train_and_save_forever(path);
    usleep(rng.below(static_cast<std::uint64_t>(kills), 30'000));
    REQUIRE(kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));  // it did not give up by itself
    ++kills;

    TrainingRun resumed(99);
    weft::load_checkpoint(path, resumed.trainer, resumed.data);
    while (straight.trainer.completed_steps() < resumed.trainer.completed_steps()) straight.trainer.step(straight.data);
    REQUIRE(resumed.same_as(straight));
  }
  CHECK(straight.trainer.completed_steps() >= 10);
}
