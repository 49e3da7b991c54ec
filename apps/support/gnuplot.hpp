// SPDX-License-Identifier: Apache-2.0
/// \file
/// Pictures through gnuplot: a program of its own, which reads a script and writes a picture.
#pragma once

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weft/io/text_file.hpp"

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

namespace detail {

/// What a program writes, and how it ends.
struct ProgramOutput {
  std::string text;
  bool found = true;       ///< the program
  bool succeeded = false;  ///< its exit status
};

/// All that comes before the end of a pipe.
inline std::string read_all(int pipe) {
  std::string text;
  std::array<char, 1 << 16> part;
  for (;;) {
    const auto count = ::read(pipe, part.data(), part.size());
    if (count > 0) text.append(part.data(), static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno != EINTR)) return text;
  }
}

/// Runs a program without arguments, and no shell. Its standard input is a file: it may write before it has read everything.
inline ProgramOutput output_of(const char* program, std::string_view input) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  if (!file || std::fwrite(input.data(), 1, input.size(), file.get()) != input.size() ||
      std::fseek(file.get(), 0, SEEK_SET) != 0) {
    weft::detail::fail_on_file("write", "a temporary file");
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) weft::detail::fail_on_file("open", "a pipe");
  const weft::detail::FileDescriptor reader(ends[0]);
  weft::detail::FileDescriptor writer(ends[1]);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(file.get()), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, writer.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string name(program);
  std::array<char*, 2> arguments{name.data(), nullptr};
  pid_t process = 0;
  const int error = ::posix_spawnp(&process, program, &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {.text = "", .found = error != ENOENT};

  writer.close();  // the pipe ends with the program
  ProgramOutput output{read_all(reader.get())};
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  output.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return output;
}

}  // namespace detail

/// A picture that gnuplot draws, PNG or SVG by the ending of its file. Without gnuplot on the machine, nothing is drawn.
class Gnuplot {
 public:
  /// Raises Error for another ending.
  Gnuplot(std::string path, int width, int height) : path_(std::move(path)) {
    send("set terminal " + terminal_of(path_) + " size " + std::to_string(width) + "," + std::to_string(height) +
         " noenhanced font 'sans,11'\n");
  }

  /// Commands and data, for `draw`.
  void send(std::string_view text) { script_ += text; }

  /// The file has the whole picture then, or what it had before. Raises Error where it cannot be written.
  Picture draw() const {
    // Its standard output is where it draws: of paths, which may spell commands of its own, it hears nothing.
    const detail::ProgramOutput picture = detail::output_of("gnuplot", script_);
    if (!picture.found) return Picture::gnuplot_not_found;
    if (!picture.succeeded || picture.text.empty()) return Picture::gnuplot_failed;
    weft::write_text(path_, picture.text);
    return Picture::drawn;
  }

  /// A text as gnuplot reads it: in single quotes, which double inside and keep all else as it is. Control characters are
  /// blanks, because a new line would begin another command.
  static std::string quoted(std::string_view text) {
    std::string result = "'";
    for (const char c : text) {
      const bool control = static_cast<unsigned char>(c) < ' ' || c == '\x7F';
      result += c == '\'' ? std::string("''") : std::string(1, control ? ' ' : c);
    }
    return result + "'";
  }

  /// Labels at 0, 1, ... of an axis, for `set xtics`. In these gnuplot reads a percent sign as a format.
  static std::string ticks(const std::vector<std::string>& labels) {
    std::string result = "(";
    for (std::size_t i = 0; i < labels.size(); ++i) {
      std::string format;
      for (const char c : labels[i]) format += c == '%' ? std::string("%%") : std::string(1, c);
      result += (i > 0 ? ", " : "") + quoted(format) + " " + std::to_string(i);
    }
    return result + ")";
  }

 private:
  static std::string terminal_of(std::string_view path) {
    if (path.ends_with(".png")) return "pngcairo";
    if (path.ends_with(".svg")) return "svg background '#ffffff'";
    weft::fail(weft::concat("a picture's file must end in .png or .svg, found ", path));
  }

  std::string path_;
  std::string script_;
};

}  // namespace apps
