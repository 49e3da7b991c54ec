// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "weft/graph/causal_graph_neural_network.hpp"
#include "weft/io/model_file.hpp"

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/temporary_folder.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("A parameter with several names is written under all of them and read under any") {
  const CausalGraphNeuralNetworkOptions options{.type = GraphType::causal_gcn,
                                                .activation = GraphActivation::prelu,
                                                .num_layers = 2,
                                                .transformer_hidden_dim = 3,
                                                .hidden_dim = 3};
  CausalGraphNeuralNetwork<Dyn> network(options);
  randomize_parameters(network, 1);
  const TemporaryFolder folder;
  const std::string path = folder / "network.safetensors";
  save_parameters(path, network);
  const SafetensorsFile file(path);
  for (const char* name : {"activation.weight", "convs.0.activation_fn.weight", "convs.1.activation_fn.weight"}) {
    CHECK(file.contains(name));
  }
  CausalGraphNeuralNetwork<Dyn> other(options);
  load_parameters(path, other);
  CHECK(other.activation->data()[0] == network.activation->data()[0]);

  // Only the last name.
  SafetensorsWriter writer(std::map<std::string, std::string>{});
  for_each_parameter(network, [&](const ParameterName& name, const auto& parameter) {
    writer.add(name.further_aliases.empty() ? name.name : name.further_aliases.back(), parameter);
  });
  const std::string last = folder / "last.safetensors";
  writer.write(last);
  CausalGraphNeuralNetwork<Dyn> third(options);
  load_parameters(last, third);
  CHECK(third.activation->data()[0] == network.activation->data()[0]);
}

TEST_CASE("Tensors that are one are told from others by pieces, the first and the last among them") {
  for (const std::size_t size : {std::size_t{1}, std::size_t{5000}, std::size_t{262144}, std::size_t{300001}}) {
    CAPTURE(size);
    const std::vector<std::byte> bytes(size);
    std::vector<std::byte> others = bytes;
    const Index extent = static_cast<Index>(size);
    const auto tensor = [&](const std::vector<std::byte>& of, const char* dtype) {
      return SafetensorsTensor{"t", dtype, std::span(&extent, 1), of};
    };
    const auto alike = [&] { return detail::seem_alike(tensor(bytes, "U8"), tensor(others, "U8")); };
    CHECK(alike());
    CHECK_FALSE(detail::seem_alike(tensor(bytes, "U8"), tensor(others, "I8")));
    for (const std::size_t at : {std::size_t{0}, size - 1, size > 8192 ? size / 63 * 31 + 100 : size / 2}) {
      others[at] = std::byte{1};
      CHECK_FALSE(alike());
      others[at] = std::byte{0};
    }
    others.push_back(std::byte{0});
    CHECK_FALSE(alike());
  }
}

TEST_CASE("A parameter that a file has twice with different values is noted, and the first name wins") {
  const CausalGraphNeuralNetworkOptions options{.type = GraphType::causal_gcn,
                                                .activation = GraphActivation::prelu,
                                                .num_layers = 2,
                                                .transformer_hidden_dim = 3,
                                                .hidden_dim = 3};
  CausalGraphNeuralNetwork<Dyn> network(options);
  randomize_parameters(network, 1);
  const Tensor<float, Shape<1>> another;
  SafetensorsWriter writer(std::map<std::string, std::string>{});
  for_each_parameter(network, [&](const ParameterName& name, const auto& parameter) {
    writer.add(name.name, parameter);
    if (name.name != "activation.weight") return;
    writer.add("convs.0.activation_fn.weight", another);
    writer.add("convs.1.activation_fn.weight", parameter);
  });
  const TemporaryFolder folder;
  const std::string path = folder / "network.safetensors";
  writer.write(path);
  CausalGraphNeuralNetwork<Dyn> other(options);
  std::vector<std::string> notes;
  detail::load_parameters(SafetensorsFile(path), list_parameters(other), "", false, &notes);
  CHECK(other.activation->data()[0] == network.activation->data()[0]);
  CHECK(notes ==
        std::vector<std::string>{path + ": tensors \"activation.weight\" and \"convs.0.activation_fn.weight\" are one "
                                        "parameter of this model, but differ; the first is used"});
}
