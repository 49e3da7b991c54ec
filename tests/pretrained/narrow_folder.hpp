// SPDX-License-Identifier: Apache-2.0
/// \file
/// Model folders for the tests, whose weights are bf16.
#pragma once

#include <string>
#include <vector>

#include "weft/io/pretrained.hpp"

#include "models/tiny_models.hpp"
#include "support/temporary_folder.hpp"

namespace weft::testing {

/// A model folder with bf16 weights.
template <class Config>
class NarrowFolder {
 public:
  explicit NarrowFolder(std::uint64_t seed = 1) {
    auto model = random_model<Config>(seed);
    save_pretrained(model, folder_.path());
    std::vector<std::vector<bf16>> narrow;
    SafetensorsWriter writer;
    for (const AnyParameter& parameter : list_parameters(model)) {
      const auto* values = static_cast<const float*>(parameter.values());
      narrow.emplace_back(values, values + parameter.size());
      parameter.use_bf16(narrow.back().data(), nullptr);
      writer.add_parameter(parameter.name().name, parameter);
    }
    writer.write(folder_ / "model.safetensors");
  }

  std::string path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

/// How many of a model's parameters are bf16 in memory.
template <class Model>
Index kept_as_bf16(Model& model) {
  Index count = 0;
  for (const AnyParameter& parameter : list_parameters(model)) count += parameter.bf16_data() != nullptr ? 1 : 0;
  return count;
}

}  // namespace weft::testing
