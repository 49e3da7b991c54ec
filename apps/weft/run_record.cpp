// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/run_record.hpp"

#include "weft/io/json_text.hpp"
#include "weft/io/strict_json.hpp"
#include "weft/io/text_file.hpp"

namespace apps {

namespace {

using weft::detail::Json;

std::string path_of(const std::string& folder) { return folder + "/run.json"; }

template <class Value>
Value member(const Json& json, const std::string& path, const char* name, const char* what) {
  const Json* const found = json.find(name);
  const auto* const value = found != nullptr ? found->get_if<Value>() : nullptr;
  if (value == nullptr) weft::fail(weft::concat(path, ": ", name, " must be ", what));
  return *value;
}

}  // namespace

RunRecord read_run_record(const std::string& folder) {
  const std::string path = path_of(folder);
  const Json json = weft::detail::parse_json(weft::read_text(path), path);
  const RunRecord record{member<double>(json, path, "validation", "a number with a point"),
                         member<std::string>(json, path, "model", "a text"),
                         member<std::string>(json, path, "method", "a text")};
  if (!(record.validation >= 0 && record.validation <= 0.9)) {
    weft::fail(weft::concat(path, ": validation must be from 0 to 0.9, found ", record.validation));
  }
  return record;
}

void write_run_record(const RunRecord& record, const std::string& folder) {
  const Json json = Json::Object{{"method", record.method}, {"model", record.model}, {"validation", record.validation}};
  weft::write_text(path_of(folder), weft::detail::json_text(json));
}

}  // namespace apps
