// SPDX-License-Identifier: Apache-2.0
#include "examples/support/packed_texts.hpp"
#include "models/tiny_models.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;
using examples::Tokens;

namespace {

constexpr std::int32_t pad = 0;
constexpr std::int32_t begin = 1;

const std::vector<Tokens> texts{{1, 7, 8, 9, 2}, {1, 5, 2}, {1, 3, 4, 5, 6, 2}, {1, 9, 2}};

/// The mean loss of texts that the model sees one by one.
template <class Model>
double loss_apart(const Model& model) {
  Inference inference;
  double sum = 0;
  double predicted = 0;
  for (const Tokens& text : texts) {
    const auto count = static_cast<Index>(text.size());
    const TensorView<const std::int32_t, Shape<Dyn, Dyn>> ids(text.data(), Shape<Dyn, Dyn>(1, count));
    inference.reset();
    sum += static_cast<double>(count - 1) * static_cast<double>(model.loss(inference, ids, ids)());
    predicted += static_cast<double>(count - 1);
  }
  return sum / predicted;
}

}  // namespace

TEST_CASE("texts go whole into the first row that has room") {
  CHECK(examples::fill_rows(texts, 9, pad) == Tokens{1, 7, 8, 9, 2, 1, 5, 2, 0, 1, 3, 4, 5, 6, 2, 1, 9, 2});
  CHECK(examples::fill_rows({{1, 2}}, 2, pad) == Tokens{1, 2});
  CHECK_THROWS_WITH(examples::fill_rows(texts, 5, pad), "a row of 5 tokens has no room for a text of 6");
}

TEST_CASE("held-out texts are the blocks of validation, all of them") {
  for (const std::size_t count : {1U, 2U, 7U, 50U}) {
    const std::vector<Tokens> training(3 * count, Tokens(9, 4));
    const std::vector<Tokens> held_out(count, Tokens(9, 5));
    const TokenDataset data = examples::packed_dataset(training, held_out, 9, pad, 1);
    CHECK(data.training_blocks() == 3 * static_cast<Index>(count));
    REQUIRE(data.validation_blocks() == static_cast<Index>(count));
    CHECK(data.validation_batch(0, 1).ids(0, 0) == 5);
  }
}

TEST_CASE("packed texts have the loss that they have apart") {
  auto model = random_model<TinyGIN>(3);
  const Tokens rows = examples::fill_rows(texts, 9, pad);
  const TensorView<const std::int32_t, Shape<Dyn, Dyn>> ids(rows.data(), Shape<Dyn, Dyn>(2, 9));
  examples::PackedModel packed(model, begin, pad);
  Inference inference;
  const auto loss = static_cast<double>(packed.loss(inference, ids, ids)());
  CHECK(std::abs(loss - loss_apart(model)) < 1e-5);
  CHECK(list_parameters(packed).size() == list_parameters(model).size());
}
