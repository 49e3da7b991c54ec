// SPDX-License-Identifier: Apache-2.0
/// \file
/// What example programs that work for minutes have in common: errors as one line, Ctrl-C, a folder for results.
#pragma once

#include <csignal>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>

#include "weft/tensor/error.hpp"

#include "apps/support/standard_streams.hpp"

namespace examples {

inline volatile std::sig_atomic_t interrupted = 0;

/// Ends the work after Ctrl-C, from wherever it is.
struct Interrupted {
  std::string message;
};

/// From here on Ctrl-C is noticed in `interrupted` and ends nothing by itself.
inline void catch_interrupt() {
  std::signal(SIGINT, [](int) { interrupted = 1; });
}

/// \param left  what there is of the work: "metrics are in results/"
inline void stop_if_interrupted(const std::string& left) {
  if (interrupted != 0) throw Interrupted{left};
}

/// Makes a folder for results. Raises Error where that is impossible.
inline void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) weft::fail("cannot make the folder " + path + ": " + error.message());
}

/// Errors of the command line as "NAME: what is wrong".
inline void name_errors(CLI::App& app, const std::string& name) {
  app.failure_message([name](const CLI::App*, const CLI::Error& error) { return name + ": " + error.what() + "\n"; });
}

/// Runs `work()`. What it raises becomes a line on standard error.
/// \return  the program's exit code: 0, 1 after an error, 130 after Ctrl-C
template <class Work>
int run_program(const std::string& name, Work&& work) {
  try {
    apps::hold_closed_streams();
    work();
    return 0;
  } catch (const Interrupted& stop) {
    std::cerr << name << ": stopped; " << stop.message << "\n";
    return 130;
  } catch (const std::bad_alloc&) {
    std::cerr << name << ": there is not enough memory for models and batches of these sizes\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << "\n";
    return 1;
  }
}

}  // namespace examples
