// SPDX-License-Identifier: Apache-2.0
/// \file
/// The losses of a training run by step and by epoch (plot_loss_over_epochs and plot_average_loss_per_epoch of the
/// reference's utils.py).
#pragma once

#include <algorithm>
#include <cmath>
#include <fstream>
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

/// From the lines that weft::MetricsLog writes. Raises Error for a file without a training loss.
inline LossCurves read_loss_curves(const std::string& path) {
  std::ifstream lines(path);
  if (!lines) weft::fail("cannot open " + path);
  LossCurves curves;
  const auto number = [&](const weft::detail::Json& event, const char* name) {
    const auto* member = event.find(name);
    if (member == nullptr) return std::nan("");
    if (const auto* real = member->get_if<double>()) return *real;
    if (const auto* whole = member->get_if<std::uint64_t>()) return static_cast<double>(*whole);
    return std::nan("");
  };
  for (std::string line; std::getline(lines, line);) {
    const auto event = weft::detail::parse_json(line, path);
    const double step = number(event, "step");
    if (event.find("loss") != nullptr) curves.training.push_back({step, number(event, "loss")});
    if (event.find("validation_loss") != nullptr) curves.validation.push_back({step, number(event, "validation_loss")});
    if (event.find("epoch") != nullptr) curves.epochs = std::max(curves.epochs, number(event, "epoch"));
  }
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
/// the last epoch, where the reference drops it (quirk U11).
inline std::vector<LossPoint> mean_of_epochs(const std::vector<LossPoint>& over_epochs, double epochs) {
  const double last = std::max(1.0, std::ceil(epochs));
  std::vector<double> sums(static_cast<std::size_t>(last));
  std::vector<double> counts(sums.size());
  for (const LossPoint& point : over_epochs) {
    const auto epoch = static_cast<std::size_t>(std::clamp(std::floor(point.at), 0.0, last - 1));
    sums[epoch] += point.loss;
    counts[epoch] += 1;
  }
  std::vector<LossPoint> means;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (counts[i] > 0) means.push_back({static_cast<double>(i + 1), sums[i] / counts[i]});
  }
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
  gnuplot.send("set xlabel " + Gnuplot::quoted(x_label) +
               "\nset ylabel 'loss, nats per token'\nset grid lc rgb '#dddddd'\nset key top right\n" +
               (few_points ? "set xtics 1\nset offsets 0.5,0.5,0,0\n" : "") + plots + "\n" + data);
  return gnuplot.draw();
}

}  // namespace apps
