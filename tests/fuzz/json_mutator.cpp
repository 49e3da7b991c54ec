// SPDX-License-Identifier: Apache-2.0
#include "fuzz/json_mutator.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/json_text.hpp"
#include "weft/io/strict_json.hpp"

namespace weft::testing {
namespace {

using detail::Json;

void collect(Json& json, std::vector<Json*>& values) {
  values.push_back(&json);
  if (auto* elements = json.get_if<Json::Array>()) {
    for (Json& element : *elements) collect(element, values);
  } else if (auto* members = json.get_if<Json::Object>()) {
    for (auto& [name, value] : *members) collect(value, values);
  }
}

Json& any_value(Json& json, Dice& dice) {
  std::vector<Json*> values;
  collect(json, values);
  return *values[dice.below(values.size())];
}

/// Values that programs stumble over.
Json odd_value(Dice& dice) {
  switch (dice.below(16)) {
    case 0:
      return nullptr;
    case 1:
      return true;
    case 2:
      return false;
    case 3:
      return 0;
    case 4:
      return 1;
    case 5:
      return -1;
    case 6:
      return std::uint64_t{1} << dice.below(64);
    case 7:
      return (std::uint64_t{1} << dice.below(64)) - 1;
    case 8:
      return -static_cast<std::int64_t>(std::uint64_t{1} << dice.below(63));
    case 9:
      return 1e308;
    case 10:
      return 0.5;
    case 11:
      return "";
    case 12:
      return "a";
    case 13:
      return Json::Array();
    case 14:
      return Json::Object();
    default:
      return static_cast<int>(dice.below(300));
  }
}

void change_number(Json& json, Dice& dice) {
  if (const auto* natural = json.get_if<std::uint64_t>()) {
    json = dice.one_in(2) ? *natural + 1 : *natural - dice.below(4);
  } else if (const auto* real = json.get_if<double>()) {
    json = *real * (dice.one_in(2) ? 2 : -1);
  } else {
    json = odd_value(dice);
  }
}

void change_array(Json::Array& elements, Dice& dice) {
  const std::size_t at = dice.below(elements.size() + 1);
  const bool removes = dice.one_in(2);
  Json::Array changed;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (i != at || !removes) changed.emplace_back(elements[i]);
    if (i == at && !removes) changed.emplace_back(elements[i]);
  }
  if (at == elements.size() && !removes) changed.emplace_back(odd_value(dice));
  elements = std::move(changed);
}

void change_object(Json::Object& members, Dice& dice) {
  if (members.empty()) {
    members["a"] = odd_value(dice);
    return;
  }
  const auto member = std::next(members.begin(), static_cast<std::ptrdiff_t>(dice.below(members.size())));
  const std::string name = member->first;
  Json value = member->second;
  const std::size_t todo = dice.below(3);
  if (todo != 0) members.erase(member);
  if (todo != 1) members[mutate_text(name)] = std::move(value);
}

void change_inside(Json& json, Dice& dice) {
  if (auto* text = json.get_if<std::string>()) {
    *text = mutate_text(std::move(*text));
  } else if (auto* elements = json.get_if<Json::Array>()) {
    change_array(*elements, dice);
  } else if (auto* members = json.get_if<Json::Object>()) {
    change_object(*members, dice);
  } else {
    change_number(json, dice);
  }
}

std::optional<Json> parsed(const std::uint8_t* data, std::size_t size) {
  try {
    return detail::parse_json({reinterpret_cast<const char*>(data), size}, "");
  } catch (const Error&) {
    return {};
  }
}

/// What does not fit is left out, and so is no JSON any longer.
std::size_t write(const Json& json, std::uint8_t* out, std::size_t max_size) {
  const std::string text = detail::json_text(json);
  const std::size_t size = std::min(text.size(), max_size);
  std::memcpy(out, text.data(), size);
  return size;
}

}  // namespace

std::string mutate_text(std::string text) {
  const std::size_t size = text.size();
  text.resize(size + 8);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, text.size()));
  return text;
}

void mutate_json(Json& json, Dice& dice) {
  Json& value = any_value(json, dice);
  switch (dice.below(6)) {
    case 0:
      value = odd_value(dice);
      break;
    case 1:
      value = Json(any_value(json, dice));
      break;
    case 2: {
      Json& other = any_value(json, dice);
      Json copy = other;
      other = Json(value);
      any_value(json, dice) = std::move(copy);  // the place of `value` may be gone
      break;
    }
    default:
      change_inside(value, dice);
  }
}

void cross_json(Json& to, Json& from, Dice& dice) { any_value(to, dice) = Json(any_value(from, dice)); }

std::size_t mutate_json_bytes(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  Dice dice(seed);
  std::optional<Json> json;
  if (!dice.one_in(8)) json = parsed(data, size);
  if (!json) return LLVMFuzzerMutate(data, size, max_size);
  for (std::size_t times = 1 + dice.below(2); times > 0; --times) mutate_json(*json, dice);
  return write(*json, data, max_size);
}

std::size_t cross_json_bytes(const std::uint8_t* first, std::size_t first_size, const std::uint8_t* second,
                             std::size_t second_size, std::uint8_t* out, std::size_t max_size, unsigned seed) {
  Dice dice(seed);
  std::optional<Json> to = parsed(first, first_size);
  std::optional<Json> from = parsed(second, second_size);
  if (!to || !from) return 0;
  cross_json(*to, *from, dice);
  return write(*to, out, max_size);
}

}  // namespace weft::testing
