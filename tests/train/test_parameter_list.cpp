// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "weft/attention/gin_layer.hpp"
#include "weft/train/parameter_list.hpp"

#include "support/catch.hpp"
#include "train/letter_model.hpp"

using weft::ParameterList;
using weft::testing::LetterModel;

namespace {

/// One parameter under two names.
struct SharedWeight {
  weft::Parameter<float, weft::Shape<3>> weight{weft::Shape<3>()};

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(weft::ParameterName(prefix + "first"), self.weight);
    visit(weft::ParameterName(prefix + "second"), self.weight);
  }
};

}  // namespace

TEST_CASE("the list has every parameter by name, with its extents, in the order of the model") {
  LetterModel<float> model;
  const ParameterList parameters(model);
  std::vector<std::string> names;
  weft::Index elements = 0;
  for (const auto& parameter : parameters) {
    names.push_back(parameter.name());
    elements += parameter.size();
  }
  CHECK(names == std::vector<std::string>{"embed.weight", "hidden.weight", "hidden.bias", "norm.weight", "head.weight",
                                          "unused"});
  CHECK(elements == weft::count_parameters(model));
  CHECK(parameters[1].extents() == std::vector<weft::Index>{12, 8});
  CHECK(parameters[1].data() == model.hidden.weight.data());
  CHECK(parameters[5].extents().empty());
  CHECK(parameters[5].size() == 1);
}

TEST_CASE("weight decay spares norms and biases, and nothing else") {
  LetterModel<float> model;
  std::vector<std::string> spared;
  for (const auto& parameter : ParameterList(model)) {
    if (!parameter.decayed()) spared.push_back(parameter.name());
  }
  CHECK(spared == std::vector<std::string>{"hidden.bias", "norm.weight"});

  weft::GINLayer<4, 8> gin;
  std::vector<std::string> decayed;
  for (const auto& parameter : ParameterList<float>(gin)) {
    if (parameter.decayed()) decayed.push_back(parameter.name());
    if (parameter.name() == "normlayer.weight") CHECK(parameter.alias() == "mlp.2.weight");
  }
  CHECK(decayed == std::vector<std::string>{"epsilon", "mlp.0.weight", "mlp.4.weight"});
}

TEST_CASE("a parameter that two layers share is listed once") {
  SharedWeight model;
  const ParameterList<float> parameters(model);
  REQUIRE(parameters.size() == 1);
  CHECK(parameters[0].name() == "first");
}

TEST_CASE("gradients are seen where the parameters keep them, and taken back") {
  LetterModel<float> model;
  const ParameterList parameters(model);
  for (const auto& parameter : parameters) CHECK(parameter.gradient() == nullptr);

  const auto tokens = weft::testing::letters(12);
  const weft::TensorView<const std::int32_t, weft::Shape<2, 6>> ids(tokens.data(), {});
  weft::Tape tape;
  tape.backward(model.loss(tape, ids, ids));
  CHECK(parameters[1].gradient() == model.hidden.weight.gradient().data());
  CHECK(parameters[5].gradient() == nullptr);  // nothing reads it

  parameters.clear_gradients();
  for (const auto& parameter : parameters) CHECK(parameter.gradient() == nullptr);
  CHECK_FALSE(model.hidden.weight.has_gradient());

  CHECK(parameters[0].trainable());
  weft::set_trainable(model.embed, false);
  CHECK_FALSE(parameters[0].trainable());
}
