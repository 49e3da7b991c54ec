// SPDX-License-Identifier: Apache-2.0
/// \file
/// Several curves over the same steps in one picture.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/gnuplot.hpp"

namespace examples {

/// A named line of (x, y) points.
struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

/// Draws all curves into a PNG file; false when there is no gnuplot.
inline bool draw_curves(const std::vector<Curve>& curves, const std::string& x_label, const std::string& y_label,
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
               "\nset grid lc rgb '#dddddd'\nset key outside right\n" + plots + "\n" + data);
  return gnuplot.draw();
}

}  // namespace examples
