// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tokens by their texts and by their numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/json_text.hpp"
#include "weft/tensor/error.hpp"
#include "weft/tokenizers/position_index.hpp"

namespace weft::detail {

/// The tokens of a model. Their texts stand in one string, and all else refers to it by positions: it can be copied and moved.
class Vocabulary {
 public:
  /// Raises Error for a text or a number that is there already.
  /// \param where  the vocabulary's place in a file, for messages
  void add(std::string_view text, std::int32_t id, std::string_view where) {
    if (!by_text_.has_room_for(entries_.size() + 1)) grow();
    std::uint32_t& of_text = by_text_.place(hash_of(text), [&](std::uint32_t i) { return text_at(i) == text; });
    if (of_text != PositionIndex::kNone) fail(concat(where, ": the key ", in_quotes(text), " must not appear twice"));
    std::uint32_t& of_id = by_id_.place(hash_of(id), [&](std::uint32_t i) { return entries_[i].id == id; });
    if (of_id != PositionIndex::kNone) {
      fail(concat(where, " has ", id, " for ", in_quotes(text_at(of_id)), " and for ", in_quotes(text)));
    }
    if (text.size() > std::numeric_limits<std::uint32_t>::max() - texts_.size()) {
      fail(concat(where, " must have less than 4 GiB of text"));
    }
    of_text = of_id = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back({static_cast<std::uint32_t>(texts_.size()), static_cast<std::uint32_t>(text.size()), id});
    texts_ += text;
    end_id_ = std::max(end_id_, id + 1);
  }

  /// The token's number; -1 where there is none.
  std::int32_t id_of(std::string_view token) const {
    const std::uint32_t at = by_text_.find(hash_of(token), [&](std::uint32_t i) { return text_at(i) == token; });
    return at == PositionIndex::kNone ? -1 : entries_[at].id;
  }

  /// The token of a number, if there is one; valid as long as this object.
  std::optional<std::string_view> text_of(std::int32_t id) const {
    const std::uint32_t at = by_id_.find(hash_of(id), [&](std::uint32_t i) { return entries_[i].id == id; });
    if (at == PositionIndex::kNone) return {};
    return text_at(at);
  }

  std::size_t size() const { return entries_.size(); }
  std::string_view text_at(std::size_t i) const {
    return std::string_view(texts_).substr(entries_[i].begin, entries_[i].size);
  }

  /// One more than the largest number.
  std::int32_t end_id() const { return end_id_; }

 private:
  struct Entry {
    std::uint32_t begin;
    std::uint32_t size;
    std::int32_t id;
  };

  static std::size_t hash_of(std::string_view text) { return std::hash<std::string_view>()(text); }
  static std::size_t hash_of(std::int32_t id) { return hash_of_number(static_cast<std::uint32_t>(id)); }

  void grow() {
    by_text_ = by_id_ = PositionIndex(2 * entries_.size() + 1);
    const auto never = [](std::uint32_t) { return false; };
    for (std::uint32_t i = 0; i < entries_.size(); ++i) {
      by_text_.place(hash_of(text_at(i)), never) = i;
      by_id_.place(hash_of(entries_[i].id), never) = i;
    }
  }

  std::string texts_;
  std::vector<Entry> entries_;
  PositionIndex by_text_;
  PositionIndex by_id_;
  std::int32_t end_id_ = 0;
};

}  // namespace weft::detail
