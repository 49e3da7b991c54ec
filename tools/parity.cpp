// SPDX-License-Identifier: Apache-2.0
// Compares the library with golden files: weft_parity DIR runs every *.safetensors below a folder, and every model folder.
#include <cstdio>
#include <filesystem>
#include <vector>

#include "parity/layer_cases.hpp"
#include "parity/model_case.hpp"
#include "parity/transformers_case.hpp"

namespace {

namespace fs = std::filesystem;

struct Found {
  std::string path;   ///< the golden file
  std::string model;  ///< the model's folder, or empty
};

std::vector<Found> find_cases(const fs::path& folder) {
  std::vector<Found> cases;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors" || entry.path().filename().string().starts_with("model")) continue;
    if (fs::exists(entry.path().parent_path() / "adapter_config.json"))
      continue;  // needs the base; a test of io compares
    const bool is_model = entry.path().filename() == "golden.safetensors";
    cases.push_back({entry.path().string(), is_model ? entry.path().parent_path().string() : ""});
  }
  std::sort(cases.begin(), cases.end(), [](const Found& a, const Found& b) { return a.path < b.path; });
  return cases;
}

/// Runs one case and prints its line; whether it passed.
bool run(const parity::LayerCases& cases, const Found& found) {
  std::string name =
      found.model.empty() ? fs::path(found.path).stem().string() : fs::path(found.model).filename().string();
  std::string type = "?";
  try {
    parity::GoldenCase golden(found.path);
    type = golden.text("class");
    if (type == "transformers.LlamaForCausalLM") {
      parity::run_transformers_model<weft::Dynamic>(found.model, golden);
    } else if (!found.model.empty()) {
      parity::run_model<weft::Dynamic>(found.model, golden);
    } else if (const auto runner = cases.find(type); runner != cases.end()) {
      runner->second(golden);
    } else {
      weft::fail("unknown class " + type);
    }
    golden.expect_all_compared();
    std::printf("%s %s %s worst %.3g of %.3g%s%s%s%s\n", golden.passed() ? "PASS" : "FAIL", name.c_str(), type.c_str(),
                golden.worst_error(), golden.worst_allowed(), golden.worst_name().empty() ? "" : " in ",
                golden.worst_name().c_str(), golden.reasons().empty() ? "" : "; ", golden.reasons().c_str());
    return golden.passed();
  } catch (const std::exception& error) {
    std::printf("FAIL %s %s %s\n", name.c_str(), type.c_str(), error.what());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !fs::is_directory(argv[1])) {
    std::fprintf(stderr, "weft_parity DIR: a folder with golden files is expected%s%s\n", argc == 2 ? ", found " : "",
                 argc == 2 ? argv[1] : "");
    return 2;
  }
  int passed = 0;
  int failed = 0;
  const parity::LayerCases cases = parity::layer_cases();
  const std::vector<Found> golden_files = find_cases(argv[1]);
  if (golden_files.empty()) std::fprintf(stderr, "weft_parity: no golden files (*.safetensors) below %s\n", argv[1]);
  for (const Found& found : golden_files) ++(run(cases, found) ? passed : failed);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
