// SPDX-License-Identifier: Apache-2.0
/// \file
/// A small language model for the tests of training, and something for it to read.
#pragma once

#include <string>
#include <vector>

#include "weft/layers/dropout.hpp"
#include "weft/layers/embedding.hpp"
#include "weft/layers/linear.hpp"
#include "weft/layers/rms_norm.hpp"
#include "weft/ops/activation/activation.hpp"
#include "weft/ops/cross_entropy/cross_entropy.hpp"

namespace weft::testing {

inline constexpr int kLetters = 16;

/// Predicts the next letter from the last one. Parameters of every kind that optimisers distinguish: matrices, a bias, a
/// norm, and one that nothing reads.
template <class Scalar>
class LetterModel {
 public:
  using Element = Scalar;
  using Device = Cpu;

  Embedding<kLetters, 8, Scalar> embed;
  Linear<8, 12, Scalar> hidden{true};
  Dropout dropout;
  RMSNorm<12, Scalar> norm;
  Linear<12, kLetters, Scalar> head;
  Parameter<Scalar, Shape<>> unused{Shape<>()};

  explicit LetterModel(std::uint64_t seed = 7, double dropout_probability = 0) : dropout(dropout_probability) {
    Rng rng(seed);
    embed.initialize(rng, 0.5);
    hidden.initialize(rng, 0.3);
    head.initialize(rng, 0.3);
    fill_constant(unused, Scalar{0.25});
  }

  template <class Context, class Ids>
  auto operator()(Context& context, const Ids& ids) const {
    return head(context, norm(context, dropout(context, silu(context, hidden(context, embed(context, ids))))));
  }

  template <class Context, class Ids, class Labels>
  auto loss(Context& context, const Ids& ids, const Labels& labels) const {
    return cross_entropy(context, (*this)(context, ids), labels, CrossEntropyOptions{.shift = true});
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.embed, visit, prefix + "embed.");
    for_each_parameter(self.hidden, visit, prefix + "hidden.");
    for_each_parameter(self.norm, visit, prefix + "norm.");
    for_each_parameter(self.head, visit, prefix + "head.");
    visit(ParameterName(prefix + "unused"), self.unused);
  }
};

/// Letters in which the next one mostly follows from the last one: something to learn.
inline std::vector<std::int32_t> letters(Index count, std::uint64_t seed = 5) {
  const Rng rng(seed);
  std::vector<std::int32_t> tokens;
  std::uint32_t letter = 0;
  for (Index i = 0; i < count; ++i) {
    const auto draw = rng.below(static_cast<std::uint64_t>(i), 10);
    letter = (draw < 8 ? 5 * letter + 3 : letter + draw) % kLetters;
    tokens.push_back(static_cast<std::int32_t>(letter));
  }
  return tokens;
}

/// All values of all parameters, one after the other.
template <class Model>
std::vector<typename Model::Element> weights_of(const Model& model) {
  std::vector<typename Model::Element> weights;
  for_each_parameter(model, [&](const ParameterName&, const auto& parameter) {
    weights.insert(weights.end(), parameter.data(), parameter.data() + parameter.size());
  });
  return weights;
}

}  // namespace weft::testing
