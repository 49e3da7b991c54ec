// SPDX-License-Identifier: Apache-2.0
// expect: is_no_field_of_this_configuration
#include "weft/io/named_config.hpp"

#ifdef WEFT_MUST_FAIL
constexpr auto llama = weft::config_of<weft::LlamaConfig>({{"vocabulary_size", {300}}});
#else
constexpr auto llama = weft::config_of<weft::LlamaConfig>({{"vocab_size", {300}}});
#endif
