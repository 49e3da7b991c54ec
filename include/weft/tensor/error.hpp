// SPDX-License-Identifier: Apache-2.0
/// \file
/// How Weft refuses: one error type, one place that raises it, and a handler for programs built without exceptions.
#pragma once

#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
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

/// A piece of a message, whatever it was: text where it lies, or a number. One type, so that the code that joins pieces
/// is compiled once and not for every list of types that a message is made of.
class TextPart {
 public:
  TextPart(std::string_view text) : kind_(Kind::text), text_(text) {}
  TextPart(const std::string& text) : TextPart(std::string_view(text)) {}
  TextPart(const char* text) : TextPart(std::string_view(text)) {}

  template <class Number>
  requires std::is_arithmetic_v<Number> TextPart(Number number) {
    if constexpr (std::is_same_v<Number, float>) {
      kind_ = Kind::single;
      single_ = number;
    } else if constexpr (std::is_floating_point_v<Number>) {
      kind_ = Kind::real;
      real_ = static_cast<double>(number);
    } else if constexpr (std::is_signed_v<Number>) {
      kind_ = Kind::integer;
      integer_ = static_cast<long long>(number);
    } else {
      kind_ = Kind::natural;
      natural_ = static_cast<unsigned long long>(number);
    }
  }

  std::string text() const {
    switch (kind_) {
      case Kind::integer:
        return std::to_string(integer_);
      case Kind::natural:
        return std::to_string(natural_);
      case Kind::real:
        return shortest(real_);
      case Kind::single:
        return shortest(single_);
      default:
        return std::string(text_);
    }
  }

 private:
  enum class Kind { text, integer, natural, real, single };

  /// The shortest text that reads back as the same number: a message about 1.0000001 must not say 1.
  template <class Real>
  static std::string shortest(Real value) {
    std::array<char, 32> text;
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
  }

  Kind kind_;
  union {
    std::string_view text_;
    long long integer_;
    unsigned long long natural_;
    double real_;
    float single_;
  };
};

[[gnu::cold, gnu::noinline]] inline std::string join_parts(std::initializer_list<TextPart> parts) {
  std::string text;
  for (const TextPart& part : parts) text += part.text();
  return text;
}

}  // namespace detail

/// Installs the handler that receives errors when exceptions are off; returns the one before it.
/// With exceptions on it is never called.
inline ErrorHandler set_error_handler(ErrorHandler handler) {
  return detail::error_handler().exchange(handler != nullptr ? handler : detail::print_error);
}

/// Raises `Error(message)`, or calls the installed handler and aborts when built with `-fno-exceptions`.
/// Errors are rare and long to say: what leads here is kept small and out of the way of the code that works.
[[noreturn, gnu::cold, gnu::noinline]] inline void fail(std::string_view message) {
  const std::string text(message);
#if defined(__cpp_exceptions)
  throw Error(text);
#else
  detail::error_handler().load()(text.c_str());
  std::abort();
#endif
}

/// Strings and numbers, one after the other, as one string: for messages.
template <class... Parts>
std::string concat(const Parts&... parts) {
  return detail::join_parts({detail::TextPart(parts)...});
}

}  // namespace weft
