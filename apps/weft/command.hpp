// SPDX-License-Identifier: Apache-2.0
/// \file
/// What main and the commands know of each other.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "weft/io/json_text.hpp"

namespace apps {

/// What the program tells the shell.
enum ExitCode : int { kDone = 0, kFailed = 1, kWrongUsage = 2, kInterrupted = 130 };

/// The largest count that an option takes.
inline constexpr int kMost = 1'000'000'000;

/// Each adds a command with its options. When the command line names it, it runs while the line is parsed and leaves its
/// ExitCode in `code`; it raises weft::Error where it refuses.
void add_inspect(CLI::App& app, int& code);
void add_tokenize(CLI::App& app, int& code);
void add_generate(CLI::App& app, int& code);
void add_evaluate(CLI::App& app, int& code);
void add_chat(CLI::App& app, int& code);
void add_convert(CLI::App& app, int& code);
void add_plot(CLI::App& app, int& code);
void add_train(CLI::App& app, int& code);
void add_finetune(CLI::App& app, int& code);

/// One line on standard output, checked.
void print_json(const weft::detail::Json& json);

/// Raises Error if standard output did not take everything.
void expect_printed();

/// One line each on standard error.
void print_notes(const std::vector<std::string>& notes);

/// The whole of standard input. Raises Error if it cannot be read.
std::string read_input();

/// Raises Error if standard input has not ended but failed.
void expect_read();

/// From here on Ctrl-C only sets a flag, which is clear now; the second one ends the program.
void catch_interrupt();

/// From here on it ends the program.
void release_interrupt();

bool interrupted();

}  // namespace apps
