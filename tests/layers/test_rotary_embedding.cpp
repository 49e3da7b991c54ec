// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/operand.hpp"
#include "weft/layers/rotary_embedding.hpp"
#include "weft/ops/rotary/rotary.hpp"

#include "support/catch.hpp"

using namespace weft;

namespace {

/// Frequencies that Hugging Face computes in float: the power may differ in its last place.
void check_frequencies(const RotaryEmbedding& rotary, const std::vector<double>& expected) {
  REQUIRE(rotary.inverse_frequencies().size() == expected.size());
  for (std::size_t k = 0; k < expected.size(); ++k) {
    INFO("frequency " << k);
    CHECK(double(rotary.inverse_frequencies()[k]) == Approx(expected[k]).epsilon(3e-7));
  }
}

double frequency_at_length(const RotaryEmbedding& rotary, Index length, std::size_t k) {
  const std::vector<Index> positions{0, length - 1};
  std::vector<float> cos(2 * static_cast<std::size_t>(rotary.head_dim()));
  std::vector<float> sin(cos.size());
  rotary.fill(std::span<const Index>(positions), cos.data(), sin.data());
  return rotary.inverse_frequencies()[k];
}

}  // namespace

TEST_CASE("RotaryEmbedding turns a known vector to the known one") {
  const RotaryEmbedding rotary(4, 1e4);
  Tensor<float, Shape<1, 1, 4>> cos;
  Tensor<float, Shape<1, 1, 4>> sin;
  const Index position = 3;
  rotary.fill(std::span(&position, 1), cos.data(), sin.data());
  Tensor<float, Shape<1, 1, 4>> q;
  q.assign(std::vector<float>{1, 2, 3, 4});
  Inference inference;
  const auto y = rotary_embedding(inference, q, cos, sin, 1);
  const double expected[] = {-1.4133525, 1.8791181, -2.8288574, 4.0581913};
  for (Index i = 0; i < 4; ++i) CHECK(y(0, 0, i) == Approx(expected[i]).epsilon(2e-7));
}

TEST_CASE("RotaryEmbedding's linear scaling divides the frequencies") {
  const RotaryEmbedding rotary(16, 1e4, 128, {.type = RopeType::linear, .factor = 4});
  check_frequencies(rotary,
                    {0.25, 0.07905694097280502, 0.02500000037252903, 0.007905694656074047, 0.0024999999441206455,
                     0.0007905694656074047, 0.0002500000118743628, 7.905694656074047e-05});
}

TEST_CASE("RotaryEmbedding's llama3 scaling has three bands") {
  const RotaryEmbedding small(32, 5e5, 128,
                              {.type = RopeType::llama3, .factor = 8, .original_max_position_embeddings = 32});
  check_frequencies(small,
                    {1.0, 0.21466737985610962, 0.024240344762802124, 0.010674637742340565, 0.004700753837823868,
                     0.0020700551103800535, 0.0009115831344388425, 0.00040143076330423355, 0.00017677668074611574,
                     7.784655463183299e-05, 3.428102354519069e-05, 1.5096217794052791e-05, 6.647869668086059e-06,
                     2.927499735960737e-06, 1.289173155782919e-06, 5.677088097399974e-07});
  const RotaryEmbedding large(128, 5e5, 131072, {.type = RopeType::llama3, .factor = 32});  // Llama-3.2-3B
  const std::pair<std::size_t, double> known[] = {{0, 1.0},
                                                  {1, 8.146172166e-01},
                                                  {28, 3.211446106e-03},
                                                  {29, 2.118406817e-03},
                                                  {32, 4.295567051e-04},
                                                  {34, 9.708286234e-05},
                                                  {35, 2.389053043e-05},
                                                  {63, 7.672314695e-08}};
  for (const auto& [k, frequency] : known) {
    INFO("frequency " << k);
    CHECK(double(large.inverse_frequencies()[k]) == Approx(frequency).epsilon(5e-7));
  }
}

TEST_CASE("RotaryEmbedding's dynamic scaling follows the longest text and resets on a short one") {
  const RotaryEmbedding rotary(16, 1e4, 32, {.type = RopeType::dynamic, .factor = 2});
  const double unscaled = rotary.inverse_frequencies()[1];
  CHECK(frequency_at_length(rotary, 32, 1) == unscaled);
  CHECK(frequency_at_length(rotary, 91, 1) == Approx(0.25360116362571716).epsilon(3e-7));
  check_frequencies(rotary, {1.0, 0.25360116362571716, 0.06431355327367783, 0.016309991478919983, 0.0041362326592206955,
                             0.0010489535052329302, 0.0002660158206708729, 6.746192229911685e-05});
  const double grown = rotary.inverse_frequencies()[1];
  CHECK(frequency_at_length(rotary, 50, 1) == grown);
  CHECK(frequency_at_length(rotary, 32, 1) == grown);
  CHECK(frequency_at_length(rotary, 31, 1) == unscaled);
  CHECK(frequency_at_length(rotary, 50, 1) != unscaled);
}

TEST_CASE("RotaryEmbedding's angles are products in float") {
  const RotaryEmbedding rotary(8, 1e4);
  const std::vector<Index> positions{7, 100003};
  std::vector<double> cos(16);
  std::vector<double> sin(16);
  rotary.fill(std::span<const Index>(positions), cos.data(), sin.data());
  for (std::size_t k = 0; k < 4; ++k) {
    const float angle = rotary.inverse_frequencies()[k] * 100003.0F;
    CHECK(cos[8 + k] == Approx(std::cos(double(angle))).margin(1.2e-7));
    CHECK(sin[8 + k] == Approx(std::sin(double(angle))).margin(1.2e-7));
    CHECK(cos[8 + k] == cos[12 + k]);
    CHECK(sin[8 + k] == sin[12 + k]);
  }
}

TEST_CASE("RotaryEmbedding refuses impossible settings by name") {
  CHECK_THROWS_WITH(RotaryEmbedding(7), "RotaryEmbedding: head_dim must be even and positive, found 7");
  CHECK_THROWS_WITH(RotaryEmbedding(8, 1e4, 128, {.type = RopeType::linear, .factor = 0}),
                    Catch::Matchers::ContainsSubstring("factor of rope_scaling must be positive"));
  CHECK_THROWS_WITH(RotaryEmbedding(2, 1e4, 128, {.type = RopeType::dynamic, .factor = 2}),
                    Catch::Matchers::ContainsSubstring("rope_type dynamic needs head_dim >= 4"));
  CHECK_THROWS_WITH(
      RotaryEmbedding(8, 1e4, 128, {.type = RopeType::llama3, .low_freq_factor = 4}),
      Catch::Matchers::ContainsSubstring("rope_type llama3 needs 0 < low_freq_factor < high_freq_factor"));
}
