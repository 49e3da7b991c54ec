// SPDX-License-Identifier: Apache-2.0
/// \file
/// The losses of a training run by step and by epoch (plot_loss_over_epochs and plot_average_loss_per_epoch of the
/// reference's utils.py).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "weft/io/strict_json.hpp"

#include "apps/support/gnuplot.hpp"

namespace apps {

/// A loss in nats per token, and where: a step, or a number of epochs.
struct LossPoint {
  double at;
  double loss;
};

/// What a run has measured.
struct LossCurves {
  std::vector<LossPoint> training;
  std::vector<LossPoint> validation;
  double epochs = 0;  ///< that the last step has reached
};

namespace detail {

/// A number of an event. One that is no number is null in JSON, and a gap in its curve.
inline double number_of(const weft::detail::Json& event, const char* name, const std::string& where) {
  const auto* const member = event.find(name);
  double number = -1;
  if (const auto* real = member->get_if<double>()) number = *real;
  if (const auto* whole = member->get_if<std::uint64_t>()) number = static_cast<double>(*whole);
  if (member->is_null()) number = std::nan("");
  if (number < 0) {
    weft::fail(
        weft::concat(where, ": ", name, " must be a number from 0 on, found ", weft::detail::json_excerpt(*member)));
  }
  return number;
}

/// Adds what one line says.
inline void add_event(LossCurves& curves, const weft::detail::Json& event, const std::string& where) {
  const auto* const step = event.find("step");
  const auto* const at = step == nullptr ? nullptr : step->get_if<std::uint64_t>();
  if (at == nullptr) {
    weft::fail(weft::concat(where, ": an object with a step from 0 on is expected, found ",
                            weft::detail::json_excerpt(event)));
  }
  const auto add = [&](std::vector<LossPoint>& points, const char* name) {
    if (event.find(name) == nullptr) return;
    points.push_back({static_cast<double>(*at), number_of(event, name, where)});
  };
  add(curves.training, "loss");
  add(curves.validation, "validation_loss");
  if (event.find("epoch") != nullptr) curves.epochs = std::max(curves.epochs, number_of(event, "epoch", where));
}

}  // namespace detail

/// From the lines that weft::MetricsLog writes; blank ones say nothing. Raises Error for a line that is no event, and for a
/// file without a training loss.
inline LossCurves read_loss_curves(const std::string& path) {
  std::ifstream lines(path);
  if (!lines) weft::fail("cannot open " + path);
  LossCurves curves;
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = weft::concat(path, ", line ", number);
    detail::add_event(curves, weft::detail::parse_json(line, where, true), where);
  }
  if (lines.bad()) weft::fail("cannot read " + path);
  if (curves.training.empty()) weft::fail(path + ": no line has a training loss");
  return curves;
}

/// The same over epochs: step / last step * epochs.
inline LossCurves over_epochs(LossCurves curves, double epochs) {
  double last = curves.training.back().at;
  if (!curves.validation.empty()) last = std::max(last, curves.validation.back().at);
  for (auto* points : {&curves.training, &curves.validation}) {
    for (LossPoint& point : *points) point.at = last > 0 ? point.at / last * epochs : 0;
  }
  curves.epochs = epochs;
  return curves;
}

/// The mean loss of each epoch, at 1, 2, ...; an epoch without a record has no point (quirk U10). The last step belongs to
/// the last epoch.
/// \param drop_last  leave that step out, as the reference does (quirk U11)
inline std::vector<LossPoint> mean_of_epochs(const std::vector<LossPoint>& over_epochs, double epochs,
                                             bool drop_last = false) {
  struct Sum {
    double losses = 0;
    double count = 0;
  };
  const double last = std::max(1.0, std::ceil(epochs));
  std::map<double, Sum> sums;  // of the epochs that there are: a file may count to any number
  for (const LossPoint& point : over_epochs) {
    if (drop_last && point.at >= last) continue;
    Sum& sum = sums[std::clamp(std::floor(point.at), 0.0, last - 1)];
    sum.losses += point.loss;
    sum.count += 1;
  }
  std::vector<LossPoint> means;
  for (const auto& [epoch, sum] : sums) means.push_back({epoch + 1, sum.losses / sum.count});
  return means;
}

/// Both curves in one picture.
inline Picture draw_losses(const LossCurves& curves, const std::string& x_label, const std::string& path,
                           bool few_points = false) {
  Gnuplot gnuplot(path, 900, 500);
  std::string plots;
  std::string data;
  const auto add = [&](const std::vector<LossPoint>& points, const std::string& style) {
    if (points.empty()) return;
    plots += (plots.empty() ? "plot '-' " : ", '-' ") + style;
    for (const LossPoint& point : points) data += std::to_string(point.at) + " " + std::to_string(point.loss) + "\n";
    data += "e\n";
  };
  const std::string thin = few_points ? "with linespoints pt 7 ps 0.8 lw 2" : "with lines";
  add(curves.training, thin + " lc rgb '#4393c3' title 'training'");
  add(curves.validation, "with linespoints pt 7 ps 0.6 lw 2 lc rgb '#f4a03a' title 'validation'");
  double last = 1;
  for (const auto* points : {&curves.training, &curves.validation}) {
    for (const LossPoint& point : *points) last = std::max(last, point.at);
  }
  const std::string every = std::to_string(std::ceil(last / 20));  // whole numbers, of which there is room for so many
  gnuplot.send("set xlabel " + Gnuplot::quoted(x_label) +
               "\nset ylabel 'loss, nats per token'\nset grid lc rgb '#dddddd'\nset key top right\n" +
               (few_points ? "set xtics " + every + "\nset offsets 0.5,0.5,0,0\n" : "") + plots + "\n" + data);
  return gnuplot.draw();
}

}  // namespace apps
