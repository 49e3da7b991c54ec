// SPDX-License-Identifier: Apache-2.0
// One model folder as a type. Compiled once for each folder, with WEFT_TYPED_HEADER and WEFT_TYPED_NAME of weft_add_model.
#include WEFT_TYPED_HEADER

#include "parity/model_case.hpp"
#include "parity/transformers_case.hpp"
#include "typed/logits.hpp"
#include "typed/typed_models.hpp"

namespace {

void compare(const std::string& folder, parity::GoldenCase& golden) {
#if WEFT_TYPED_PLAIN
  parity::run_transformers_model<WEFT_TYPED_NAME>(folder, golden);
#else
  parity::run_model<WEFT_TYPED_NAME>(folder, golden);
#endif
}

[[maybe_unused]] const auto& registered = weft::testing::typed_models().emplace_back(
    weft::testing::TypedModel{WEFT_TYPED_NAME::folder, &compare, &weft::testing::golden_logits<WEFT_TYPED_NAME>});

}  // namespace
