// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "support/catch.hpp"
#include "typed/logits.hpp"
#include "typed/typed_models.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

namespace fs = std::filesystem;

std::string golden_file(const TypedModel& typed) { return typed.folder + "/golden.safetensors"; }

}  // namespace

TEST_CASE("every model folder of the goldens is here as a type") {
  std::set<std::string> typed;
  for (const TypedModel& model : typed_models()) typed.insert(fs::path(model.folder).filename().string());
  for (const char* family : {"models", "transformers"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(WEFT_TEST_DATA) / family)) {
      if (!fs::exists(entry.path() / "golden.safetensors")) continue;
      INFO(entry.path());
      CHECK(typed.contains(entry.path().filename().string()));
    }
  }
  CHECK(typed.size() == typed_models().size());
}

TEST_CASE("a typed model gives the logits that the dynamic model of its folder gives") {
  for (const TypedModel& model : typed_models()) {
    INFO(model.folder);
    const parity::GoldenCase golden(golden_file(model));
    const std::vector<float> typed = model.logits(model.folder, golden);
    const std::vector<float> dynamic = golden_logits<Dynamic>(model.folder, golden);
    REQUIRE(typed.size() == dynamic.size());
    REQUIRE_FALSE(typed.empty());
    float worst = 0;
    for (std::size_t i = 0; i < typed.size(); ++i) {
      const float error = std::abs(typed[i] - dynamic[i]);
      worst = error <= worst ? worst : error;  // one that is no number stays
      if (!(error <= 1e-5F)) break;
    }
    CAPTURE(worst);
    CHECK(worst <= 1e-5F);
  }
}

TEST_CASE("a typed model gives what the golden file of its folder expects") {
  for (const TypedModel& model : typed_models()) {
    INFO(model.folder);
    parity::GoldenCase golden(golden_file(model));
    model.compare(model.folder, golden);
    golden.expect_all_compared();
    INFO(golden.reasons());
    CAPTURE(golden.worst_error(), golden.worst_allowed(), golden.worst_name());
    CHECK(golden.passed());
  }
}
