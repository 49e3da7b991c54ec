// SPDX-License-Identifier: Apache-2.0
// weft: model folders from the command line. Each command is a file beside this one.
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <new>

#include "weft/io/notes.hpp"
#include "weft/tensor/error.hpp"
#include "weft/version.hpp"

#include "apps/support/standard_streams.hpp"
#include "apps/weft/command.hpp"

namespace apps {

namespace {

volatile std::sig_atomic_t was_interrupted = 0;

}  // namespace

void print_json(const weft::detail::Json& json) {
  std::cout << weft::detail::json_text(json) << "\n";
  expect_printed();
}

void expect_printed() {
  if (!std::cout.flush()) weft::fail("cannot write to the standard output");
}

void print_notes(const std::vector<std::string>& notes) { weft::detail::give_notes(notes, nullptr); }

std::string read_input() {
  std::string text(std::istreambuf_iterator<char>(std::cin), {});
  expect_read();
  return text;
}

void expect_read() {
  // std::cin reads by way of stdin and takes an error for the end.
  if (std::ferror(stdin) != 0) weft::fail("cannot read the standard input");
}

void catch_interrupt() {
  was_interrupted = 0;
  std::signal(SIGINT, [](int) {
    was_interrupted = 1;
    std::signal(SIGINT, SIG_DFL);
  });
}

void release_interrupt() { std::signal(SIGINT, SIG_DFL); }

bool interrupted() { return was_interrupted != 0; }

}  // namespace apps

namespace {

constexpr const char* kFooter =
    "A model folder holds config.json, model.safetensors and, if its tokens are not bytes, tokenizer.json.\n"
    "`weft COMMAND --help` explains a command. Put -- before a text that begins with a dash.\n"
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 stopped by Ctrl-C.";

int run(CLI::App& app, int argc, char** argv, int& code) {
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) throw CLI::RequiredError("a command");
    return code;
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) != 0) return apps::kWrongUsage;
    apps::expect_printed();
    return apps::kDone;
  }
}

}  // namespace

int main(int argc, char** argv) {
  int code = apps::kDone;
  try {
    apps::hold_closed_streams();
    CLI::App app("Trains graph-aware Llama models and plain ones, looks into them, lets them speak and measures them.",
                 "weft");
    app.set_version_flag("--version", std::string(weft::version));
    app.footer(kFooter);
    app.require_subcommand(0, 1);  // with 1, a command that there is not would be called missing
    app.failure_message([](const CLI::App*, const CLI::Error& error) {
      return std::string("weft: ") + error.what() + " (weft --help explains)\n";
    });
    apps::add_inspect(app, code);
    apps::add_tokenize(app, code);
    apps::add_generate(app, code);
    apps::add_evaluate(app, code);
    apps::add_chat(app, code);
    apps::add_convert(app, code);
    apps::add_plot(app, code);
    apps::add_train(app, code);
    apps::add_finetune(app, code);
    return run(app, argc, argv, code);
  } catch (const std::bad_alloc&) {
    std::cerr << "weft: there is not enough memory for this model and text\n";
  } catch (const std::exception& error) {
    std::cerr << "weft: " << error.what() << "\n";
  }
  return apps::kFailed;
}
