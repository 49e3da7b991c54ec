// SPDX-License-Identifier: Apache-2.0
/// \file
/// Pictures through gnuplot: a program of its own, spoken to over a pipe.
#pragma once

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace examples {

/// What became of a picture.
enum class Picture { drawn, gnuplot_failed, gnuplot_not_found };

/// One line about it.
inline std::string report(Picture picture, const std::string& path) {
  if (picture == Picture::drawn) return "drawn: " + path;
  return std::string("not drawn, because gnuplot ") +
         (picture == Picture::gnuplot_failed ? "failed: " : "was not found: ") + path;
}

/// A running gnuplot that draws one PNG file. Without gnuplot on the machine, nothing is drawn.
class Gnuplot {
 public:
  Gnuplot(const std::string& path, int width, int height) {
    if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) return;
    std::signal(SIGPIPE, SIG_IGN);  // it may end before it has read everything
    // A file that it cannot open sends a picture to its standard output.
    pipe_.reset(popen("gnuplot >/dev/null 2>&1", "w"));
    send("set terminal pngcairo size " + std::to_string(width) + "," + std::to_string(height) +
         " noenhanced font 'sans,11'\nset output " + quoted(path) + "\n");
  }

  void send(std::string_view text) {
    if (pipe_ != nullptr) std::fwrite(text.data(), 1, text.size(), pipe_.get());
  }

  /// Waits for the picture.
  Picture draw() {
    if (pipe_ == nullptr) return Picture::gnuplot_not_found;
    return pclose(pipe_.release()) == 0 ? Picture::drawn : Picture::gnuplot_failed;
  }

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
