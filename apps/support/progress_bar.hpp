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

namespace apps {

/// A bar beside a text, in `room` columns at most, because a broken line could not be redrawn. Where there is no room for a
/// bar, parts of the text, between two blanks each, are left out, the last one first; then the bar, then letters.
/// \param head  stands before the text, \param tail behind it
inline std::string progress_line(double share, const std::string& head, std::string text, const std::string& tail,
                                 long room) {
  constexpr long narrowest = 8;
  const auto joined = [&] { return head + (text.empty() ? "" : "  ") + text + "  " + tail; };
  const auto left_for_bar = [&] { return std::min(24L, room - static_cast<long>(joined().size()) - 3); };
  while (left_for_bar() < narrowest && !text.empty()) {
    const std::size_t last = text.rfind("  ");
    text.erase(last == std::string::npos ? 0 : last);
  }
  const long width = left_for_bar();
  if (width < narrowest) return joined().substr(0, static_cast<std::size_t>(std::max(0L, room)));
  const long filled = std::clamp(static_cast<long>(share * static_cast<double>(width)), 0L, width);
  std::string bar = "[";
  for (long i = 0; i < width; ++i) bar += i < filled ? "━" : " ";
  return bar + "] " + joined();
}

class ProgressBar {
 public:
  /// \param total  steps of the whole job; \param done  steps that an earlier run has done
  ProgressBar(long total, long done)
      : total_(std::max(1L, total)), first_(done), terminal_(isatty(STDERR_FILENO) == 1) {}

  /// Shows `done` steps and a text, whose parts stand between two blanks each; at most ten times a second.
  void update(long done, const std::string& text) {
    const auto now = Clock::now();
    const bool last = done >= total_;
    const std::string head = std::to_string(done) + "/" + std::to_string(total_);
    if (terminal_) {
      if (!last && now - shown_ < std::chrono::milliseconds(100)) return;
      const double share = static_cast<double>(done) / static_cast<double>(total_);
      std::fprintf(stderr, "\r\033[K%s", progress_line(share, head, text, time_left(done), columns() - 1).c_str());
    } else {
      if (!last && done * 10 / total_ == tenth_) return;
      tenth_ = done * 10 / total_;
      std::fprintf(stderr, "%s  %s  %s\n", head.c_str(), text.c_str(), time_left(done).c_str());
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

  /// Of the terminal.
  static long columns() {
    winsize size{};
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
  }

  std::string time_left(long done) const {
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const double left =
        done > first_ ? seconds / static_cast<double>(done - first_) * static_cast<double>(total_ - done) : 0;
    char time[48];
    std::snprintf(time, sizeof time, "%d:%02d left", static_cast<int>(left) / 60, static_cast<int>(left) % 60);
    return time;
  }

  long total_;
  long first_;
  bool terminal_;
  long tenth_ = -1;
  Clock::time_point start_ = Clock::now();
  Clock::time_point shown_{};
};

}  // namespace apps
