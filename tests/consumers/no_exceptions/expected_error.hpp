// SPDX-License-Identifier: Apache-2.0
/// \file
/// Ends a program well when the error arrives that it expects, and badly when none or another one does.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "weft/tensor/error.hpp"

/// Part of the error's text.
inline const char* expected_error = "";

/// \param attempt  what must raise that error
template <class Attempt>
int expect_error(const char* text, Attempt&& attempt) {
  expected_error = text;
  weft::set_error_handler([](const char* message) {
    std::puts(message);
    std::_Exit(std::strstr(message, expected_error) != nullptr ? EXIT_SUCCESS : EXIT_FAILURE);
  });
  attempt();
  std::printf("no error with \"%s\" was raised\n", text);
  return EXIT_FAILURE;
}
