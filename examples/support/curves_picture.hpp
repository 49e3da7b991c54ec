// SPDX-License-Identifier: Apache-2.0
/// \file
/// Several curves over the same steps in one picture.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "apps/support/gnuplot.hpp"

namespace examples {

using apps::Gnuplot;
using apps::Picture;

/// A named line of (x, y) points.
struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

/// The largest y behind the first fifth of the x axis: what lies above would press everything else into a line.
inline double settled_top(const std::vector<Curve>& curves) {
  double end = 0;
  for (const Curve& curve : curves) {
    for (const auto& point : curve.points) end = std::max(end, point.first);
  }
  double top = -std::numeric_limits<double>::infinity();
  for (const Curve& curve : curves) {
    for (const auto& [x, y] : curve.points) top = x >= end / 5 ? std::max(top, y) : top;
  }
  return top;
}

/// Draws all curves into a PNG file, from the lowest point up to `settled_top`.
inline Picture draw_curves(const std::vector<Curve>& curves, const std::string& x_label, const std::string& y_label,
                           const std::string& path) {
  Gnuplot gnuplot(path, 1000, 560);
  std::string plots;
  std::string data;
  for (const Curve& curve : curves) {
    plots += (plots.empty() ? "plot " : ", ") + std::string("'-' with linespoints lw 2 pt 7 ps 0.4 title ") +
             Gnuplot::quoted(curve.name);
    for (const auto& [x, y] : curve.points) data += std::to_string(x) + " " + std::to_string(y) + "\n";
    data += "e\n";
  }
  gnuplot.send("set xlabel " + Gnuplot::quoted(x_label) + "\nset ylabel " + Gnuplot::quoted(y_label) +
               "\nset grid lc rgb '#dddddd'\nset key outside right\nset yrange [*:" +
               std::to_string(settled_top(curves)) + "]\n" + plots + "\n" + data);
  return gnuplot.draw();
}

}  // namespace examples
