// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tokenizers: tokenizer.json, read and trained. Needs RapidJSON and PCRE2.
#pragma once

#include "weft/tokenizers/tokenizer.hpp"
#include "weft/tokenizers/train_bpe.hpp"
