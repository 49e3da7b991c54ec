// SPDX-License-Identifier: Apache-2.0
// make_llama FOLDER VOCABULARY [TOKEN]: a tiny plain Llama as Hugging Face lays it out, with random 16-bit weights. It is
// written without the classes that read it. TOKEN has the score 0, and is never the most probable one.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>

#include "weft/io/safetensors_writer.hpp"
#include "weft/io/text_file.hpp"
#include "weft/tensor/rng.hpp"
#include "weft/tensor/tensor.hpp"

namespace {

using Matrix = weft::Tensor<weft::bf16, weft::Shape<weft::Dyn, weft::Dyn>>;
using Vector = weft::Tensor<weft::bf16, weft::Shape<weft::Dyn>>;

constexpr weft::Index kHidden = 16;
constexpr weft::Index kKeys = 8;
constexpr weft::Index kWidth = 24;

class Weights {
 public:
  Matrix& add(const std::string& name, weft::Index rows, weft::Index columns) {
    Matrix& matrix = matrices_.emplace_back(weft::Shape<weft::Dyn, weft::Dyn>(rows, columns));
    for (weft::Index i = 0; i < matrix.size(); ++i) {
      matrix.data()[i] = weft::bf16(0.3F * static_cast<float>(rng_.normal(drawn_++)));
    }
    writer_.add(name + ".weight", matrix);
    return matrix;
  }

  void add_norm(const std::string& name) {
    Vector& vector = vectors_.emplace_back(weft::Shape<weft::Dyn>(kHidden));
    for (weft::Index i = 0; i < kHidden; ++i) vector.data()[i] = weft::bf16(1);
    writer_.add(name + ".weight", vector);
  }

  void write(const std::string& path) { writer_.write(path); }

 private:
  weft::SafetensorsWriter writer_{{{"format", "pt"}}};
  std::deque<Matrix> matrices_;  // stay where they are
  std::deque<Vector> vectors_;
  weft::Rng rng_{7};
  std::uint64_t drawn_ = 0;
};

weft::Index number(std::string_view digits) {
  weft::Index value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return EXIT_FAILURE;
  const std::string folder = argv[1];
  const weft::Index vocabulary = number(argv[2]);
  Weights weights;
  Matrix& embedding = weights.add("model.embed_tokens", vocabulary, kHidden);
  if (argc == 4) std::fill_n(embedding.data() + number(argv[3]) * kHidden, kHidden, weft::bf16(0));
  for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
    weights.add(layer + "self_attn.q_proj", kHidden, kHidden);
    weights.add(layer + "self_attn.k_proj", kKeys, kHidden);
    weights.add(layer + "self_attn.v_proj", kKeys, kHidden);
    weights.add(layer + "self_attn.o_proj", kHidden, kHidden);
    weights.add(layer + "mlp.gate_proj", kWidth, kHidden);
    weights.add(layer + "mlp.up_proj", kWidth, kHidden);
    weights.add(layer + "mlp.down_proj", kHidden, kWidth);
    weights.add_norm(layer + "input_layernorm");
    weights.add_norm(layer + "post_attention_layernorm");
  }
  weights.add_norm("model.norm");
  std::filesystem::create_directories(folder);
  weights.write(folder + "/model.safetensors");
  weft::write_text(folder + "/config.json",
                   weft::concat(R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": )",
                                vocabulary, R"(, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
 "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": true,
 "eos_token_id": null, "torch_dtype": "bfloat16"}
)"));
}
