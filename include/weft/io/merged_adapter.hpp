// SPDX-License-Identifier: Apache-2.0
/// \file
/// A folder of low-rank adapters on its way into the weights that it belongs to.
#pragma once

#include <algorithm>
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
  /// Raises Error for an adapter that has no place in the weights, or another shape.
  MergedAdapter(const std::string& folder, const SafetensorsSet& weights) {
    const std::string path = folder + "/adapter_config.json";
    const LoraAdapterOptions options = read_lora_options(parse_json(read_text(path), path), path);
    const SafetensorsFile file(folder + "/adapter_model.safetensors");
    for (const std::string& module : modules_of_adapters(file)) {
      const std::string name = module + ".weight";
      if (!weights.contains(name)) {
        fail(concat(weights.path(), ": there is no tensor ", in_quotes(name), ", for which ", file.path(),
                    " has an adapter"));
      }
      const SafetensorsTensor& weight = weights.tensor(name);
      if (weight.shape.size() != 2 || (weight.dtype != "F32" && weight.dtype != "BF16" && weight.dtype != "F16")) {
        fail(concat(weights.path(), ": tensor ", in_quotes(name),
                    " must be a matrix of F32, BF16 or F16 to take an adapter in, found ", weight.dtype, " of ",
                    weight.shape.size(), " extents"));
      }
      expect_rank(file, module, options);
      LoraAdapter<float> adapter(static_cast<Index>(weight.shape[1]), static_cast<Index>(weight.shape[0]), options);
      load_parameters(file, list_parameters(adapter), concat(kAdapterPrefix, module, "."));
      adapters_.emplace(name, std::move(adapter));
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
  static void add_to_row(const LoraAdapter<float>& adapter, Index row, Index column, std::span<float> elements) {
    const Index rank = adapter.options().r;
    for (Index k = 0; k < rank; ++k) {
      const auto factor = static_cast<float>(adapter.scale()) * adapter.lora_B.data()[row * rank + k];
      const float* const a = adapter.lora_A.data() + k * adapter.lora_A.extent(1) + column;
      for (std::size_t j = 0; j < elements.size(); ++j) elements[j] += factor * a[j];
    }
  }

  std::map<std::string, LoraAdapter<float>, std::less<>> adapters_;
};

}  // namespace weft::detail
