// SPDX-License-Identifier: Apache-2.0
/// \file
/// JSON of files: RapidJSON, strictly.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include "weft/io/json.hpp"
#include "weft/io/json_text.hpp"
#include "weft/tensor/error.hpp"
#include "weft/tensor/utf8.hpp"

namespace weft::detail {

/// A list or an object whose elements or members are handed over one by one, as they are read, and are no part of the tree: for
/// those that are nearly all of a file, and of which a tree would take several times the time that the rest takes.
struct JsonStream {
  /// \param name  of a member; empty for an element
  using Take = std::function<void(std::string_view name, const Json& value)>;

  std::array<std::string_view, 2> path;  ///< of a member of a member of the whole: "model", "vocab"
  bool is_object;                        ///< false: a list. A value of another kind is read like any other.
  Take take;
};

/// Receives the events of RapidJSON's parser, which itself lets keys appear twice, nests without end, rounds numbers and
/// takes half of a surrogate pair for a character.
class StrictJsonReceiver : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, StrictJsonReceiver> {
 public:
  static constexpr std::size_t deepest = 64;

  /// \param escapes  whether the text has characters by their numbers, \u: only these can be half of a pair
  StrictJsonReceiver(std::string_view where, bool escapes, std::span<const JsonStream> streams)
      : where_(where), escapes_(escapes), streams_(streams) {}

  Json& result() { return root_; }

  bool Null() { return put(nullptr); }
  bool Bool(bool value) { return put(value); }
  bool RawNumber(const char* digits, rapidjson::SizeType size, bool) { return put(number({digits, size})); }
  bool String(const char* text, rapidjson::SizeType size, bool) { return put(std::string(checked({text, size}))); }
  bool StartObject() { return open(Json::Object()); }
  bool StartArray() { return open(Json::Array()); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool EndArray(rapidjson::SizeType) { return close(); }

  bool Key(const char* text, rapidjson::SizeType size, bool) {
    const std::string_view name = checked({text, size});
    if (streaming()) {
      streamed_name_ = name;
      return true;
    }
    const auto [member, is_new] = open_.back().value->get_if<Json::Object>()->emplace(name, nullptr);
    if (!is_new) fail(concat(where_, ": the key ", in_quotes(member->first), " must not appear twice"));
    open_.back().name = member->first;
    member_ = &member->second;
    return true;
  }

 private:
  /// Exactly, where 64 bits can; the nearest `double` elsewhere.
  Json number(std::string_view digits) const {
    const char* const end = digits.data() + digits.size();
    const auto is = [&](auto& value) {
      const auto read = std::from_chars(digits.data(), end, value);
      return read.ec == std::errc() && read.ptr == end;
    };
    std::uint64_t natural = 0;
    if (is(natural)) return natural;
    std::int64_t integer = 0;
    if (is(integer)) return integer;
    double real = 0;
    if (!is(real)) fail(concat(where_, ": a number must fit into 64 bits, found ", in_quotes(digits)));
    return real;
  }

  std::string_view checked(std::string_view text) const {
    if (!escapes_) return text;
    for (std::size_t at = text.find('\xED'); at != std::string_view::npos; at = text.find('\xED', at + 1)) {
      if (static_cast<unsigned char>(text[at + 1]) < 0xA0) continue;  // what follows is half of a pair in UTF-8
      fail(concat(where_, ": not JSON: half of a surrogate pair must not stand alone, found ", in_quotes(text)));
    }
    return text;
  }

  Json& place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    if (streaming()) return streamed_ = std::move(value);
    if (auto* elements = open_.back().value->get_if<Json::Array>()) return elements->emplace_back(std::move(value));
    return *member_ = std::move(value);
  }

  bool put(Json value) {
    place(std::move(value));
    if (streaming()) stream_->take(streamed_name_, streamed_);
    return true;
  }

