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

#include "weft/tensor/error.hpp"

namespace apps {

/// What became of a picture.
enum class Picture { drawn, gnuplot_failed, gnuplot_not_found };

/// One line about it.
inline std::string report(Picture picture, const std::string& path) {
  if (picture == Picture::drawn) return "drawn: " + path;
  return std::string("not drawn, because gnuplot ") +
         (picture == Picture::gnuplot_failed ? "failed: " : "was not found: ") + path;
}

/// Dark blue over green to yellow, as gnuplot 5.4 has no name for it.
inline constexpr std::string_view kViridis =
    "set palette defined (0 '#440154', 0.25 '#3b528b', 0.5 '#21918c', 0.75 '#5ec962', 1 '#fde725')\n";

/// A running gnuplot that draws one file, PNG or SVG by its ending. Without gnuplot on the machine, nothing is drawn.
class Gnuplot {
 public:
  /// Raises Error for another ending.
  Gnuplot(const std::string& path, int width, int height) {
    const std::string terminal = terminal_of(path);
    if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) return;
    std::signal(SIGPIPE, SIG_IGN);  // it may end before it has read everything
    // A file that it cannot open sends a picture to its standard output.
    pipe_.reset(popen("gnuplot >/dev/null 2>&1", "w"));
    send("set terminal " + terminal + " size " + std::to_string(width) + "," + std::to_string(height) +
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

  static std::string terminal_of(std::string_view path) {
    if (path.ends_with(".png")) return "pngcairo";
    if (path.ends_with(".svg")) return "svg background '#ffffff'";
    weft::fail(weft::concat("a picture's file must end in .png or .svg, found ", path));
  }

  std::unique_ptr<std::FILE, Close> pipe_;
};

}  // namespace apps
