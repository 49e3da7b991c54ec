// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parts of a tokenizer out of a tokenizer.json (Hugging Face tokenizers).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tokenizers/added_tokens.hpp"
#include "weft/tokenizers/decoder.hpp"
#include "weft/tokenizers/json_component.hpp"
#include "weft/tokenizers/normal_form.hpp"
#include "weft/tokenizers/normalizer.hpp"
#include "weft/tokenizers/pattern_translator.hpp"
#include "weft/tokenizers/post_processor.hpp"
#include "weft/tokenizers/pre_tokenizer.hpp"
#include "weft/tokenizers/regular_expression.hpp"
#include "weft/tokenizers/split_step.hpp"

namespace weft::detail {

inline Normalizer::Step read_replace(JsonComponent& component) {
  JsonComponent pattern(component.require("pattern"), component.where("pattern"));
  std::string content = component.text("content");
  Normalizer::Step step;
  if (pattern.find("Regex") != nullptr) {
    step = ReplaceMatchesStep{std::make_shared<RegularExpression>(pattern.pattern("Regex"), pattern.where("Regex")),
                              std::move(content)};
  } else {
    step = ReplaceStep{pattern.pattern("String"), std::move(content)};
  }
  pattern.expect_no_others();
  return step;
}

inline void read_normalizer(const Json& json, const std::string& where, Normalizer& normalizer) {
  JsonComponent component(json, where);
  const std::string type = component.text("type");
  if (type == "Sequence") {
    for_each_component(component, "normalizers",
                       [&](const Json& inner, const std::string& at) { read_normalizer(inner, at, normalizer); });
  } else if (type == "Prepend") {
    normalizer.add(PrependStep{component.text("prepend")});
  } else if (type == "Replace") {
    normalizer.add(read_replace(component));
  } else if (const auto* form = find_normal_form(type)) {
    normalizer.add(NormalFormStep(*form));
  } else {
    component.refuse("type", type, "Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD");
  }
  component.expect_no_others();
}

inline PrependScheme read_prepend_scheme(JsonComponent& component) {
  const bool in_front = component.truth("add_prefix_space", true);  // as older files say it
  const std::string scheme = component.text("prepend_scheme", in_front ? "always" : "never");
  if (!in_front && scheme != "never") {
    fail(concat(component.where("prepend_scheme"), " must be \"never\" where add_prefix_space is false, found ",
                in_quotes(scheme)));
  }
  if (scheme == "always") return PrependScheme::always;
  if (scheme == "first") return PrependScheme::first;
  if (scheme == "never") return PrependScheme::never;
  component.refuse("prepend_scheme", scheme, "always, first, never");
}

inline SplitBehavior read_split_behavior(JsonComponent& component) {
  const std::string name = component.text("behavior");
  std::string names;
  for (const auto& [known, behavior] : kSplitBehaviors) {
    if (name == known) return behavior;
    names += concat(names.empty() ? "" : ", ", known);
  }
  component.refuse("behavior", name, names);
}

/// What a `Split` looks for: an expression, or a text as it is.
inline std::shared_ptr<const RegularExpression> read_split_pattern(JsonComponent& component) {
  JsonComponent pattern(component.require("pattern"), component.where("pattern"));
  const bool is_text = pattern.find("String") != nullptr;
  const std::string expression = is_text ? as_pattern(pattern.pattern("String")) : pattern.text("Regex");
  pattern.expect_no_others();
  return std::make_shared<RegularExpression>(expression, pattern.where(is_text ? "String" : "Regex"));
}

inline SplitStep read_split(JsonComponent& component) {
  const SplitBehavior behavior = read_split_behavior(component);
  return SplitStep(read_split_pattern(component), behavior, component.truth("invert", false));
}

/// `Digits` is a `Split` by numbers of every script (the class N of Unicode), each by itself or in a row.
inline SplitStep read_digits(JsonComponent& component) {
  const std::string_view pattern = component.truth("individual_digits", false) ? "\\p{N}" : "\\p{N}+";
  return SplitStep(std::make_shared<RegularExpression>(pattern, component.where()));
}

/// `Whitespace` takes words, which are letters, marks, numbers and connectors, and what else lies between spaces.
inline SplitStep read_whitespace(const JsonComponent& component) {
  constexpr std::string_view pattern =
      R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\s]+)";
  return SplitStep(std::make_shared<RegularExpression>(pattern, component.where()), SplitBehavior::removed, true);
}

inline SplitStep read_whitespace_split(const JsonComponent& component) {
  return SplitStep(std::make_shared<RegularExpression>("\\s", component.where()), SplitBehavior::removed);
}

/// `Punctuation` is that of Unicode (the class P) and of ASCII, which Unicode has in part among symbols.
inline SplitStep read_punctuation(JsonComponent& component) {
  const SplitBehavior behavior =
      component.find("behavior") == nullptr ? SplitBehavior::isolated : read_split_behavior(component);
  return SplitStep(std::make_shared<RegularExpression>(R"([\p{P}$+<=>\^`|~])", component.where()), behavior);
}

inline ByteLevelStep read_byte_level(JsonComponent& component) {
  ByteLevelStep step{component.truth("add_prefix_space", true)};
  component.truth("trim_offsets", true);  // of effect in a post-processor only
  if (component.truth("use_regex", true)) {
    step.split.emplace(std::make_shared<RegularExpression>(kByteLevelPattern, component.where()));
  }
  return step;
}

