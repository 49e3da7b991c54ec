// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a tokenizer consists of.
#pragma once

#include "weft/tokenizers/added_tokens.hpp"
#include "weft/tokenizers/byte_pair_encoding.hpp"
#include "weft/tokenizers/decoder.hpp"
#include "weft/tokenizers/normalizer.hpp"
#include "weft/tokenizers/post_processor.hpp"
#include "weft/tokenizers/pre_tokenizer.hpp"

namespace weft::detail {

/// In the order in which a text passes them.
struct TokenizerParts {
  AddedTokenFinder in_given_text;
  Normalizer normalizer;
  AddedTokenFinder in_normalized_text;
  PreTokenizer pre_tokenizer;
  BytePairEncoding model;
  PostProcessor post_processor;
  Decoder decoder;
};

}  // namespace weft::detail
