// SPDX-License-Identifier: Apache-2.0
// The data that figures are made of.
#include <cmath>
#include <string>
#include <vector>

#include "weft/io/text_file.hpp"

#include "apps/figures/attention_graph.hpp"
#include "apps/figures/graph_parameters.hpp"
#include "apps/figures/loss_curves.hpp"
#include "apps/figures/token_lengths.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;

namespace {

std::vector<double> values_of(const std::vector<apps::LossPoint>& points) {
  std::vector<double> values;
  for (const apps::LossPoint& point : points) {
    values.push_back(point.at);
    values.push_back(point.loss);
  }
  return values;
}

}  // namespace

TEST_CASE("a histogram of lengths counts every text once, the longest in the last bar") {
  const apps::LengthHistogram histogram = apps::histogram_of({3, 3, 4, 8, 13}, 5);
  CHECK(histogram.first == 3);
  CHECK(histogram.width == 2);
  CHECK(histogram.counts == std::vector<std::int64_t>{3, 0, 1, 0, 1});
  CHECK(apps::histogram_of({7, 7}, 30).counts.front() == 2);
  CHECK_THROWS_WITH(apps::histogram_of({}), ContainsSubstring("needs a text"));
}

TEST_CASE("curves of a run are its lines, by step and by epoch") {
  const weft::testing::TemporaryFolder folder;
  weft::write_text(folder / "metrics.jsonl",
                   "{\"step\":1,\"epoch\":0.5,\"loss\":4}\n{\"step\":2,\"epoch\":1.0,\"loss\":3.5}\n"
                   "{\"step\":2,\"validation_loss\":3.0}\n{\"step\":4,\"epoch\":2.0,\"loss\":2}\n");
  const apps::LossCurves curves = apps::read_loss_curves(folder / "metrics.jsonl");
  CHECK(values_of(curves.training) == std::vector<double>{1, 4, 2, 3.5, 4, 2});
  CHECK(values_of(curves.validation) == std::vector<double>{2, 3});
  CHECK(curves.epochs == 2);
  const apps::LossCurves over = apps::over_epochs(curves, curves.epochs);
  CHECK(values_of(over.training) == std::vector<double>{0.5, 4, 1, 3.5, 2, 2});
  weft::write_text(folder / "none.jsonl", "{\"step\":2,\"validation_loss\":3.0}\n");
  CHECK_THROWS_WITH(apps::read_loss_curves(folder / "none.jsonl"), ContainsSubstring("no line has a training loss"));
  CHECK_THROWS_WITH(apps::read_loss_curves(folder / "missing"), ContainsSubstring("cannot open"));
}

TEST_CASE("a line of metrics that is no event is refused by its number, and a blank one is none") {
  const weft::testing::TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  const auto read = [&](const std::string& line) {
    weft::write_text(path, "{\"step\":1,\"epoch\":0.5,\"loss\":4}\n\n \r\n" + line + "\n");
    return apps::read_loss_curves(path);
  };
  CHECK(values_of(read("{\"step\":2,\"loss\":3}").training) == std::vector<double>{1, 4, 2, 3});
  CHECK(std::isnan(read("{\"step\":2,\"loss\":null}").training.back().loss));
  CHECK_THROWS_WITH(read("x"), ContainsSubstring("metrics.jsonl, line 4: not JSON at column 1: "));
  for (const char* line : {"7", "{\"loss\":1}", "{\"step\":-1,\"loss\":1}", "{\"step\":null}", "{\"step\":1.5}"}) {
    CHECK_THROWS_WITH(read(line), ContainsSubstring("line 4: an object with a step from 0 on is expected, found "));
  }
  CHECK_THROWS_WITH(read("{\"step\":2,\"loss\":\"x\"}"),
                    ContainsSubstring("loss must be a number from 0 on, found \"x\""));
  CHECK_THROWS_WITH(read("{\"step\":2,\"epoch\":-1}"), ContainsSubstring("epoch must be a number from 0 on, found -1"));
}

