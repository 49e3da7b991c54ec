// SPDX-License-Identifier: Apache-2.0
// A model folder as a type, from an installed package and from a sub-project.
#include <weft/io.hpp>
#include <weft/weft.hpp>

#include "folder_model.hpp"

static_assert(FolderModel::llama.vocab_size == 97);

int main() {
  const auto model = weft::load_pretrained<FolderModel>(FolderModel::folder);
  return model.vocab_size() == 97 ? 0 : 1;
}
