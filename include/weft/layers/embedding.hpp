// SPDX-License-Identifier: Apache-2.0
/// \file
/// The embedding layer.
#pragma once

#include "weft/layers/initialize.hpp"
#include "weft/ops/embedding/embedding.hpp"

namespace weft {

/// Rows of a table, as torch.nn.Embedding. Parameter: `weight` [vocabulary, features].
template <auto VocabularySize, auto Features, class T = float, class DeviceType = Cpu>
class Embedding {
 public:
  Parameter<T, Shape<VocabularySize, Features>, DeviceType> weight;

  /// \param padding_id  the token whose row starts as 0 and takes no gradient from lookups; negative: none
  explicit Embedding(Index vocabulary_size = 0, Index features = 0, Index padding_id = -1)
      : weight(Shape<VocabularySize, Features>::from(
            {resolve_extent<VocabularySize>(vocabulary_size, "Embedding: vocabulary_size"),
             resolve_extent<Features>(features, "Embedding: features")})),
        padding_id_(padding_id) {
    if (padding_id >= weight.extent(0)) {
      fail(
          concat("Embedding: padding_id must be below the vocabulary size ", weight.extent(0), ", found ", padding_id));
    }
  }

  /// \param ids  [...], int32 or int64, each in [0, vocabulary)
  /// \return     [..., features]
  template <class Context, class Ids>
  auto operator()(Context& context, const Ids& ids) const {
    return embedding(context, ids, weight, {.padding_id = padding_id_});
  }

  /// N(0, standard_deviation²); the row of the padding token, if there is one, is zero (Hugging Face's Llama).
  void initialize(Rng& rng, double standard_deviation) {
    fill_normal(weight, rng, standard_deviation);
    if (padding_id_ >= 0) {
      const auto row = static_cast<std::size_t>(weight.extent(1)) * sizeof(T);
      DeviceType::zero(weight.data() + padding_id_ * weight.extent(1), row);
    }
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName(prefix + "weight"), self.weight);
  }

 private:
  Index padding_id_;
};

}  // namespace weft