TEST_CASE("the mean of an epoch has the last step unless it is left out, and an epoch without a record has none") {
  const std::vector<apps::LossPoint> points{{0.25, 4}, {0.5, 2}, {2.5, 1}, {3.0, 5}};
  CHECK(values_of(apps::mean_of_epochs(points, 3)) == std::vector<double>{1, 3, 3, 3});
  CHECK(values_of(apps::mean_of_epochs({{0.1, 2}}, 0.1)) == std::vector<double>{1, 2});
  CHECK(apps::mean_of_epochs({}, 3).empty());
  CHECK(values_of(apps::mean_of_epochs(points, 3, true)) == std::vector<double>{1, 3, 3, 1});
  CHECK(values_of(apps::mean_of_epochs({{0.5, 2}, {1e9, 3}}, 1e9)) == std::vector<double>{1, 2, 1e9, 3});
  CHECK(values_of(apps::mean_of_epochs({{1e300, 3}}, 1e300)) == std::vector<double>{1e300, 3});
}

TEST_CASE("scalars of layers are found by their names, layer 1 apart from layer 10") {
  weft::Parameter<float, weft::Shape<>> first;
  weft::Parameter<float, weft::Shape<1>> second;
  weft::Parameter<float, weft::Shape<2>> wide;
  first.data()[0] = 0.5F;
  second.data()[0] = 2;
  std::vector<weft::AnyParameter> parameters;
  parameters.emplace_back(weft::ParameterName("model.layers.1.trainable_scale"), first);
  parameters.emplace_back(weft::ParameterName("model.layers.10.trainable_scale"), second);
  parameters.emplace_back(weft::ParameterName("model.layers.1.self_attn.sharpening_parameters.3"), second);
  parameters.emplace_back(weft::ParameterName("model.layers.2.norm.weight"), wide);
  const apps::LayerScalars scalars = apps::layer_scalars(parameters);
  REQUIRE(scalars.size() == 2);
  CHECK(scalars.at("trainable_scale")[1].layer == 10);
  CHECK(scalars.at("self_attn.sharpening_parameters")[0].index == 3);
  CHECK(apps::trainable_scales(parameters) == std::vector<double>{0.5, 2});
  parameters.erase(parameters.begin(), parameters.begin() + 2);
  CHECK_THROWS_WITH(apps::trainable_scales(parameters), ContainsSubstring("no trainable_scale"));
}

TEST_CASE("a causal graph has the heavy edges between two tokens, the heaviest last") {
  apps::Adjacency adjacency{.heads = 2, .labels = {"a", "b", "c"}};
  adjacency.weights.assign(18, 0.0F);
  float* const second = adjacency.weights.data() + 9;
  second[0] = 1;              // a listens to itself
  second[3 * 1 + 0] = 0.8F;   // b to a
  second[3 * 2 + 0] = 0.05F;  // c to a
  second[3 * 2 + 1] = 0.4F;   // c to b
  const auto edges = apps::causal_edges(adjacency, 1, 0.1);
  REQUIRE(edges.size() == 2);
  CHECK((edges[0].from == 1 && edges[0].to == 2));
  CHECK((edges[1].from == 0 && edges[1].to == 1));
  CHECK(apps::causal_edges(adjacency, 0, 0).empty());
  CHECK(apps::visible(" a\n") == "␣a↵");
}

TEST_CASE("texts reach gnuplot as texts") {
  CHECK(apps::Gnuplot::quoted("it's \"50%\" `a` \\") == "'it''s \"50%\" `a` \\'");
  CHECK(apps::Gnuplot::quoted("a\nb\x7F\r") == "'a b  '");
  CHECK(apps::Gnuplot::ticks({"50%", "it's"}) == "('50%%' 0, 'it''s' 1)");
  CHECK(apps::Gnuplot::ticks({}) == "()");
}

TEST_CASE("a picture of another kind than PNG and SVG is refused") {
  CHECK_THROWS_WITH(apps::Gnuplot("picture.pdf", 100, 100), ContainsSubstring("must end in .png or .svg"));
}
