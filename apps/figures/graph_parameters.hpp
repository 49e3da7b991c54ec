// SPDX-License-Identifier: Apache-2.0
/// \file
/// The scalars that graph-aware layers have learned, by layer (extract_gnn_parameters_with_labels and
/// plot_gnn_parameters_vertical_with_layer_connections_and_ylabels of the reference's utils.py), and the strength of each
/// graph network over several states of a model.
#pragma once

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/autograd/any_parameter.hpp"

#include "apps/support/gnuplot.hpp"

namespace apps {

/// A scalar of a decoder layer; `index` counts those of one name in a layer.
struct LayerScalar {
  int layer;
  int index;
  double value;
};

/// By name: "self_attn.sharpening_parameters", "trainable_scale", ...
using LayerScalars = std::map<std::string, std::vector<LayerScalar>>;

/// Those of "model.layers.{layer}.{name}[.{index}]" that have one value.
inline LayerScalars layer_scalars(const std::vector<weft::AnyParameter>& parameters) {
  LayerScalars scalars;
  constexpr std::string_view layers = "layers.";
  for (const weft::AnyParameter& parameter : parameters) {
    std::string_view name = parameter.name().name;
    const std::size_t start = name.find(layers);
    if (parameter.size() != 1 || parameter.element() != "F32" || start == std::string_view::npos) continue;
    name.remove_prefix(start + layers.size());
    LayerScalar scalar{0, 0, static_cast<double>(*static_cast<const float*>(parameter.values()))};
    const auto layer = std::from_chars(name.data(), name.data() + name.size(), scalar.layer);
    if (layer.ec != std::errc()) continue;
    name.remove_prefix(std::min(name.size(), static_cast<std::size_t>(layer.ptr - name.data()) + 1));
    const std::size_t dot = name.rfind('.');
    if (dot != std::string_view::npos) {
      const auto index = std::from_chars(name.data() + dot + 1, name.data() + name.size(), scalar.index);
      if (index.ptr == name.data() + name.size()) name = name.substr(0, dot);
    }
    scalars[std::string(name)].push_back(scalar);
  }
  return scalars;
}

/// One panel for each name, below each other: a marked line for the scalars of each layer, a thin one through all.
inline Picture draw_layer_scalars(const LayerScalars& scalars, const std::string& path) {
  if (scalars.empty()) weft::fail("this model has no scalar in a layer that a figure could show");
  Gnuplot gnuplot(path, 760, static_cast<int>(120 + 230 * scalars.size()));
  gnuplot.send("set multiplot layout " + std::to_string(scalars.size()) +
               ",1\nset grid lc rgb '#dddddd'\nset key off\nset offsets 0.3,0.3,graph 0.1,graph 0.1\n"
               "set lmargin 12\nset format y '%.4g'\nset ytics font ',9'\n");
  for (const auto& [name, values] : scalars) {
    std::vector<std::string> labels;
    std::string data;
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::string& label = labels.emplace_back(weft::concat("layer ", values[i].layer));
      if (values.back().index > 0) label += " (" + std::to_string(values[i].index) + ")";
      data += std::to_string(i) + " " + std::to_string(values[i].value) + " " + std::to_string(values[i].layer) + "\n";
    }
    std::string layers;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0 && values[i].layer != values[i - 1].layer) layers += "\n";
      layers +=
          std::to_string(i) + " " + std::to_string(values[i].value) + " " + std::to_string(values[i].layer) + "\n";
    }
    gnuplot.send("set title " + Gnuplot::quoted(name) + "\nset xtics rotate by 45 right " + Gnuplot::ticks(labels) +
                 "\nunset colorbox\n" + std::string(kViridis) +
                 "plot '-' with lines dt 2 lc rgb '#999999', "
                 "'-' using 1:2:3 with linespoints lw 2 pt 7 ps 1 lc palette\n" +
                 data + "e\n" + layers + "e\n");
  }
  gnuplot.send("unset multiplot\n");
  return gnuplot.draw();
}

/// One state of a model, after an epoch for instance, and the `trainable_scale` of each of its layers.
struct ScaleColumn {
  std::string label;
  std::vector<double> scales;
};

/// The scales of the graph networks in the order of their layers; Error for a model without any.
inline std::vector<double> trainable_scales(const std::vector<weft::AnyParameter>& parameters) {
  std::vector<double> scales;
  for (const auto& [name, values] : layer_scalars(parameters)) {
    if (!name.ends_with("trainable_scale")) continue;
    for (const LayerScalar& scalar : values) scales.push_back(scalar.value);
  }
  if (scales.empty()) weft::fail("this model has no trainable_scale: no layer of it has a graph network");
  return scales;
}

/// A heat map: a row for each layer, a column for each state.
inline Picture draw_scales(const std::vector<ScaleColumn>& columns, const std::string& path) {
  std::size_t layers = 0;
  for (const ScaleColumn& column : columns) layers = std::max(layers, column.scales.size());
  std::string data;
  std::vector<std::string> labels;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (const ScaleColumn& column : columns) {
      data += (layer < column.scales.size() ? std::to_string(column.scales[layer]) : std::string("NaN")) + " ";
    }
    data += "\n";
  }
  for (const ScaleColumn& column : columns) labels.push_back(column.label);
  Gnuplot gnuplot(path, static_cast<int>(320 + 60 * columns.size()), static_cast<int>(220 + 30 * layers));
  gnuplot.send("set xtics rotate by 45 right " + Gnuplot::ticks(labels) +
               " nomirror\nset ytics 1 nomirror\nset ylabel 'layer'\n" +
               "set yrange [-0.5:" + std::to_string(static_cast<double>(layers) - 0.5) + "]\nset xrange [-0.5:" +
               std::to_string(static_cast<double>(columns.size()) - 0.5) + "]\n" + std::string(kViridis) +
               "set cblabel 'trainable scale'\nset key off\nplot '-' matrix with image\n" + data + "e\n");
  return gnuplot.draw();
}

}  // namespace apps
