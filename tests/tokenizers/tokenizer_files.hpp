// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small tokenizer files to change.
#pragma once

#include <fstream>
#include <string>

#include "weft/io/json_text.hpp"
#include "weft/io/strict_json.hpp"
#include "weft/io/text_file.hpp"

/// The text of a tokenizer.json among the golden files.
inline std::string golden_tokenizer(const std::string& name) {
  return weft::read_text(WEFT_TEST_DATA "/tokenizers/" + name + "/tokenizer.json");
}

/// The smallest file: the model, and what else is given as JSON members.
inline std::string small_tokenizer(const std::string& members = "", const std::string& model = "") {
  return R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"])" + model + "}" + members +
         "}";
}
