// SPDX-License-Identifier: Apache-2.0
/// \file
/// The list of a JSON array.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

namespace weft::detail {

/// A list that grows by pieces and never moves its elements to a larger place: an element of a file takes two bytes, a value
/// several times as many, and no allocation shall be much larger than the file.
template <class Value>
class JsonList {
 public:
  JsonList() = default;
  JsonList(std::initializer_list<Value> values) : JsonList(values.begin(), values.end()) {}
  template <class Iterator>
  JsonList(Iterator begin, Iterator end) {
    for (; begin != end; ++begin) emplace_back(*begin);
  }

  std::size_t size() const { return pieces_.empty() ? 0 : (pieces_.size() - 1) * kPiece + pieces_.back().size(); }
  bool empty() const { return pieces_.empty(); }

  Value& operator[](std::size_t i) { return pieces_[i / kPiece][i % kPiece]; }
  const Value& operator[](std::size_t i) const { return pieces_[i / kPiece][i % kPiece]; }

  template <class... Arguments>
  Value& emplace_back(Arguments&&... arguments) {
    if (pieces_.empty() || pieces_.back().size() == kPiece) {
      const bool goes_on = !pieces_.empty();
      pieces_.emplace_back();
      if (goes_on) pieces_.back().reserve(kPiece);
    }
    return pieces_.back().emplace_back(std::forward<Arguments>(arguments)...);
  }
  void push_back(Value value) { emplace_back(std::move(value)); }

  /// Goes through a list from front to back.
  template <class List, class Element>
  class Iterator {
   public:
    Iterator(List& list, std::size_t at) : list_(&list), at_(at) {}
    Element& operator*() const { return (*list_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    List* list_;
    std::size_t at_;
  };

  auto begin() { return Iterator<JsonList, Value>(*this, 0); }
  auto end() { return Iterator<JsonList, Value>(*this, size()); }
  auto begin() const { return Iterator<const JsonList, const Value>(*this, 0); }
  auto end() const { return Iterator<const JsonList, const Value>(*this, size()); }

  friend bool operator==(const JsonList& a, const JsonList& b) { return a.pieces_ == b.pieces_; }

 private:
  static constexpr std::size_t kPiece = 64;  ///< all pieces but the last have as many elements

  std::vector<std::vector<Value>> pieces_;
};

}  // namespace weft::detail
