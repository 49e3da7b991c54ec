// SPDX-License-Identifier: Apache-2.0
/// \file
/// What happened in a training run, one line of JSON for each event.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "weft/io/strict_json.hpp"
#include "weft/io/text_file.hpp"
#include "weft/train/trainer.hpp"

namespace weft {

/// `{"step":1,"epoch":0.01,"loss":5.5,"learning_rate":0.001,"gradient_norm":2.1,"tokens_per_second":9000.0}`
inline std::string as_json_line(const StepReport& report) {
  const auto text = detail::number_text;
  return concat("{\"step\":", report.step, ",\"epoch\":", text(report.epoch), ",\"loss\":", text(report.loss),
                ",\"learning_rate\":", text(report.learning_rate), ",\"gradient_norm\":", text(report.gradient_norm),
                ",\"tokens_per_second\":", text(report.tokens_per_second), "}");
}

/// `{"step":100,"validation_loss":2.2,"validation_perplexity":9.0,"validation_bits_per_byte":3.2}`
inline std::string as_json_line(const EvaluationReport& report) {
  const auto text = detail::number_text;
  return concat("{\"step\":", report.step, ",\"validation_loss\":", text(report.loss),
                ",\"validation_perplexity\":", text(report.perplexity),
                ",\"validation_bits_per_byte\":", text(report.bits_per_byte), "}");
}

/// A file of such lines (JSON Lines). Each is handed to the operating system at once: a killed process leaves whole lines.
class MetricsLog {
 public:
  /// Raises Error when the file cannot be written, or a line that is to be kept is not of this form. A last one that a crash
  /// has cut is dropped.
  /// \param completed_steps  the step from which a run goes on: what an earlier run wrote up to there is kept; from the
  ///                         first later line on all is dropped, because these steps come again. 0 starts an empty file.
  explicit MetricsLog(std::string path, Index completed_steps = 0) : path_(std::move(path)) {
    write_text(path_, completed_steps > 0 ? lines_until(completed_steps) : std::string());
    file_ = detail::FileDescriptor(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (!file_) detail::fail_on_file("write", path_);
  }

  void write(const StepReport& report) { append(as_json_line(report) + "\n"); }
  void write(const EvaluationReport& report) { append(as_json_line(report) + "\n"); }

 private:
  std::string lines_until(Index completed_steps) const {
    if (::access(path_.c_str(), F_OK) != 0) return {};
    const std::string text = read_text(path_);
    std::size_t begin = 0;
    std::size_t number = 1;
    // What follows the last line's end was being written when the process ended.
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      const std::string_view line(text.data() + begin, end - begin);
      const bool is_blank = line.find_first_not_of(" \t\r") == std::string_view::npos;
      const bool is_last = end + 1 == text.size();
      const bool is_cut = is_last && number > 1 && !(line.starts_with('{') && line.ends_with('}'));
      if (is_cut) break;
      if (!is_blank && step_of(line, number) > static_cast<std::uint64_t>(completed_steps)) break;
      begin = end + 1;
      ++number;
    }
    return text.substr(0, begin);
  }

  std::uint64_t step_of(std::string_view line, std::size_t number) const {
    const std::string where = concat(path_, ", line ", number);
    const detail::Json json = detail::parse_json(line, where, true);
    const detail::Json* member = json.find("step");
    const auto* step = member == nullptr ? nullptr : member->get_if<std::uint64_t>();
    if (step == nullptr) {
      fail(concat(where, ": an object with a step is expected, found ", detail::json_excerpt(json)));
    }
    return *step;
  }

  void append(std::string_view line) {
    while (!line.empty()) {
      const auto written = ::write(file_.get(), line.data(), line.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) detail::fail_on_file("write", path_);
      line.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  std::string path_;
  detail::FileDescriptor file_;
};

}  // namespace weft
