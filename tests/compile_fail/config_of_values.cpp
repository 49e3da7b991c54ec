// SPDX-License-Identifier: Apache-2.0
// expect: is_no_value_of_this_field
#include "weft/io/named_config.hpp"

#ifdef WEFT_MUST_FAIL
constexpr auto llama = weft::config_of<weft::LlamaConfig>({{"hidden_act", {"selu"}}});
#else
constexpr auto llama = weft::config_of<weft::LlamaConfig>({{"hidden_act", {"silu"}}});
#endif