/// \return  whether words are bytes from here on, which has to be said last
inline bool read_pre_tokenizer(const Json& json, const std::string& where, PreTokenizer& pre_tokenizer) {
  JsonComponent component(json, where);
  const std::string type = component.text("type");
  bool byte_level = false;
  if (type == "Sequence") {
    for_each_component(component, "pretokenizers", [&](const Json& inner, const std::string& at) {
      if (byte_level) fail(concat(at, ": nothing may follow ByteLevel"));
      byte_level = read_pre_tokenizer(inner, at, pre_tokenizer);
    });
  } else if (type == "Split") {
    pre_tokenizer.add(read_split(component));
  } else if (type == "Digits") {
    pre_tokenizer.add(read_digits(component));
  } else if (type == "Whitespace") {
    pre_tokenizer.add(read_whitespace(component));
  } else if (type == "WhitespaceSplit") {
    pre_tokenizer.add(read_whitespace_split(component));
  } else if (type == "Punctuation") {
    pre_tokenizer.add(read_punctuation(component));
  } else if (type == "ByteLevel") {
    pre_tokenizer.add(read_byte_level(component));
    byte_level = true;
  } else if (type == "Metaspace") {
    const PrependScheme scheme = read_prepend_scheme(component);
    pre_tokenizer.add(MetaspaceStep{component.character("replacement"), scheme, component.truth("split", true)});
    component.find("str_rep");  // the replacement once more, in older files
  } else {
    component.refuse("type", type,
                     "Sequence, Split, Digits, Whitespace, WhitespaceSplit, Punctuation, ByteLevel, Metaspace");
  }
  component.expect_no_others();
  return byte_level;
}

inline void read_decoder(const Json& json, const std::string& where, Decoder& decoder) {
  using Kind = DecoderStep::Kind;
  JsonComponent component(json, where);
  const std::string type = component.text("type");
  if (type == "Sequence") {
    for_each_component(component, "decoders",
                       [&](const Json& inner, const std::string& at) { read_decoder(inner, at, decoder); });
  } else if (type == "ByteLevel") {
    for (const char* name : {"add_prefix_space", "trim_offsets", "use_regex"}) component.truth(name, true);
    decoder.add({.kind = Kind::byte_level});
  } else if (type == "ByteFallback") {
    decoder.add({.kind = Kind::byte_fallback});
  } else if (type == "Fuse") {
    decoder.add({.kind = Kind::fuse});
  } else if (type == "Replace") {
    JsonComponent pattern(component.require("pattern"), component.where("pattern"));
    decoder.add({.kind = Kind::replace, .pattern = pattern.pattern("String"), .content = component.text("content")});
    pattern.expect_no_others();
  } else if (type == "Strip") {
    const std::string content = component.character("content");
    decoder.add(
        {.kind = Kind::strip, .content = content, .start = component.count("start"), .stop = component.count("stop")});
  } else if (type == "Metaspace") {
    const PrependScheme scheme = read_prepend_scheme(component);
    component.truth("split", true);
    component.find("str_rep");
    decoder.add({.kind = Kind::metaspace, .pattern = component.character("replacement"), .prepend = scheme});
  } else {
    component.refuse("type", type, "Sequence, ByteLevel, ByteFallback, Fuse, Replace (of a String), Strip, Metaspace");
  }
  component.expect_no_others();
}

/// The ids that `special_tokens` of a template gives to a name.
inline std::vector<std::int32_t> template_ids(const Json::Object& tokens, const std::string& name,
                                              const std::string& where) {
  const auto found = tokens.find(name);
  if (found == tokens.end()) fail(concat(where, ".special_tokens has no ", in_quotes(name)));
  JsonComponent token(found->second, concat(where, ".special_tokens.", in_quotes(name)));
  std::vector<std::int32_t> ids;
  for (const Json& id : token.list("ids")) ids.push_back(JsonComponent::id_of(id, token.where("ids")));
  return ids;
}

/// Of a template. Every text has all of them, and a file may name one list of numbers again and again.
inline constexpr std::size_t kMostTemplateTokens = 256;

inline void read_template(JsonComponent& component, PostProcessor& processor) {
  const Json::Object& tokens = component.object("special_tokens");
  component.find("pair");  // for two texts at once, which nothing here encodes
  bool sequence_seen = false;
  for_each_component(component, "single", [&](const Json& inner, const std::string& at) {
    JsonComponent piece(inner, at);
    if (const Json* special = piece.find("SpecialToken")) {
      const std::string name = JsonComponent(*special, piece.where("SpecialToken")).text("id");
      for (const std::int32_t id : template_ids(tokens, name, component.where())) {
        (sequence_seen ? processor.after : processor.before).push_back(id);
        if (processor.before.size() + processor.after.size() > kMostTemplateTokens) {
          fail(concat(at, ": a template must have at most ", kMostTemplateTokens, " special tokens, found more"));
        }
      }
    } else {
      piece.require("Sequence");
      if (std::exchange(sequence_seen, true)) fail(concat(at, ": one Sequence is expected, found another"));
    }
    piece.expect_no_others();
  });
  if (!sequence_seen) fail(concat(component.where("single"), " must have a Sequence"));
}

inline void read_post_processor(const Json& json, const std::string& where, PostProcessor& processor) {
  JsonComponent component(json, where);
  const std::string type = component.text("type");
  if (type == "Sequence") {
    for_each_component(component, "processors",
                       [&](const Json& inner, const std::string& at) { read_post_processor(inner, at, processor); });
  } else if (type == "ByteLevel") {
    processor.add_prefix_space = component.truth("add_prefix_space", true);
    processor.trims_offsets = component.truth("trim_offsets", true);
    component.truth("use_regex", true);
  } else if (type == "TemplateProcessing") {
    if (!processor.before.empty() || !processor.after.empty()) fail(concat(where, ": one template is supported"));
    read_template(component, processor);
  } else {
    component.refuse("type", type, "Sequence, ByteLevel, TemplateProcessing");
  }
  component.expect_no_others();
}

}  // namespace weft::detail
