// SPDX-License-Identifier: Apache-2.0
// weft generate: a model continues a text.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include "apps/weft/sampling_choice.hpp"
#include "apps/weft/stop_texts.hpp"
#include "apps/weft/text_codec.hpp"
#include "apps/weft/touch_ahead.hpp"

namespace apps {

namespace {

using weft::detail::Json;

struct Options {
  std::string folder;
  std::string adapter;
  std::optional<std::string> prompt;
  SamplingChoice sampling{};
  std::vector<std::string> stops;
  bool ids = false;
  bool keep_special_tokens = false;
  bool json = false;
};

/// What came of it.
struct Result {
  std::string text;
  std::vector<std::int32_t> tokens;
  const char* ended_by = "max_new_tokens";
  double seconds = 0;
};

/// Shows a part of the answer as soon as it is there, and collects it.
void show(const Options& options, Result& result, const std::string& part) {
  result.text += part;
  if (!options.json && !part.empty()) std::cout << part << std::flush;
}

/// Runs the model; `deliver(token)` returns false where the answer is complete.
template <class Deliver>
void run(Model& model, const Options& options, const std::vector<std::int32_t>& prompt, Result& result,
         Deliver&& deliver) {
  const Continuation how = options.sampling.continuation(model.usual_continuation());
  catch_interrupt();
  const auto start = std::chrono::steady_clock::now();
  model.generate(prompt, how, [&](std::int32_t token) {
    result.tokens.push_back(token);
    const bool goes_on = deliver(token);
    if (interrupted()) {
      result.ended_by = "interrupt";
    } else if (!goes_on) {
      result.ended_by = "stop";
    } else if (std::find(how.stop_tokens.begin(), how.stop_tokens.end(), token) != how.stop_tokens.end()) {
      result.ended_by = "eos_token_id";
    }
    return goes_on && !interrupted() && std::cout.good();
  });
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Result continue_ids(Model& model, const Options& options, const std::vector<std::int32_t>& prompt) {
  std::vector<std::int32_t> stops;
  for (const std::string& stop : options.stops) {
    for (const std::int32_t id : read_ids(stop, "--stop")) stops.push_back(id);
  }
  Result result;
  run(model, options, prompt, result, [&](std::int32_t token) {
    if (std::find(stops.begin(), stops.end(), token) != stops.end()) return false;
    show(options, result, (result.text.empty() ? "" : " ") + std::to_string(token));
    return true;
  });
  return result;
}

Result continue_text(Model& model, const Options& options, const TextCodec& codec,
                     const std::vector<std::int32_t>& prompt) {
  const auto decode = codec.stream(options.keep_special_tokens);
  StopTexts stops(options.stops);
  Result result;
  run(model, options, prompt, result, [&](std::int32_t token) {
    show(options, result, stops.push(decode(token)));
    return !stops.found();
  });
  show(options, result, stops.push(decode(std::nullopt)));
  show(options, result, stops.finish());
  return result;
}

void report(const Options& options, const std::string& prompt, std::size_t prompt_tokens, const Result& result) {
  const auto count = static_cast<double>(result.tokens.size());
  Json::Object json{{"ended_by", result.ended_by},
                    {"prompt", prompt},
                    {"prompt_tokens", prompt_tokens},
                    {"text", result.text},
                    {"tokens", Json::Array(result.tokens.begin(), result.tokens.end())},
                    {"tokens_per_second", result.seconds > 0 ? count / result.seconds : 0.0}};
  if (options.ids) json.erase("text");
  print_json(std::move(json));
}

int generate(const Options& options) {
  Model model(options.folder, options.adapter);
  std::optional<TextCodec> codec;
  if (!options.ids) {
    const TouchAhead weights(model);
    codec.emplace(options.folder, model.vocab_size(), "with --ids the prompt and the answer are numbers of tokens");
  }
  const std::string prompt = options.prompt ? *options.prompt : read_input();
  const std::vector<std::int32_t> tokens = codec ? codec->encode(prompt) : read_ids(prompt, "the prompt");
  if (tokens.empty()) weft::fail("the prompt has no token; one at least is needed");
  const Result result = codec ? continue_text(model, options, *codec, tokens) : continue_ids(model, options, tokens);
  if (options.json) {
    report(options, prompt, tokens.size(), result);
  } else {
    std::cout << "\n";
    expect_printed();
  }
  model.note_length();
  return interrupted() ? kInterrupted : kDone;
}

}  // namespace

void add_generate(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand("generate", "continue a text");
  command->footer(
      "The answer appears word by word, without the prompt. The most probable token is taken each time, unless one of\n"
      "--temperature, --top-k, --top-p, --min-p and --seed is given: then tokens are drawn, the same for the same "
      "seed.\n"
      "What the options leave open, a generation_config.json in the folder decides; --temperature 0 draws nothing.\n"
      "Ctrl-C ends the answer where it is.\n\n"
      "  weft generate scribe \"In the beginning\" --temperature 0.8 --top-p 0.95\n"
      "  weft generate tiny --ids \"1 2 3\" --max-new-tokens 16");
  const auto options = std::make_shared<Options>();
  command->add_option("DIR", options->folder, "model folder")->required()->check(some_text())->type_name("");
  command->add_option("PROMPT", options->prompt, "what to continue; without it the standard input is read")
      ->type_name("");
  command->add_option("--adapter", options->adapter, "folder of low-rank adapters, of weft finetune or PEFT")
      ->check(some_text());
  options->sampling.add_to(*command, "100");
  command->add_option("--stop", options->stops, "end before this text, with --ids before these tokens; repeatable")
      ->allow_extra_args(false)
      ->check(some_text());
  CLI::Option* ids = command->add_flag("--ids", options->ids, "the prompt and the answer are numbers of tokens");
  command->add_flag("--keep-special-tokens", options->keep_special_tokens, "show special tokens by their names")
      ->excludes(ids);
  command->add_flag("--json", options->json, "one JSON object at the end");
  command->callback([options, &code] { code = generate(*options); });
}

}  // namespace apps
