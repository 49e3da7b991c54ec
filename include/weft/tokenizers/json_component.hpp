// SPDX-License-Identifier: Apache-2.0
/// \file
/// One component of a tokenizer.json, read strictly.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/json.hpp"
#include "weft/io/json_text.hpp"
#include "weft/tensor/error.hpp"
#include "weft/tensor/utf8.hpp"

namespace weft::detail {

/// An object of a tokenizer file and its place there. What nobody has asked for when `expect_no_others` is called is an
/// error.
class JsonComponent {
 public:
  /// \param where  the file and the place in it, for messages
  JsonComponent(const Json& json, std::string where) : where_(std::move(where)) {
    members_ = json.get_if<Json::Object>();
    if (members_ == nullptr) fail(concat(where_, ": an object is expected, found ", json_excerpt(json)));
  }

  const std::string& where() const { return where_; }
  std::string where(std::string_view name) const { return concat(where_, ".", name); }

  /// The member; null where it is absent or null.
  const Json* find(std::string_view name) {
    asked_.emplace_back(name);
    const auto member = members_->find(name);
    return member == members_->end() || member->second.is_null() ? nullptr : &member->second;
  }

  const Json& require(std::string_view name) {
    const Json* member = find(name);
    if (member == nullptr) fail(concat(where(name), " is expected, but not there"));
    return *member;
  }

  bool truth(std::string_view name, bool otherwise) {
    const Json* member = find(name);
    return member == nullptr ? otherwise : as<bool>(name, *member, "true or false");
  }

  std::string text(std::string_view name) { return as<std::string>(name, require(name), "a text"); }
  std::string text(std::string_view name, std::string_view otherwise) {
    const Json* member = find(name);
    return member == nullptr ? std::string(otherwise) : as<std::string>(name, *member, "a text");
  }

  /// A text that is not empty.
  std::string pattern(std::string_view name) {
    std::string text = this->text(name);
    if (text.empty()) fail(concat(where(name), " must not be empty"));
    return text;
  }

  /// A text of one character.
  std::string character(std::string_view name) {
    std::string text = this->text(name);
    if (text.empty() || first_character(text).length != text.size()) {
      fail(concat(where(name), " must be one character, found ", in_quotes(text)));
    }
    return text;
  }

  std::size_t count(std::string_view name) {
    return static_cast<std::size_t>(as<std::uint64_t>(name, require(name), "a whole number"));
  }

  /// A number of a token.
  std::int32_t id(std::string_view name) { return id_of(require(name), where(name)); }
  static std::int32_t id_of(const Json& json, std::string_view where) {
    const auto* number = json.get_if<std::uint64_t>();
    if (number == nullptr || *number >= std::numeric_limits<std::int32_t>::max()) {
      fail(concat(where, " must be a whole number from 0 to 2147483646, found ", json_excerpt(json)));
    }
    return static_cast<std::int32_t>(*number);
  }

  const Json::Array& list(std::string_view name) { return as<Json::Array>(name, require(name), "a list"); }
  const Json::Object& object(std::string_view name) { return as<Json::Object>(name, require(name), "an object"); }

  /// A member that would change results and that only stands for nothing here: absent, null, false or an empty text.
  void expect_unused(std::string_view name) {
    const Json* member = find(name);
    if (member == nullptr || *member == Json(false) || *member == Json("")) return;
    fail(concat(where(name), " is not supported (null is), found ", json_excerpt(*member)));
  }

  /// A member that has no effect here, whatever it says: an object, or null.
  void expect_object_or_null(std::string_view name) {
    if (find(name) != nullptr) object(name);
  }

  /// Raises Error for a name that is none of `supported`, a list for people.
  [[noreturn]] void refuse(std::string_view name, std::string_view found, std::string_view supported) const {
    fail(concat(where(name), " must be one of ", supported, ", found ", in_quotes(found)));
  }

  void expect_no_others() const {
    for (const auto& [name, value] : *members_) {
      if (std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;
      fail(concat(where_, ": ", in_quotes(name), " is not known here, found ", json_excerpt(value)));
    }
  }

 private:
  template <class Value>
  const Value& as(std::string_view name, const Json& json, std::string_view expected) const {
    const auto* value = json.get_if<Value>();
    if (value == nullptr) fail(concat(where(name), " must be ", expected, ", found ", json_excerpt(json)));
    return *value;
  }

  std::string where_;
  const Json::Object* members_ = nullptr;
  std::vector<std::string> asked_;
};

/// Calls `read(element, where)` for the elements of a list.
template <class Read>
void for_each_component(JsonComponent& sequence, std::string_view name, Read&& read) {
  const Json::Array& elements = sequence.list(name);
  for (std::size_t i = 0; i < elements.size(); ++i) read(elements[i], concat(sequence.where(name), "[", i, "]"));
}

}  // namespace weft::detail
