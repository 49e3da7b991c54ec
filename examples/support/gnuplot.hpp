// SPDX-License-Identifier: Apache-2.0
/// \file
/// Pictures through gnuplot: a program of its own, spoken to over a pipe.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace examples {

/// A running gnuplot that draws one PNG file. Without gnuplot on the machine, nothing is drawn and `drawn` is false.
class Gnuplot {
 public:
  Gnuplot(const std::string& path, int width, int height)
      : pipe_(std::system("command -v gnuplot >/dev/null 2>&1") == 0 ? popen("gnuplot 2>/dev/null", "w") : nullptr) {
    send("set terminal pngcairo size " + std::to_string(width) + "," + std::to_string(height) +
         " noenhanced font 'sans,11'\nset output " + quoted(path) + "\n");
  }

  void send(std::string_view text) {
    if (pipe_ != nullptr) std::fwrite(text.data(), 1, text.size(), pipe_.get());
  }

  /// Waits for the picture; whether there is one.
  bool draw() { return pipe_ != nullptr && pclose(pipe_.release()) == 0; }

  /// A text as gnuplot reads it: in single quotes, which double inside.
  static std::string quoted(std::string_view text) {
    std::string result = "'";
    for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
    return result + "'";
  }

 private:
  struct Close {
    void operator()(std::FILE* pipe) const { pclose(pipe); }
  };
  std::unique_ptr<std::FILE, Close> pipe_;
};

}  // namespace examples
