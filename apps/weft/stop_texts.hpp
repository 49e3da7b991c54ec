// SPDX-License-Identifier: Apache-2.0
/// \file
/// Ending a text that arrives in pieces before the first of several texts in it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace apps {

/// Lets a text through until one of the given texts stands in it, and holds back an end that may become one.
class StopTexts {
 public:
  explicit StopTexts(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  /// What may be shown after this piece.
  std::string push(std::string_view piece) {
    if (found_) return {};
    held_ += piece;
    std::size_t end = std::string::npos;
    for (const std::string& stop : stops_) end = std::min(end, held_.find(stop));
    found_ = end != std::string::npos;
    return release(found_ ? end : held_.size() - longest_beginning());
  }

  /// What was held back, when nothing follows.
  std::string finish() { return found_ ? std::string() : release(held_.size()); }

  bool found() const { return found_; }

 private:
  std::string release(std::size_t count) {
    std::string text = held_.substr(0, count);
    held_.erase(0, count);
    return text;
  }

  /// The longest end of the held text with which a stop text begins.
  std::size_t longest_beginning() const {
    std::size_t longest = 0;
    for (const std::string& stop : stops_) {
      std::size_t length = std::min(stop.size() - 1, held_.size());
      while (length > longest && !held_.ends_with(std::string_view(stop).substr(0, length))) --length;
      longest = std::max(longest, length);
    }
    return longest;
  }

  std::vector<std::string> stops_;
  std::string held_;
  bool found_ = false;
};

}  // namespace apps
