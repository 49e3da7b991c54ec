// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numbers>

#include "weft/train/schedule.hpp"

#include "support/catch.hpp"

using weft::Schedule;
using weft::schedule_factor;

TEST_CASE("a constant schedule is 1 at every step and has no warm-up") {
  for (const int step : {0, 1, 5, 10, 1000}) CHECK(schedule_factor(Schedule::constant, step, 10, 100) == 1);
}

TEST_CASE("every other schedule rises linearly from 0 over the warm-up") {
  for (const Schedule schedule : {Schedule::constant_with_warmup, Schedule::linear, Schedule::cosine}) {
    for (int step = 0; step < 10; ++step) CHECK(schedule_factor(schedule, step, 10, 100) == step / 10.0);
    CHECK(schedule_factor(schedule, 10, 10, 100) == 1);
    CHECK(schedule_factor(schedule, 0, 0, 100) == 1);
  }
}

TEST_CASE("after the warm-up the schedules follow their formulas") {
  for (int step = 10; step <= 120; ++step) {
    const double progress = (step - 10) / 90.0;
    CHECK(schedule_factor(Schedule::constant_with_warmup, step, 10, 100) == 1);
    CHECK(schedule_factor(Schedule::linear, step, 10, 100) == Approx(std::max(0.0, 1 - progress)).margin(1e-15));
    if (step <= 100) {
      const double half_wave = std::cos(std::numbers::pi / 2 * progress);
      CHECK(schedule_factor(Schedule::cosine, step, 10, 100) == Approx(half_wave * half_wave).margin(1e-15));
    }
  }
  CHECK(schedule_factor(Schedule::linear, 55, 10, 100) == 0.5);
  CHECK(schedule_factor(Schedule::cosine, 55, 10, 100) == Approx(0.5));
  CHECK(schedule_factor(Schedule::cosine, 100, 10, 100) == Approx(0).margin(1e-15));
}

TEST_CASE("schedules that are all warm-up divide by nothing") {
  for (const Schedule schedule : {Schedule::linear, Schedule::cosine}) {
    CHECK(std::isfinite(schedule_factor(schedule, 10, 10, 10)));
    CHECK(std::isfinite(schedule_factor(schedule, 0, 0, 0)));
    CHECK(std::isfinite(schedule_factor(schedule, 5, 10, 3)));
  }
}

TEST_CASE("schedules have names, and an unknown name is refused with those there are") {
  for (const auto name : weft::enum_names<Schedule>) CHECK(weft::name_of(weft::schedule_named(name)) == name);
  CHECK_THROWS_WITH(weft::schedule_named("polynomial"),
                    "the schedule of the learning rate must be one of constant, constant_with_warmup, linear, cosine; "
                    "found \"polynomial\"");
}
