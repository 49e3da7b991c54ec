// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <string>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weft/tensor/parallel.hpp"
#include "weft/train/checkpoint.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
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
  std::uint32_t longest_life = 20'000;  // microseconds; longer where nothing gets done in that time
  int kills = 0;
  while (kills < 25 || straight.trainer.completed_steps() < 10) {
    REQUIRE(kills < 1000);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) train_and_save_forever(path);
    usleep(rng.below(static_cast<std::uint64_t>(kills), longest_life));
    REQUIRE(kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));  // it did not give up by itself
    ++kills;

    TrainingRun resumed(99);
    weft::load_checkpoint(path, resumed.trainer, resumed.data);
    const bool progress = straight.trainer.completed_steps() < resumed.trainer.completed_steps();
    longest_life =
        progress ? std::max(5'000U, longest_life / 2) : std::min(2'000'000U, longest_life + longest_life / 2);
    while (straight.trainer.completed_steps() < resumed.trainer.completed_steps()) straight.trainer.step(straight.data);
    REQUIRE(resumed.same_as(straight));
  }
}
