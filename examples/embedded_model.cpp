// SPDX-License-Identifier: Apache-2.0
// A model folder as a type: weft_add_model (CMakeLists.txt) writes tiny_smollm.hpp from the folder's config.json and puts its
// weights into the program, which then needs no file.
#include <cstdio>
#include <vector>

#include <weft/io.hpp>
#include <weft/weft.hpp>

#include "tiny_smollm.hpp"

int main() {
  const auto model = weft::load_embedded<TinySmolLM>();
  const std::vector<std::int32_t> prompt{1, 2, 3};
  for (const std::int32_t token : weft::generate(model, prompt, {.max_new_tokens = 8, .stop_at_eos = false})) {
    std::printf("%d ", token);
  }
  // The same weights, from the folder.
  const auto loaded = weft::load_pretrained<TinySmolLM>(TinySmolLM::folder);
  const bool same = weft::generate(model, prompt) == weft::generate(loaded, prompt);
  std::printf("\n%s\n", same ? "as from the folder" : "not as from the folder");
  return same ? 0 : 1;
}
