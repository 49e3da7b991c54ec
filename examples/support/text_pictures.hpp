// SPDX-License-Identifier: Apache-2.0
/// \file
/// The two pictures of train_text: the loss over the steps, and the graph a model draws over a text.
#pragma once

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "weft/io.hpp"
#include "weft/weft.hpp"

#include "apps/support/gnuplot.hpp"

namespace examples {

using apps::Gnuplot;

/// A run goes on without its pictures.
inline void draw(const Gnuplot& gnuplot, const std::string& path) {
  try {
    std::cerr << report(gnuplot.draw(), path) << "\n";
  } catch (const weft::Error& error) {
    std::cerr << "not drawn: " << error.what() << "\n";
  }
}

/// Training loss and validation in bits per byte, from a file of metrics.
inline void draw_loss(const std::string& metrics, const std::string& path) {
  std::string training;
  std::string validation;
  std::ifstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    const auto event = weft::detail::parse_json(line, metrics);
    const std::string step = json_text(*event.find("step"));
    if (const auto* loss = event.find("loss")) {
      training += step + " " + std::to_string(*loss->get_if<double>() / std::numbers::ln2) + "\n";
    } else {
      validation += step + " " + json_text(*event.find("validation_bits_per_byte")) + "\n";
    }
  }
  Gnuplot gnuplot(path, 900, 500);
  gnuplot.send(
      "set xlabel 'step'\nset ylabel 'bits per byte'\nset grid lc rgb '#dddddd'\nset key top right\n"
      "plot '-' with lines lc rgb '#9ecae1' title 'training', "
      "'-' with linespoints pt 7 ps 0.6 lw 2 lc rgb '#d6604d' title 'validation'\n");
  gnuplot.send(training + "e\n" + validation + "e\n");
  draw(gnuplot, path);
}

/// A byte as a label of an axis.
inline std::string label(unsigned char byte) {
  if (byte == ' ') return "␣";
  return byte > ' ' && byte < 0x7F ? std::string(1, static_cast<char>(byte)) : "·";
}

/// The adjacency of the first head of the last layer over a text: who listens (row) to whom (column).
template <class Model>
void draw_adjacency(const Model& model, const weft::ByteTokenizer& tokenizer, const std::string& text,
                    const std::string& path) {
  const auto tokens = tokenizer.encode(text);
  const auto count = static_cast<weft::Index>(tokens.size());
  const weft::TensorView<const std::int32_t, weft::Shape<weft::Dyn, weft::Dyn>> ids(
      tokens.data(), weft::Shape<weft::Dyn, weft::Dyn>(1, count));
  weft::Inference inference;
  const auto weights = weft::adjacency(inference, model.model, ids, model.model.layers.size() - 1);

  std::string rows;
  std::vector<std::string> labels;
  for (weft::Index i = 0; i < count; ++i) {
    for (weft::Index j = 0; j < count; ++j) {
      rows += j <= i ? std::to_string(weights(0, 0, i, j)) + " " : std::string("NaN ");
    }
    rows += "\n";
    labels.push_back(label(static_cast<unsigned char>(text[static_cast<std::size_t>(i)])));
  }
  const std::string ticks = Gnuplot::ticks(labels);
  Gnuplot gnuplot(path, 700, 640);
  gnuplot.send("set size square\nset xtics " + ticks + " nomirror\nset ytics " + ticks +
               " nomirror\nset yrange [*:*] reverse\nset xlabel 'listened to'\nset ylabel 'listens'\n"
               "set palette defined (0 '#f7fbff', 0.3 '#6baed6', 1 '#08306b')\nset cblabel 'weight'\nset key off\n"
               "plot '-' matrix with image\n");
  gnuplot.send(rows + "e\n");
  draw(gnuplot, path);
}

}  // namespace examples
