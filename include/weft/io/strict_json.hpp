// SPDX-License-Identifier: Apache-2.0
/// \file
/// JSON of files: nlohmann-json, strictly.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "weft/tensor/error.hpp"

namespace weft::detail {

/// Members of an object are sorted by their keys. Its functions do not say which file was wrong, and end a program
/// without exceptions: ask for a value's type first, with `is_...` or `get_ptr`.
using Json = nlohmann::json;

/// Never raises; U+FFFD stands for what is no UTF-8, null for numbers that are not finite.
/// \param indent  spaces a level, or -1 for one line
inline std::string json_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// Cut where it is long, so that no file can flood a message.
inline std::string excerpt(std::string text) {
  constexpr std::size_t longest = 200;
  if (text.size() > longest) text.replace(longest, std::string::npos, "...");
  return text;
}

/// A value as one short line of ASCII for messages: it cannot steer a terminal either.
inline std::string json_excerpt(const Json& json) {
  return excerpt(json.dump(-1, ' ', true, Json::error_handler_t::replace));
}

/// A name from a file, for messages.
inline std::string in_quotes(std::string_view name) { return json_excerpt(Json(name)); }

/// Receives the events of nlohmann-json's parser. Its own receivers let the last of equal keys win, nest without end,
/// and either throw or do not say what is wrong.
class StrictJsonReceiver {
 public:
  static constexpr std::size_t deepest = 64;

  explicit StrictJsonReceiver(std::string_view where) : where_(where) {}

  Json& result() { return root_; }

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(std::int64_t value) { return put(value); }
  bool number_unsigned(std::uint64_t value) { return put(value); }
  bool number_float(double value, const std::string&) { return put(value); }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }  // not in texts
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    const auto [member, is_new] = open_.back()->emplace(std::move(name), nullptr);
    if (!is_new) fail(concat(where_, ": the key ", in_quotes(member.key()), " must not appear twice"));
    member_ = &*member;
    return true;
  }

  /// \param error  "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...; last read: ..."
  bool parse_error(std::size_t, const std::string& last_read, const Json::exception& error) {
    std::string problem = error.what();
    if (problem.starts_with("[json.exception.")) problem.erase(0, problem.find(' ') + 1);
    problem.resize(std::min(problem.size(), problem.find("; last read: ")));
    if (problem.starts_with("parse error")) problem.replace(0, 11, "not JSON");
    fail(concat(where_, ": ", excerpt(problem), last_read.empty() ? "" : ", found " + in_quotes(last_read)));
  }

 private:
  Json& place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    if (open_.back()->is_array()) return open_.back()->emplace_back(std::move(value));
    return *member_ = std::move(value);
  }

  bool put(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json container) {
    if (open_.size() == deepest) {
      fail(concat(where_, ": JSON must be nested less deeply, found more than ", deepest, " levels"));
    }
    open_.push_back(&place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view where_;
  Json root_;
  std::vector<Json*> open_;  ///< each is the last value of the one before it, and stays where it is until it is closed
  Json* member_ = nullptr;
};

/// Parses a whole text: JSON in UTF-8 (RFC 8259) and nothing beyond it, at most 64 levels deep, each key once in its
/// object. Raises Error with the place of what is wrong.
/// \param where  the file, for messages
inline Json parse_json(std::string_view text, std::string_view where) {
  // The parser skips the one and takes the other for the end.
  if (text.starts_with("\xEF\xBB\xBF")) fail(concat(where, ": not JSON: it must not begin with a byte order mark"));
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos) fail(concat(where, ": not JSON: byte ", zero, " must not be zero"));
  StrictJsonReceiver receiver(where);
  Json::sax_parse(text, &receiver);
  return std::move(receiver.result());
}

}  // namespace weft::detail
