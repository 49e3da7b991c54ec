#include <iostream>

#include <weft/io.hpp>
#include <weft/weft.hpp>

struct Scribe {  // a model is named by its configuration
  static constexpr weft::LlamaConfig llama{
      .vocab_size = 256, .hidden_size = 64, .intermediate_size = 128, .num_hidden_layers = 2, .num_attention_heads = 4};
  static constexpr weft::GNNConfig gnn{.use_GNN_from_attention = weft::GNNFromAttention::LlamaAttentionGIN,
                                       .attention_GIN_MLP_multiplier = 0.5,
                                       .use_sharpening = true};
};

int main(int argc, char** argv) {
  const std::string text = weft::read_corpus(argc > 1 ? argv[1] : "corpus.txt");
  weft::TokenDataset data(weft::bytes_as_tokens(text), {.block_size = 64, .validation = 0.1});

  weft::LlamaForCausalLMWithGNN<Scribe> model(weft::Rng{42});
  weft::Trainer trainer(model, {.learning_rate = 1e-3, .batch_size = 8, .max_steps = 200});
  trainer.fit(data);

  weft::save_pretrained(model, "scribe");  // config.json, model.safetensors
  const auto loaded = weft::load_pretrained<Scribe>("scribe");
  std::cout << weft::generate(loaded, weft::ByteTokenizer{}, "In the beginning", {.max_new_tokens = 100}) << "\n";
}
