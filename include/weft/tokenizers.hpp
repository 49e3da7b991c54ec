// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tokenizers: tokenizer.json, read and trained. Needs RapidJSON, PCRE2 and utf8proc.
#pragma once

#include "weft/tokenizers/tokenizer.hpp"
#include "weft/tokenizers/train_bpe.hpp"
