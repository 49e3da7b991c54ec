// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <string>

#include "weft/train/metrics.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using weft::EvaluationReport;
using weft::MetricsLog;
using weft::StepReport;
using weft::testing::TemporaryFolder;

namespace {

StepReport step(weft::Index number) {
  return {.step = number,
          .max_steps = 9,
          .epoch = 0.5,
          .loss = 2.25,
          .learning_rate = 1e-3,
          .gradient_norm = 3,
          .tokens_per_second = 1000};
}

}  // namespace

TEST_CASE("every event is one line of JSON that holds its numbers exactly") {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  MetricsLog log(path);
  StepReport first = step(1);
  first.loss = 0.1 + 0.2;
  log.write(first);
  log.write(EvaluationReport{.step = 1, .loss = 2, .perplexity = 7.4, .bits_per_byte = 2.9});
  first.gradient_norm = std::numeric_limits<double>::infinity();
  log.write(first);
  CHECK(weft::read_text(path) ==
        "{\"step\":1,\"epoch\":0.5,\"loss\":0.30000000000000004,\"learning_rate\":0.001,\"gradient_norm\":3.0,"
        "\"tokens_per_second\":1000.0}\n"
        "{\"step\":1,\"validation_loss\":2.0,\"validation_perplexity\":7.4,\"validation_bits_per_byte\":2.9}\n"
        "{\"step\":1,\"epoch\":0.5,\"loss\":0.30000000000000004,\"learning_rate\":0.001,\"gradient_norm\":null,"
        "\"tokens_per_second\":1000.0}\n");
}

TEST_CASE("a run that goes on drops the lines of steps that it repeats, and a new one starts an empty file") {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  std::string expected;
  {
    MetricsLog log(path);
    for (const int number : {1, 2, 3, 4, 5}) {
      log.write(step(number));
      if (number <= 4) expected += weft::as_json_line(step(number)) + "\n";
    }
  }
  weft::write_text(path, weft::read_text(path) + "{\"step\": 2, \"lo");  // killed while it wrote
  {
    MetricsLog log(path, 3);
    log.write(step(4));
  }
  CHECK(weft::read_text(path) == expected);

  const MetricsLog late(folder / "new.jsonl", 7);  // nothing to keep yet
  CHECK(weft::read_text(folder / "new.jsonl").empty());
  const MetricsLog fresh(path);
  CHECK(weft::read_text(path).empty());
}

TEST_CASE("a last line that was cut does not keep a run from going on, one among others does") {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  const auto go_on = [&](const std::string& text) {
    weft::write_text(path, text);
    const MetricsLog log(path, 2);
    return weft::read_text(path);
  };
  const std::string first = weft::as_json_line(step(1)) + "\n";
  const std::string second = weft::as_json_line(step(2)) + "\n";
  const std::string third = weft::as_json_line(step(3)) + "\n";
  CHECK(go_on(first + "{\"step\":2,\"lo\n") == first);
  CHECK(go_on(first + second + std::string(40, '\0') + "\n") == first + second);
  CHECK(go_on(first + second + third + "{\"step\":4,\n" + second) == first + second);  // after what comes again
  CHECK_THROWS_WITH(go_on(first + "{\"step\":2,\"lo\n" + second),
                    Catch::Matchers::ContainsSubstring(path + ", line 2: not JSON"));
  CHECK_THROWS_WITH(go_on(first + "{}\n" + second),
                    Catch::Matchers::ContainsSubstring(path + ", line 2: an object with a step is expected"));
}

TEST_CASE("metrics that cannot be written, or are none, are refused with the path and left alone") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(MetricsLog(folder / "missing/metrics.jsonl"),
                    Catch::Matchers::ContainsSubstring("missing/metrics.jsonl: No such file"));
  weft::write_text(folder / "letter.txt", "Dear reader,\n");
  CHECK_THROWS_WITH(MetricsLog(folder / "letter.txt", 3),
                    Catch::Matchers::ContainsSubstring("letter.txt, line 1: not JSON at column 1"));
  CHECK(weft::read_text(folder / "letter.txt") == "Dear reader,\n");
  const std::string first = weft::as_json_line(step(1)) + "\n";
  weft::write_text(folder / "list.txt", first + "\n[2]\n" + first);
  CHECK_THROWS_WITH(
      MetricsLog(folder / "list.txt", 3),
      Catch::Matchers::ContainsSubstring("list.txt, line 3: an object with a step is expected, found [2]"));
  weft::write_text(folder / "list.txt", first + "\r\n");
  const MetricsLog log(folder / "list.txt", 3);
  CHECK(weft::read_text(folder / "list.txt") == first);
}
