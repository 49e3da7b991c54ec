// SPDX-License-Identifier: Apache-2.0
/// \file
/// One line that shows how far a long job is. On a terminal it is redrawn in place; elsewhere it becomes a log with a line
/// for each tenth.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include <sys/ioctl.h>
#include <unistd.h>

namespace examples {

class ProgressBar {
 public:
  /// \param total  steps of the whole job; \param done  steps that an earlier run has done
  ProgressBar(long total, long done)
      : total_(std::max(1L, total)), first_(done), terminal_(isatty(STDERR_FILENO) == 1) {}

  /// Shows `done` steps and a text; at most ten times a second.
  void update(long done, const std::string& text) {
    const auto now = Clock::now();
    const bool last = done >= total_;
    if (terminal_) {
      if (!last && now - shown_ < std::chrono::milliseconds(100)) return;
      std::fprintf(stderr, "\r\033[K%s", fitted(done, line(done, text)).c_str());
    } else {
      if (!last && done * 10 / total_ == tenth_) return;
      tenth_ = done * 10 / total_;
      std::fprintf(stderr, "%s\n", line(done, text).c_str());
    }
    shown_ = now;
    std::fflush(stderr);
  }

  /// Leaves the line, so that other output starts on its own.
  void finish() const {
    if (terminal_) std::fputc('\n', stderr);
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// What the terminal has room for, because a broken line could not be redrawn: the bar gives way to the text.
  std::string fitted(long done, const std::string& text) const {
    winsize size{};
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const long room = (known ? size.ws_col : 80) - 1L;
    const long width = std::min(24L, room - static_cast<long>(text.size()) - 3);
    if (width < 4) return text.substr(0, static_cast<std::size_t>(room));
    const long filled = std::clamp(done * width / total_, 0L, width);
    std::string bar = "[";
    for (long i = 0; i < width; ++i) bar += i < filled ? "━" : " ";
    return bar + "] " + text;
  }

  std::string line(long done, const std::string& text) const {
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const double left =
        done > first_ ? seconds / static_cast<double>(done - first_) * static_cast<double>(total_ - done) : 0;
    char time[48];
    std::snprintf(time, sizeof time, "%d:%02d left", static_cast<int>(left) / 60, static_cast<int>(left) % 60);
    return std::to_string(done) + "/" + std::to_string(total_) + "  " + text + "  " + time;
  }

  long total_;
  long first_;
  bool terminal_;
  long tenth_ = -1;
  Clock::time_point start_ = Clock::now();
  Clock::time_point shown_{};
};

}  // namespace examples
