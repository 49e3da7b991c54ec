// SPDX-License-Identifier: Apache-2.0
// weft tokenize: a text as tokens, and back.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>

#include "weft/tokenizers/tokenizer.hpp"

#include "apps/support/arguments.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/text_codec.hpp"

namespace apps {

namespace {

using weft::detail::Json;

struct Options {
  std::string tokenizer;
  std::optional<std::string> first_word;
  std::vector<std::string> further_words;
  std::optional<std::string> file;
  bool ids = false;
  bool decode = false;
  bool no_special = false;
  bool json = false;

  /// The words between blanks, the file, or what comes in.
  std::string text() const {
    if (file) return weft::read_text(*file);
    if (!first_word) return read_input();
    std::string joined = *first_word;
    for (const std::string& word : further_words) joined += " " + word;
    return joined;
  }
};

void decode(const Options& options, const weft::Tokenizer& tokenizer) {
  const std::vector<std::int32_t> ids = read_ids(options.text(), "--decode");
  const std::string text = tokenizer.decode(ids, {.skip_special_tokens = options.no_special});
  if (options.json) return print_json(Json::Object{{"text", text}});
  std::cout << text << "\n";
}

Json tokens_json(const weft::Tokenizer& tokenizer, const weft::Encoding& encoding) {
  Json::Array tokens;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    tokens.emplace_back(Json::Object{{"begin", encoding.offsets[i].begin},
                                     {"end", encoding.offsets[i].end},
                                     {"id", encoding.ids[i]},
                                     {"token", tokenizer.token(encoding.ids[i])}});
  }
  return Json::Object{{"tokens", std::move(tokens)}};
}

void print_table(const weft::Tokenizer& tokenizer, const weft::Encoding& encoding) {
  std::cout << "      id     begin       end  token\n";
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, "%8d  %8zu  %8zu  ", static_cast<int>(encoding.ids[i]),
                  encoding.offsets[i].begin, encoding.offsets[i].end);
    std::cout << numbers << weft::detail::json_text(Json(tokenizer.token(encoding.ids[i]))) << "\n";
  }
}

void encode(const Options& options, const weft::Tokenizer& tokenizer) {
  const std::string text = options.text();
  const weft::EncodeOptions how{.add_special_tokens = !options.no_special};
  if (options.ids) {
    const std::vector<std::int32_t> ids = tokenizer.encode(text, how);
    if (options.json) return print_json(Json::Object{{"ids", Json::Array(ids.begin(), ids.end())}});
    std::cout << ids_text(ids) << "\n";
    return;
  }
  const weft::Encoding encoding = tokenizer.encode_with_offsets(text, how);
  if (options.json) return print_json(tokens_json(tokenizer, encoding));
  print_table(tokenizer, encoding);
}

int tokenize(const Options& options) {
  const auto tokenizer = weft::Tokenizer::from_file(tokenizer_path(options.tokenizer));
  if (options.decode) {
    decode(options, tokenizer);
  } else {
    encode(options, tokenizer);
  }
  expect_printed();
  return kDone;
}

/// The words behind the first. (An option of several values would take the word "[1,2]" for two.)
std::vector<std::string> further_words(const CLI::App& command) {
  std::vector<std::string> words = command.remaining();
  const auto marker = std::find(words.begin(), words.end(), "--");
  const auto option =
      std::find_if(words.begin(), marker, [](const std::string& word) { return word.starts_with('-'); });
  if (option != marker) throw CLI::ExtrasError(std::vector<std::string>{*option});
  if (marker != words.end()) words.erase(marker);
  return words;
}

}  // namespace

void add_tokenize(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand("tokenize", "show the tokens of a text, or the text of tokens");
  command->footer(
      "Several words are joined by blanks. Without TEXT and --file the standard input is read, to the last byte.\n"
      "Begin and end are bytes of the text; tokens that were added to it have none.\n\n"
      "  weft tokenize llama \"In the beginning\"\n"
      "  weft tokenize llama/tokenizer.json --ids --file genesis.txt | weft tokenize llama --decode");
  const auto options = std::make_shared<Options>();
  command->add_option("TOKENIZER", options->tokenizer, "tokenizer.json, or the folder that holds it")
      ->required()
      ->check(some_text())
      ->type_name("");
  CLI::Option* words = command->add_option("TEXT", options->first_word, "what to take apart; with --decode, numbers");
  words->type_name("");
  command->allow_extras();
  command->add_option("--file", options->file, "read the text from a file")->check(some_text())->excludes(words);
  CLI::Option* ids = command->add_flag("--ids", options->ids, "numbers only, on one line");
  command->add_flag("--decode", options->decode, "from numbers to a text")->excludes(ids);
  command->add_flag("--no-special", options->no_special, "add no special tokens; with --decode, leave them out");
  command->add_flag("--json", options->json, "one JSON object");
  command->callback([options, command, &code] {
    options->further_words = further_words(*command);
    code = tokenize(*options);
  });
}

}  // namespace apps