  bool open(Json container) {
    if (open_.size() == deepest) {
      fail(concat(where_, ": JSON must be nested less deeply, found more than ", deepest, " levels"));
    }
    open_.push_back({&place(std::move(container)), {}});
    if (open_.size() == kStreamDepth) {
      stream_ = find_stream();
      streamed_name_.clear();
    }
    return true;
  }

  bool close() {
    open_.pop_back();
    if (streaming()) stream_->take(streamed_name_, streamed_);
    if (open_.size() < kStreamDepth) stream_ = nullptr;
    return true;
  }

  /// The stream that the value is which has just been opened; null for others.
  const JsonStream* find_stream() const {
    const auto is_it = [&](const JsonStream& stream) {
      const bool is_object = open_.back().value->get_if<Json::Object>() != nullptr;
      return open_[0].name == stream.path[0] && open_[1].name == stream.path[1] && is_object == stream.is_object;
    };
    const auto found = std::find_if(streams_.begin(), streams_.end(), is_it);
    return found == streams_.end() ? nullptr : &*found;
  }

  /// Whether what is read next is an element or a member of a stream.
  bool streaming() const { return stream_ != nullptr && open_.size() == kStreamDepth; }

  /// A list or an object that is not at its end, the last value of the one before it; it stays where it is until then.
  struct Open {
    Json* value;
    std::string_view name;  ///< of the object's last member so far
  };
  static constexpr std::size_t kStreamDepth = 3;

  std::string_view where_;
  bool escapes_;
  std::span<const JsonStream> streams_;
  Json root_;
  std::vector<Open> open_;
  Json* member_ = nullptr;
  const JsonStream* stream_ = nullptr;  ///< the one that is being read
  std::string streamed_name_;
  Json streamed_;
};

/// "line 2, column 5" of a text, or "column 5" of one that is a line of a file.
inline std::string place_in_json(std::string_view text, std::size_t offset, bool is_line) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;  // no line before it: npos + 1 is 0
  if (is_line) return concat("column ", column);
  return concat("line ", std::count(before.begin(), before.end(), '\n') + 1, ", column ", column);
}

/// \param problem  a sentence of RapidJSON
/// \param offset   in the text, from 0
[[noreturn]] inline void fail_on_json(std::string_view text, std::string_view where, std::string problem,
                                      std::size_t offset, bool is_line) {
  const std::string_view found = text.substr(std::min(offset, text.size()), 20);
  problem.front() = static_cast<char>(std::tolower(problem.front()));
  if (problem.back() == '.') problem.pop_back();
  fail(concat(where, ": not JSON at ", place_in_json(text, offset, is_line), ": ", problem, ", found ",
              found.empty() ? "the end" : in_quotes(found)));
}

/// Parses a whole text: JSON in UTF-8 (RFC 8259) and nothing beyond it, at most 64 levels deep, each key once in its
/// object. Raises Error with the place of what is wrong.
/// \param where    the file, for messages
/// \param is_line  the text is one line of it, and `where` says which
/// \param streams  what is handed over instead of being read into the tree, where it is empty
inline Json parse_json(std::string_view text, std::string_view where, bool is_line = false,
                       std::span<const JsonStream> streams = {}) {
  const std::size_t zero = text.find('\0');  // the parser takes it for the end
  if (zero != std::string_view::npos) fail(concat(where, ": not JSON: byte ", zero, " must not be zero"));
  const std::size_t invalid = find_invalid_utf8(text);  // at once, which the parser does a byte at a time
  if (invalid != std::string_view::npos) fail_on_json(text, where, "It is not UTF-8", invalid, is_line);
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  StrictJsonReceiver receiver(where, text.find("\\u") != std::string_view::npos, streams);
  const auto result = reader.Parse<rapidjson::kParseNumbersAsStringsFlag>(stream, receiver);
  if (result.IsError()) fail_on_json(text, where, rapidjson::GetParseError_En(result.Code()), result.Offset(), is_line);
  return std::move(receiver.result());
}

}  // namespace weft::detail
