// SPDX-License-Identifier: Apache-2.0
/// \file
/// How long texts are in tokens (plot_token_length_histogram of the reference's utils.py).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/support/gnuplot.hpp"

namespace apps {

/// Bars of equal width from the shortest to the longest.
struct LengthHistogram {
  double first = 0;  ///< where the first bar begins
  double width = 1;
  std::vector<std::int64_t> counts;
};

/// Raises Error where there is no text. The longest counts in the last bar.
inline LengthHistogram histogram_of(const std::vector<std::int64_t>& lengths, int bars = 30) {
  if (lengths.empty()) weft::fail("a histogram of lengths needs a text, found none");
  const auto [least, most] = std::minmax_element(lengths.begin(), lengths.end());
  LengthHistogram histogram;
  histogram.first = static_cast<double>(*least);
  histogram.width = *most > *least ? static_cast<double>(*most - *least) / bars : 1.0 / bars;
  histogram.counts.resize(static_cast<std::size_t>(bars));
  for (const std::int64_t length : lengths) {
    const auto bar = static_cast<int>((static_cast<double>(length) - histogram.first) / histogram.width);
    ++histogram.counts[static_cast<std::size_t>(std::min(bar, bars - 1))];
  }
  return histogram;
}

inline Picture draw_histogram(const LengthHistogram& histogram, const std::string& path) {
  Gnuplot gnuplot(path, 1000, 600);
  std::string data;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    data += std::to_string(histogram.first + (static_cast<double>(i) + 0.5) * histogram.width) + " " +
            std::to_string(histogram.counts[i]) + "\n";
  }
  gnuplot.send("set xlabel 'tokens in a text'\nset ylabel 'texts'\nset grid ytics lc rgb '#dddddd'\nset key off\n" +
               std::string("set style fill solid 0.8 border rgb 'black'\nset yrange [0:*]\nset boxwidth ") +
               std::to_string(histogram.width) + "\nplot '-' with boxes lc rgb '#4393c3'\n" + data + "e\n");
  return gnuplot.draw();
}

}  // namespace apps
