// SPDX-License-Identifier: Apache-2.0
/// \file
/// What stands beside a tokenizer.json: which token begins a text, which ends it, and so on.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/json_text.hpp"
#include "weft/io/text_file.hpp"

namespace weft {

/// What tokens are for, as Hugging Face's library wants to know it. The defaults are those of the reference; empty: there is
/// no such token.
struct TokenizerRoles {
  std::string bos_token = "<|begin_of_text|>";
  std::string eos_token = "<|eot_id|>";
  std::string pad_token = "<|pad|>";
  std::string unk_token = "<|unk|>";  ///< stands in no text: every byte has a token
  std::string mask_token = "<|mask|>";
  std::vector<std::string> additional_special_tokens{"<|sequence|>", "<|/sequence|>"};
};

/// The files beside a tokenizer.json, to be written back with it: JSON texts, empty where there is no file.
struct TokenizerRemainder {
  std::string tokenizer_config{};    ///< all of tokenizer_config.json
  std::string special_tokens_map{};  ///< all of special_tokens_map.json
};

namespace detail {

/// Calls `visit(role, token)` for every role that has a token.
template <class Visit>
void for_each_role(const TokenizerRoles& roles, Visit&& visit) {
  const std::pair<std::string_view, const std::string&> tokens[]{{"bos_token", roles.bos_token},
                                                                 {"eos_token", roles.eos_token},
                                                                 {"pad_token", roles.pad_token},
                                                                 {"unk_token", roles.unk_token},
                                                                 {"mask_token", roles.mask_token}};
  for (const auto& [role, token] : tokens) {
    if (!token.empty()) visit(role, token);
  }
  for (const std::string& token : roles.additional_special_tokens) visit("additional_special_tokens", token);
}

/// Whether all roles that have a token have one of these.
inline bool are_roles_of(const TokenizerRoles& roles, std::span<const std::string> tokens) {
  bool all = true;
  for_each_role(roles, [&](std::string_view, const std::string& token) {
    all &= std::find(tokens.begin(), tokens.end(), token) != tokens.end();
  });
  return all;
}

/// The files that say these roles, with the reference's settings. The class is the one that takes tokenizer.json as it is:
/// the reference's own, LlamaTokenizerFast, makes a tokenizer of characters of it in some versions of that library, and adds
/// "<s>" and the like beyond the vocabulary for roles that nobody has (quirk K2).
inline TokenizerRemainder role_files(const TokenizerRoles& roles) {
  const auto& additional = roles.additional_special_tokens;
  Json::Object map{{"additional_special_tokens", Json::Array(additional.begin(), additional.end())}};
  Json::Object config{{"clean_up_tokenization_spaces", true},
                      {"model_input_names", Json::Array{"input_ids", "attention_mask"}},
                      {"padding_side", "right"},
                      {"tokenizer_class", "PreTrainedTokenizerFast"}};
  for_each_role(roles, [&](std::string_view role, const std::string& token) {
    if (role != "additional_special_tokens") map.insert_or_assign(std::string(role), token);
  });
  for (const auto& [role, tokens] : map) config.insert_or_assign(role, tokens);
  return {json_lines(config) + "\n", json_lines(map) + "\n"};
}

/// What stands beside a file that is called tokenizer.json.
inline TokenizerRemainder read_files_beside(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  if (path.substr(folder.size()) != "tokenizer.json") return {};
  return {read_text_if_any(folder + "tokenizer_config.json"), read_text_if_any(folder + "special_tokens_map.json")};
}

}  // namespace detail
}  // namespace weft
