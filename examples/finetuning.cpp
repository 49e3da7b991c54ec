// SPDX-License-Identifier: Apache-2.0
// The examples of docs/finetuning.md: a test compares the two. They work in the current folder, one after the other.
//   finetuning TEXT
#include <iostream>

#include "weft/io.hpp"
#include "weft/tokenizers.hpp"
#include "weft/weft.hpp"

namespace {

struct Plain {
  static constexpr weft::LlamaConfig llama{
      .vocab_size = 256, .hidden_size = 32, .intermediate_size = 48, .num_hidden_layers = 2, .num_attention_heads = 2};
  static constexpr weft::GNNConfig gnn{};
};

void make_base(weft::TokenDataset& data) {
  weft::LlamaForCausalLMWithGNN<Plain> model(weft::Rng{42});
  weft::Trainer(model, {.learning_rate = 3e-3, .batch_size = 4, .max_steps = 5}).fit(data);
  weft::save_pretrained(model, "base");
}

std::size_t protein_tokenizer(const std::vector<std::string_view>& proteins) {
  weft::BPETrainingOptions options{.vocab_size = 20};  // fewer than there are in any case: no pair is merged
  for (const char residue : std::string_view("ARNDCEQGHILKMFPSTWYV")) options.special_tokens.emplace_back(1, residue);
  for (const char* label : {"AH", "BS", "UNSTRUCTURED", "BEND", "PHIHELIX", "310HELIX", "BETABRIDGE", "T"}) {
    options.special_tokens.push_back(weft::concat("<|", label, "|>"));
  }
  const weft::Tokenizer tokenizer = weft::train_bpe(proteins, options);  // 271 tokens
  const auto tokens = tokenizer.encode("<|begin_of_text|><|sequence|>MKV<|/sequence|><|eot_id|>");
  return tokens.size();
}

double sparse_gin(weft::TokenDataset& data) {
  const weft::GNNConfig gnn{.num_layers = 1,
                            .hidden_dim = 8,
                            .activation = weft::GNNActivation::prelu,
                            .dropout = 0.1,
                            .gnn_type = weft::GNNType::causal_gin,
                            .gnn_mode = weft::GNNMode::single,
                            .gnn_residual = false,
                            .GIN_hidden_dim_multiplier = 1,
                            .lambda_GNN = 0.5,
                            .lambda_GNN_initial = 0.0,  // of the first layer; lambda_GNN of the last
                            .threshold = 0.1,
                            .epsilon_threshold = 0.6};
  const weft::LlamaConfig llama = weft::read_config("base/config.json").llama;
  weft::LlamaForCausalLMWithGNN<weft::Dynamic> model(llama, gnn, weft::Rng{42});
  weft::load_pretrained_transformer("base", model);         // the graph network keeps its first values
  weft::freeze_except_select(model, weft::graph_keywords);  // everything else stays as it is
  weft::Trainer trainer(model, {.learning_rate = 1e-2, .batch_size = 4, .max_steps = 20});
  trainer.fit(data);
  weft::save_pretrained(model, "sparse_gin");
  return trainer.evaluate(data).loss;
}

bool lora(weft::TokenDataset& data) {
  auto model = weft::load_pretrained<weft::Dynamic>("base");
  weft::add_lora(model, {.r = 4, .lora_alpha = 8, .target_modules = {"all-linear"}}, weft::Rng{42});
  weft::Trainer trainer(model, {.learning_rate = 1e-2, .batch_size = 4, .max_steps = 20});  // after add_lora
  trainer.fit(data);
  weft::save_lora(model, "adapter", "base");  // the adapters alone, in PEFT's layout
  weft::merge_lora(model);                    // W += alpha / r B A
  weft::save_pretrained(model, "merged");     // a plain Llama again
  return weft::has_lora(model);
}

bool lora_again() {
  auto model = weft::load_pretrained<weft::Dynamic>("base");
  weft::load_lora(model, "adapter");  // what PEFT has saved as well
  weft::remove_lora(model);           // the base model, to the bit
  weft::load_lora(model, "adapter");  // or another one
  return weft::has_lora(model);
}

weft::Index freezing() {
  auto model = weft::load_pretrained<weft::Dynamic>("sparse_gin");
  weft::freeze_except_select(model, weft::graph_keywords);
  const weft::Index graph = weft::count_trainable_parameters(model);
  weft::freeze_except_original_no_trainable_scale(model, weft::graph_keywords, weft::Semantics::intended);
  const weft::Index transformer = weft::count_trainable_parameters(model);
  weft::unfreeze_all(model);
  return weft::count_parameters(model) - graph - transformer;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string text = weft::read_corpus(argc > 1 ? argv[1] : "corpus.txt");
  weft::TokenDataset data(weft::bytes_as_tokens(text), {.block_size = 32, .validation = 0.1});
  make_base(data);
  std::cout << "a protein of three residues: " << protein_tokenizer({"MKVLAA", "GSHM"}) << " tokens\n"
            << "validation with Sparse-GIN: " << sparse_gin(data) << "\n";
  if (lora(data) || !lora_again() || freezing() != 0) {
    std::cout << "adapters are there when they should not be, or not there, or parameters are counted wrongly\n";
    return 1;
  }
}
