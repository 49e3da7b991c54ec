// SPDX-License-Identifier: Apache-2.0
/// \file
/// A folder of low-rank adapters on its way into the weights that it belongs to.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "weft/io/lora_folder.hpp"

namespace weft::detail {

/// Adds to the weights of files what adapters learned, W + s B A, wherever in a tensor one works just now.
class MergedAdapter {
 public:
  /// Raises Error for an adapter that has no place in the weights, or another shape, and for other weights beside it than these.
  /// \param tied  whether the model takes its embedding for lm_head, whatever the files have
  MergedAdapter(const std::string& folder, const SafetensorsSet& weights, bool tied) {
    const LoraFolder adapters(folder);
    adapters.expect_repeated([&](const std::string& name, auto&& compare) {
      if (!weights.contains(name)) return false;
      compare(stored_weight(weights.tensor(name)));
      return true;
    });
    for (const std::string& module : adapters.modules()) {
      const SafetensorsTensor& weight = weight_of(module, adapters.path(), weights, tied);
      adapters_.emplace(weight.name, adapters.adapter<LoraAdapter<float>>(module, weight.shape[1], weight.shape[0]));
    }
  }

  /// Whether a tensor has an adapter.
  bool changes(std::string_view tensor) const { return adapters_.contains(tensor); }

  /// To a part of such a tensor, the elements from `first` on in the order of the file.
  void add_to(std::string_view tensor, std::size_t first, std::span<float> elements) const {
    const LoraAdapter<float>& adapter = adapters_.find(tensor)->second;
    const auto in = static_cast<std::size_t>(adapter.lora_A.extent(1));
    while (!elements.empty()) {
      const std::size_t column = first % in;
      const std::size_t count = std::min(in - column, elements.size());
      add_to_row(adapter, static_cast<Index>(first / in), static_cast<Index>(column), elements.first(count));
      first += count;
      elements = elements.subspan(count);
    }
  }

 private:
  static const SafetensorsTensor& weight_of(const std::string& module, const std::string& adapters,
                                            const SafetensorsSet& weights, bool tied) {
    const std::string name = module + ".weight";
    if (!weights.contains(name) || (tied && module == "lm_head")) {
      fail(concat(weights.path(), ": the model has no tensor ", in_quotes(name), " of its own, for which ", adapters,
                  " has an adapter"));
    }
    const SafetensorsTensor& weight = weights.tensor(name);
    if (weight.shape.size() != 2 || (weight.dtype != "F32" && weight.dtype != "BF16" && weight.dtype != "F16")) {
      fail(concat(weights.path(), ": tensor ", in_quotes(name),
                  " must be a matrix of F32, BF16 or F16 to take an adapter in, found ", weight.type_text()));
    }
    return weight;
  }

  /// The products are summed before they meet the weight.
  static void add_to_row(const LoraAdapter<float>& adapter, Index row, Index column, std::span<float> elements) {
    const Index rank = adapter.options().r;
    while (!elements.empty()) {
      std::array<float, 256> sums{};
      const std::size_t count = std::min(sums.size(), elements.size());
      for (Index k = 0; k < rank; ++k) {
        const float factor = adapter.lora_B.data()[row * rank + k];
        const float* const a = adapter.lora_A.data() + k * adapter.lora_A.extent(1) + column;
        for (std::size_t j = 0; j < count; ++j) sums[j] += factor * a[j];
      }
      const auto scale = static_cast<float>(adapter.scale());
      for (std::size_t j = 0; j < count; ++j) elements[j] += scale * sums[j];
      column += static_cast<Index>(count);
      elements = elements.subspan(count);
    }
  }

  std::map<std::string, LoraAdapter<float>, std::less<>> adapters_;
};

}  // namespace weft::detail
