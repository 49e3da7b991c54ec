// SPDX-License-Identifier: Apache-2.0
// weft chat: a conversation with a model that was taught the template of Llama 3.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include <unistd.h>

#include "weft/tokenizers/tokenizer.hpp"

#include "apps/weft/sampling_choice.hpp"
#include "apps/weft/touch_ahead.hpp"

namespace apps {

namespace {

using weft::detail::Json;

struct Options {
  std::string folder;
  std::string adapter;
  std::string system;
  SamplingChoice sampling{};
  bool json = false;
};

/// A conversation as tokens, in the template of Llama 3 (Meta, "Model Cards and Prompt formats"):
///
///     <|begin_of_text|><|start_header_id|>ROLE<|end_header_id|>\n\nTEXT<|eot_id|>...
///
/// What a text says is text, even where it spells one of these tokens.
class Conversation {
 public:
  Conversation(const weft::Tokenizer& tokenizer, const std::string& where) : tokenizer_(tokenizer) {
    std::string missing;
    for (const char* token : {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}) {
      if (tokenizer.token_id(token) < 0) missing += (missing.empty() ? "" : ", ") + std::string(token);
    }
    if (!missing.empty()) weft::fail(where + ": a chat in the template of Llama 3 needs the tokens " + missing);
    add_token("<|begin_of_text|>");
  }

  void add(std::string_view role, std::string_view text) {
    begin(role);
    constexpr std::string_view white = " \t\r\n";  // which the template takes from both ends
    const std::size_t first = std::min(text.find_first_not_of(white), text.size());
    add_text("\n\n" + std::string(text.substr(first, text.find_last_not_of(white) + 1 - first)));
    end();
  }

  /// The turn of the model, whose tokens follow.
  void begin_answer() {
    begin("assistant");
    add_text("\n\n");
  }

  void add_answer(std::span<const std::int32_t> tokens) {
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    end();
  }

  std::int32_t end_of_turn() const { return tokenizer_.token_id("<|eot_id|>"); }
  std::span<const std::int32_t> tokens() const { return tokens_; }

 private:
  void add_token(std::string_view token) { tokens_.push_back(tokenizer_.token_id(token)); }
  void add_text(const std::string& text) {
    const auto ids = tokenizer_.encode(text, {.add_special_tokens = false, .split_special_tokens = true});
    tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  }
  void begin(std::string_view role) {
    add_token("<|start_header_id|>");
    add_text(std::string(role));
    add_token("<|end_header_id|>");
  }
  void end() { add_token("<|eot_id|>"); }

  const weft::Tokenizer& tokenizer_;
  std::vector<std::int32_t> tokens_;
};

/// What the model said.
struct Answer {
  std::string text;
  std::vector<std::int32_t> tokens;  ///< without the one that ended it
  const char* ended_by = "max_new_tokens";
  double seconds = 0;
};

Answer answer(Model& model, const weft::Tokenizer& tokenizer, const Conversation& conversation, const Continuation& how,
              bool shown) {
  Answer result;
  auto decoder = tokenizer.stream(true);
  const auto show = [&](const std::string& piece) {
    result.text += piece;
    if (shown) std::cout << piece << std::flush;
  };
  const auto start = std::chrono::steady_clock::now();
  model.generate(conversation.tokens(), how, [&](std::int32_t token) {
    if (std::find(how.stop_tokens.begin(), how.stop_tokens.end(), token) != how.stop_tokens.end()) {
      result.ended_by = "end_of_turn";
      return false;
    }
    result.tokens.push_back(token);
    if (token < tokenizer.vocab_size()) show(decoder.push(token));
    if (interrupted()) result.ended_by = "interrupt";
    return !interrupted() && std::cout.good();
  });
  show(decoder.finish());
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

void report(const std::string& line, std::size_t prompt_tokens, const Answer& said) {
  const auto count = static_cast<double>(said.tokens.size());
  print_json(Json::Object{{"answer", said.text},
                          {"ended_by", said.ended_by},
                          {"prompt", line},
                          {"prompt_tokens", prompt_tokens},
                          {"tokens", Json::Array(said.tokens.begin(), said.tokens.end())},
                          {"tokens_per_second", said.seconds > 0 ? count / said.seconds : 0.0}});
}

int chat(const Options& options) {
  const std::string path = options.folder + "/tokenizer.json";
  Model model(options.folder, options.adapter);
  std::optional<TouchAhead> ahead(model);  // until there is a turn to answer
  const auto tokenizer = weft::Tokenizer::from_file(path);
  Conversation conversation(tokenizer, path);
  if (!options.system.empty()) conversation.add("system", options.system);
  Continuation usual = model.usual_continuation();
  usual.stop_tokens.push_back(conversation.end_of_turn());
  const Continuation how = options.sampling.continuation(usual);
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  std::string line;
  while (true) {
    if (terminal) std::cerr << "> " << std::flush;
    if (!std::getline(std::cin, line)) break;
    if (line.ends_with('\r')) line.pop_back();  // of a file from Windows
    if (line.empty()) continue;
    ahead.reset();
    conversation.add("user", line);
    conversation.begin_answer();
    catch_interrupt();
    const Answer said = answer(model, tokenizer, conversation, how, !options.json);
    const bool stopped = interrupted();
    release_interrupt();
    if (options.json) {
      report(line, conversation.tokens().size(), said);
    } else {
      std::cout << "\n";
      expect_printed();
    }
    model.note_length();
    conversation.add_answer(said.tokens);
    if (stopped && !terminal) return kInterrupted;
  }
  if (terminal) std::cerr << "\n";
  expect_read();
  return kDone;
}

}  // namespace

void add_chat(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand("chat", "talk with a model that knows the template of Llama 3");
  command->footer(
      "Each line of the standard input is a turn; the answer appears word by word. The end of input (Ctrl-D) ends the\n"
      "conversation. Ctrl-C ends an answer, and between answers the program. Names of special tokens in what you type "
      "are\n"
      "plain text. The tokenizer must have the tokens of the template.\n\n"
      "  weft chat llama-3-instruct --system \"Answer in one sentence.\" --temperature 0.6\n"
      "  echo \"What is a graph?\" | weft chat llama-3-instruct --json");
  const auto options = std::make_shared<Options>();
  command->add_option("DIR", options->folder, "model folder")->required()->check(some_text())->type_name("");
  command->add_option("--system", options->system, "what the model is told before the first turn");
  command->add_option("--adapter", options->adapter, "folder of low-rank adapters, of weft finetune or PEFT")
      ->check(some_text());
  options->sampling.add_to(*command, "100");
  command->add_flag("--json", options->json, "one JSON object for each turn");
  command->callback([options, &code] { code = chat(*options); });
}

}  // namespace apps
