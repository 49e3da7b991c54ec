// SPDX-License-Identifier: Apache-2.0
/// \file
/// How Weft refuses: one error type, one place that raises it, and a handler for programs built without exceptions.
#pragma once

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace weft {

/// What every refusal of a shape, file or configuration raises. `what()` names what was expected, what was found, where.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Receives the message of an error in a program built with `-fno-exceptions`. It should not return; if it does, the
/// program aborts, because the caller cannot go on.
using ErrorHandler = void (*)(const char* message);

namespace detail {

inline void print_error(const char* message) { std::fprintf(stderr, "weft: %s\n", message); }

inline std::atomic<ErrorHandler>& error_handler() {
  static std::atomic<ErrorHandler> handler{print_error};
  return handler;
}

inline std::string to_text(std::string_view text) { return std::string(text); }

template <class Number>
requires std::is_arithmetic_v<Number> std::string to_text(Number number) { return std::to_string(number); }

}  // namespace detail

/// Installs the handler that receives errors when exceptions are off; returns the one before it.
/// With exceptions on it is never called.
inline ErrorHandler set_error_handler(ErrorHandler handler) {
  return detail::error_handler().exchange(handler != nullptr ? handler : detail::print_error);
}

/// Raises `Error(message)`, or calls the installed handler and aborts when built with `-fno-exceptions`.
[[noreturn]] inline void fail(const std::string& message) {
#if defined(__cpp_exceptions)
  throw Error(message);
#else
  detail::error_handler().load()(message.c_str());
  std::abort();
#endif
}

/// Strings and numbers, one after the other, as one string: for messages.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::string text;
  (text.append(detail::to_text(parts)), ...);
  return text;
}

}  // namespace weft
