// SPDX-License-Identifier: Apache-2.0
// Compares tokenizers with golden files: weft_tokenizer_parity DIR runs every NAME/cases.json below a folder with the
// NAME/tokenizer.json beside it, and learns NAME/tokenizer.json again where there is a NAME/text.txt.
// bench/peers/tokenizers_hf.py writes such folders.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <weft/tokenizers.hpp>

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_json(const fs::path& path) { return json::parse(weft::read_text(path.string())); }

/// What a tokenizer makes of a text that is not what is expected; empty: nothing.
std::string difference(const weft::Tokenizer& tokenizer, const json& expected) {
  const auto text = expected.at("text").get<std::string>();
  const auto encoding = tokenizer.encode_with_offsets(text);
  if (encoding.ids != expected.at("ids").get<std::vector<std::int32_t>>()) return "ids";
  if (tokenizer.encode(text) != encoding.ids) return "ids without offsets";
  json offsets = json::array();
  for (const auto& range : encoding.offsets) offsets.push_back({range.begin, range.end});
  if (offsets != expected.at("offsets")) return "offsets";
  for (const bool skip : {false, true}) {
    const std::string decoded = tokenizer.decode(encoding.ids, {.skip_special_tokens = skip});
    if (decoded != expected.at(skip ? "without_special" : "decoded").get<std::string>()) return "decoded text";
    auto stream = tokenizer.stream(skip);
    std::string streamed;
    for (const std::int32_t id : encoding.ids) streamed += stream.push(id);
    if (streamed + stream.finish() != decoded) return "text of a stream";
  }
  return {};
}

bool compare(const fs::path& folder) {
  const auto tokenizer = weft::Tokenizer::from_file((folder / "tokenizer.json").string());
  const json cases = read_json(folder / "cases.json");
  std::size_t different = 0;
  std::string first;
  for (const json& expected : cases) {
    const std::string what = difference(tokenizer, expected);
    if (what.empty()) continue;
    if (different++ == 0) first = "; first: the " + what + " of " + expected.at("text").dump(-1, ' ', true);
  }
  std::printf("%s %s %zu texts, %zu differences%s\n", different == 0 ? "PASS" : "FAIL", folder.filename().c_str(),
              cases.size(), different, first.c_str());
  return different == 0;
}

bool learn(const fs::path& folder) {
  const json expected = read_json(folder / "tokenizer.json").at("model");
  const auto vocab_size = static_cast<std::int32_t>(expected.at("vocab").size());
  const auto trained = weft::train_bpe(weft::read_text((folder / "text.txt").string()), {.vocab_size = vocab_size});
  const json found = json::parse(trained.json()).at("model");
  json merges = json::array();
  for (const json& merge : expected.at("merges")) {
    merges.push_back(merge.is_string() ? merge.get<std::string>()
                                       : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  const bool same = found.at("vocab") == expected.at("vocab") && found.at("merges") == merges;
  std::printf("%s %s %d tokens and %zu merges learnt\n", same ? "PASS" : "FAIL", folder.filename().c_str(), vocab_size,
              merges.size());
  return same;
}

/// Whether a folder's tokenizer passes. What its files lack is a failure too.
bool run(const fs::path& folder) {
  try {
    return fs::exists(folder / "cases.json") ? compare(folder) : learn(folder);
  } catch (const std::exception& error) {
    std::printf("FAIL %s %s\n", folder.filename().c_str(), error.what());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !fs::is_directory(argv[1])) {
    std::fprintf(stderr, "weft_tokenizer_parity DIR: a folder with golden files of tokenizers is expected\n");
    return 2;
  }
  std::vector<fs::path> folders;
  for (const auto& entry : fs::recursive_directory_iterator(argv[1])) {
    const auto name = entry.path().filename();
    if (name == "cases.json" || name == "text.txt") folders.push_back(entry.path().parent_path());
  }
  if (folders.empty()) {
    std::fprintf(stderr, "weft_tokenizer_parity: no cases.json below %s\n", argv[1]);
    return 1;
  }
  std::sort(folders.begin(), folders.end());
  const auto passed = std::count_if(folders.begin(), folders.end(), run);
  const auto failed = static_cast<std::ptrdiff_t>(folders.size()) - passed;
  std::printf("%td passed, %td failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
