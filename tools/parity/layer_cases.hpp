// SPDX-License-Identifier: Apache-2.0
/// \file
/// The classes of the reference whose golden files can be run, by name.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "parity/golden_case.hpp"

namespace parity {

/// Class name of the reference to the function that runs its golden files.
using LayerCases = std::map<std::string, std::function<void(GoldenCase&)>>;

void add_llama_cases(LayerCases& cases);
void add_gin_cases(LayerCases& cases);
void add_decoder_cases(LayerCases& cases);
void add_graph_cases(LayerCases& cases);
void add_perceiver_cases(LayerCases& cases);
void add_mlp_cases(LayerCases& cases);
void add_pna_cases(LayerCases& cases);

inline LayerCases layer_cases() {
  LayerCases cases;
  add_llama_cases(cases);
  add_gin_cases(cases);
  add_decoder_cases(cases);
  add_graph_cases(cases);
  add_perceiver_cases(cases);
  add_mlp_cases(cases);
  add_pna_cases(cases);
  return cases;
}

}  // namespace parity
