// SPDX-License-Identifier: Apache-2.0
/// \file
/// Who listens to whom: the adjacency matrices of a layer's heads over a text, and the causal graph that one implies.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "apps/support/gnuplot.hpp"

namespace apps {

/// The attention weights of one layer over one text.
struct Adjacency {
  std::size_t heads = 0;
  std::vector<std::string> labels{};  ///< of the tokens
  std::vector<float> weights{};       ///< [heads, tokens, tokens], row = listening token

  std::size_t tokens() const { return labels.size(); }
  float weight(std::size_t head, std::size_t to, std::size_t from) const {
    return weights[(head * tokens() + to) * tokens() + from];
  }
};

/// A text of a token as a label: one that can be seen, and on one line.
inline std::string visible(const std::string& text) {
  std::string label;
  for (const char c : text)
    label += c == ' ' ? "␣" : c == '\n' ? "↵" : static_cast<unsigned char>(c) < ' ' ? "·" : std::string(1, c);
  return label.empty() ? "∅" : label;
}

/// A panel for each head.
inline Picture draw_adjacency(const Adjacency& adjacency, const std::string& path) {
  const auto columns = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(adjacency.heads))));
  const std::size_t rows = (adjacency.heads + columns - 1) / columns;
  const std::size_t side = std::clamp<std::size_t>(20 * adjacency.tokens() + 150, 340, 900);
  Gnuplot gnuplot(path, static_cast<int>(columns * side), static_cast<int>(rows * side));
  const std::string ticks = Gnuplot::ticks(adjacency.labels);
  gnuplot.send("set multiplot layout " + std::to_string(rows) + "," + std::to_string(columns) +
               "\nset size square\nset xtics rotate by 90 right " + ticks + " nomirror\nset ytics " + ticks +
               " nomirror\nset yrange [*:*] reverse\nset palette defined (0 '#f7fbff', 0.3 '#6baed6', 1 '#08306b')\n"
               "set key off\n");
  for (std::size_t head = 0; head < adjacency.heads; ++head) {
    std::string data;
    for (std::size_t to = 0; to < adjacency.tokens(); ++to) {
      for (std::size_t from = 0; from < adjacency.tokens(); ++from) {
        data += from <= to ? std::to_string(adjacency.weight(head, to, from)) + " " : std::string("NaN ");
      }
      data += "\n";
    }
    gnuplot.send("set title 'head " + std::to_string(head) + "'\nplot '-' matrix with image\n" + data + "e\n");
  }
  gnuplot.send("unset multiplot\n");
  return gnuplot.draw();
}

/// An edge of the causal graph: `to` listens to an earlier `from`.
struct CausalEdge {
  std::size_t from;
  std::size_t to;
  double weight;
};

/// The edges whose weight reaches `threshold` times the largest between two tokens, the heaviest last.
inline std::vector<CausalEdge> causal_edges(const Adjacency& adjacency, std::size_t head, double threshold) {
  std::vector<CausalEdge> edges;
  double most = 0;
  for (std::size_t to = 0; to < adjacency.tokens(); ++to) {
    for (std::size_t from = 0; from < to; ++from) {
      const double weight = static_cast<double>(adjacency.weight(head, to, from));
      most = std::max(most, weight);
      edges.push_back({from, to, weight});
    }
  }
  std::erase_if(edges, [&](const CausalEdge& edge) { return edge.weight <= 0 || edge.weight < threshold * most; });
  std::stable_sort(edges.begin(), edges.end(),
                   [](const CausalEdge& a, const CausalEdge& b) { return a.weight < b.weight; });
  return edges;
}

/// Tokens on a line, and an arc from each to the later ones that listen to it: the heavier the edge, the darker and thicker.
inline Picture draw_causal_graph(const Adjacency& adjacency, std::size_t head, double threshold,
                                 const std::string& path) {
  const std::vector<CausalEdge> edges = causal_edges(adjacency, head, threshold);
  const double most = edges.empty() ? 1 : edges.back().weight;
  const auto width = static_cast<double>(std::max<std::size_t>(adjacency.tokens(), 2) - 1);
  Gnuplot gnuplot(path, static_cast<int>(std::clamp(45 * width + 120, 500.0, 2400.0)), 520);
  gnuplot.send("unset border\nunset ytics\nset key off\nset xtics rotate by 90 right nomirror scale 0 " +
               Gnuplot::ticks(adjacency.labels) + "\nset xrange [-0.7:" + std::to_string(width + 0.7) +
               "]\nset yrange [-0.06:1.05]\n");
  std::string plots = "plot ";
  std::string data;
  constexpr int points = 40;
  for (const CausalEdge& edge : edges) {
    const double share = edge.weight / most;
    const int grey = static_cast<int>(210 - 190 * share);
    char style[100];
    std::snprintf(style, sizeof style, "'-' with lines lw %.2f lc rgb '#%02x%02x%02x', ", 0.6 + 3 * share, grey, grey,
                  std::min(255, grey + 60));
    plots += style;
    const double from = static_cast<double>(edge.from);
    const double span = static_cast<double>(edge.to) - from;
    for (int i = 0; i <= points; ++i) {
      const double t = static_cast<double>(i) / points;
      data += std::to_string(from + t * span) + " " + std::to_string(4 * t * (1 - t) * span / width) + "\n";
    }
    data += "e\n";
  }
  for (std::size_t i = 0; i < adjacency.tokens(); ++i) data += std::to_string(i) + " 0\n";
  data += "e\n";
  gnuplot.send(plots + "'-' with points pt 7 ps 1.4 lc rgb '#d6604d'\n" + data);
  return gnuplot.draw();
}

}  // namespace apps
