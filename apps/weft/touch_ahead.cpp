// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/touch_ahead.hpp"

#include <cstddef>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

namespace apps {

namespace {

/// The elements of a parameter as they lie in memory.
std::span<const std::byte> bytes_of(const weft::AnyParameter& parameter) {
  const auto count = static_cast<std::size_t>(parameter.size());
  if (const weft::bf16* narrow = parameter.bf16_data()) return std::as_bytes(std::span(narrow, count));
  return std::as_bytes(std::span(static_cast<const float*>(parameter.values()), count));
}

void touch(const std::stop_token& stop, const std::vector<std::span<const std::byte>>& weights) {
  constexpr std::size_t step = 65536;  // Linux maps so much around a page that is touched, of what it has in its cache
  for (const std::span<const std::byte> bytes : weights) {
    const volatile std::byte* const memory = bytes.data();
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      if (stop.stop_requested()) return;
      [[maybe_unused]] const std::byte touched = memory[at];
    }
  }
}

}  // namespace

TouchAhead::TouchAhead(const Model& model) {
  std::vector<std::span<const std::byte>> weights;
  for (const weft::AnyParameter& parameter : model.parameters()) weights.push_back(bytes_of(parameter));
  thread_ = std::jthread([weights = std::move(weights)](const std::stop_token& stop) { touch(stop, weights); });
}

}  // namespace apps
