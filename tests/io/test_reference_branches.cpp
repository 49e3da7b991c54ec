// SPDX-License-Identifier: Apache-2.0
// Every branch of a configuration in which the reference raises: it works here in its intended form, or is refused by name
// before a model is built. Branches of a single layer's call are in the tests of the layers.
#include <string>
#include <vector>

#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_gin.hpp"
#include "weft/io/json_config.hpp"
#include "weft/io/model_file.hpp"

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/temporary_folder.hpp"

using namespace weft;
using Catch::Matchers::ContainsSubstring;

namespace {

/// What reading and checking a file says: nothing where the model can be built.
std::string answer(const std::string& llama, const std::string& gnn) {
  const std::string text =
      concat(R"({"hidden_size":64,"intermediate_size":96,)", llama, R"("gnn_config":{)", gnn, "}}");
  try {
    const PretrainedConfig config = parse_config(text, "f");
    validate(config.llama, config.gnn);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

struct Branch {
  const char* gnn;
  const char* refusal = "";  ///< part of it; nothing where the branch works
  const char* llama = R"("num_attention_heads":4,)";
};

void check(const std::vector<Branch>& branches) {
  for (const Branch& branch : branches) {
    INFO(branch.llama << branch.gnn);
    const std::string found = answer(branch.llama, branch.gnn);
    if (*branch.refusal == '\0') {
      CHECK(found == "");
    } else {
      CHECK_THAT(found, ContainsSubstring(branch.refusal));
    }
  }
}

#define GIN R"("use_GNN_from_attention":"LlamaAttentionGIN")"
#define PNA R"("use_GNN_from_attention":"LlamaAttentionPNA")"
#define PNA_LM R"("use_GNN_from_attention":"LlamaAttentionPNA_LM")"
#define CG R"("use_GNN_from_attention":"CG_Attention")"
#define CGI R"("use_GNN_from_attention":"CG_Attention_Interpolate")"
#define PREFIX "attention_GIN_MLP_"

}  // namespace

TEST_CASE("branches of attention in which the reference raises work or are refused by name") {
  check({
      {GIN R"(,")" PREFIX R"(GIN_mode":"GINLayer_Var_A")", "\"default\" (the reference has no GINLayer_Var_A)"},
      {GIN, "num_key_value_heads must be hidden_size / head_dim",
       R"("num_attention_heads":4,"num_key_value_heads":2,)"},
      {GIN, "unless attention_GIN_MLP_o_proj_at_end is true",
       R"("num_attention_heads":8,"num_key_value_heads":4,"head_dim":16,)"},
      {GIN R"(,")" PREFIX R"(o_proj_at_end":true)", "",
       R"("num_attention_heads":8,"num_key_value_heads":4,"head_dim":16,)"},
      {GIN R"(,"use_differential_attention":true)"},  // the model numbers its layers
      {GIN R"(,"use_sharpening":true,"sharpening_value_init":"ones")",
       "sharpening_value_init must be one of \"value\", \"random\""},
      // Whole numbers where a parameter starts
      {GIN R"(,")" PREFIX R"(GIN_threshold_value":1,"residual_epsilon_uniform_value":1,"initial_sharpening_value":2)"},
      {PNA R"(,")" PREFIX R"(GIN_threshold_value":1,"residual_epsilon_uniform_value":1)"},
      {PNA_LM R"(,")" PREFIX R"(GIN_threshold_value":1,"residual_epsilon_uniform_value":1)"},
      {GIN R"(,")" PREFIX R"(GIN_threshold_mode":"hard")", "attention_GIN_MLP_GIN_threshold_mode must be one of"},
      {PNA_LM R"(,")" PREFIX R"(multiplier":0.5)"},
      {PNA_LM R"(,")" PREFIX R"(multiplier":2.0)"},
      {"", "head_dim must be even", R"("num_attention_heads":4,"head_dim":7,)"},
      {"", "num_key_value_heads must be a divisor", R"("num_attention_heads":4,"num_key_value_heads":3,)"},
  });
  for (const char* kind : {GIN, PNA, PNA_LM}) {
    for (const auto& [mode, fraction, range] : {std::tuple("scaled_topk_causal_4d", "0", "in (0, 1]"),
                                                {"scaled_topk_causal_4d", "1.5", "in (0, 1]"},
                                                {"top_k", "1.5", "at most 1"}}) {
      CHECK_THAT(answer(R"("num_attention_heads":4,)",
                        concat(kind, R"(,")" PREFIX R"(GIN_threshold_mode":")", mode,
                               R"(",")" PREFIX R"(GIN_top_k_fraction_of_sequence_length":)", fraction)),
                 ContainsSubstring(concat("must be ", range, " with the threshold mode ", mode)));
    }
  }
}

TEST_CASE("branches of attention that make the reference's numbers infinite are refused by name") {
  check({{GIN R"(,")" PREFIX R"(GIN_use_softmax":false)", "which would sum values with the mask"},
         {GIN R"(,")" PREFIX R"(GIN_use_softmax":false,")" PREFIX R"(GIN_threshold_mode":"silu")"},
         {PNA R"(,")" PREFIX R"(GIN_use_softmax":false,")" PREFIX R"(GIN_use_ReLU_instead_of_softmax":false)",
          "without ReLU, which would sum values with the mask"},
         {PNA R"(,")" PREFIX R"(GIN_use_softmax":false)"}});
}

TEST_CASE("branches of the sparse graph network in which the reference raises work or are refused by name") {
#define SINGLE R"("gnn_mode":"single")"
  check({
      {SINGLE, "gnn_type must be one of \"causal_gin\""},
      {SINGLE R"(,"gnn_type":"causal_gat")", "gnn_type must be one of"},
      {SINGLE R"(,"gnn_type":"causal_gin")"},
      {SINGLE R"(,"gnn_type":"causal_gin","activation":"swish")", "activation must be one of"},
      {SINGLE R"(,"gnn_type":"causal_pna")", "another unless pna_form is \"corrected\""},
      {SINGLE R"(,"gnn_type":"causal_pna","num_layers":2,"semantics":"intended")"},
      {SINGLE R"(,"gnn_type":"causal_pna","edge_dim":3,"towers":2,"hidden_dim":8,"semantics":"intended",)"
              R"("aggregators":["std","max"],"scalers":["identity","attenuation"])"},
      {SINGLE R"(,"gnn_type":"causal_pna","aggregators":["median"])", "aggregators"},
      {SINGLE R"(,"gnn_type":"causal_pna","scalers":["linear"])", "scalers"},
      {R"("gnn_mode":"both")", "gnn_mode must be one of \"none\", \"single\", \"per_head\""},
      {SINGLE R"(,"gnn_type":"causal_gin","adj_construction_method":"median")",
       "adj_construction_method must be one of"},
      {R"("gnn_mode":"per_head","gnn_type":"causal_gin","adj_construction_method":"learnable_aggregate")"},
      {SINGLE R"(,"gnn_type":"causal_gin","add_rope":true)", "add_rope must be false with more than one head"},
      {SINGLE R"(,"gnn_type":"causal_gin","add_rope":true,"add_rope_per_head":true)"},
      {SINGLE R"(,"gnn_type":"causal_gin","add_rope":true)", "", R"("num_attention_heads":1,)"},
      {R"("gnn_mode":"per_head","gnn_type":"causal_gin","add_rope":true)"},
      {R"("threshold":1)"},
      {R"("threshold":-1)", "threshold must be at least 0"},
      {R"("gnn_logic":"between")", "gnn_logic must be one of"},
      {R"("no_such_keyword":1)"},  // kept, and written again
  });
#undef SINGLE
}

TEST_CASE("branches of coarse-grained attention in which the reference raises work or are refused by name") {
  const char* const weights = "gnn_mode must be \"none\" with coarse-grained attention";
  check({
      {CG R"(,"gnn_type":"causal_gin","gnn_mode":"single")", weights},
      {CGI R"(,"gnn_type":"causal_gin","gnn_mode":"per_head")", weights},
      {CG R"(,"max_position_embeddings":2048,"num_latents_list":[48])", "at most tokens_per_latent * num_latents"},
      {CG R"(,"max_position_embeddings":2048,"num_latents_list":[48],"tokens_per_latent":43)"},
      {CG R"(,"max_position_embeddings":8,"num_latents_list":[9])", "at most tokens_per_latent * num_latents"},
      {CG R"(,"max_position_embeddings":8,"num_latents_list":[8])"},
      {CGI R"(,"max_position_embeddings":8,"num_latents_list":[8])", "below gnn_config.max_position_embeddings"},
      {CG R"(,"num_latent_layers":0)"},
      {CGI R"(,"num_latent_layers":0)", "num_latent_layers must be positive"},
      {CGI R"(,"mix_weights_initial":1)"},
  });
}

TEST_CASE("feed-forward blocks that the reference's decoder cannot find work in every place") {
  for (const char* type :
       {"LlamaMLP_HalfwayGIN", "LlamaMLP_HalfwayGIN_MultiHop", "LlamaMLP_HalfwayGIN_MultiAggregation"}) {
    for (const char* logic : {"before_MLP", "after_MLP", "parallel_GNN_MLP"}) {
      const std::string gnn = concat(R"("MLP_type":")", type, R"(","gnn_logic":")", logic, "\"");
      CHECK(answer(R"("num_attention_heads":4,)", gnn) == "");
    }
    CHECK_THAT(answer(R"("num_attention_heads":5,"head_dim":4,)", concat(R"("MLP_type":")", type, "\"")),
               ContainsSubstring("a multiple of num_attention_heads"));
  }
}

TEST_CASE("a configuration without a graph network is a plain Llama") {
  const PretrainedConfig config = parse_config(R"({"hidden_size":64,"num_attention_heads":4})", "f");
  CHECK(config.gnn == GNNConfig{});
  CHECK(validate(config.llama, config.gnn));
}

TEST_CASE("parameters of standard attention are not taken for those of GIN attention") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "attention.safetensors";
  LlamaAttention<8, 2> standard;
  testing::randomize_parameters(standard, 1);
  save_parameters(path, standard);
  LlamaAttentionGIN<8, 2> gin({.multiplier = 1});
  CHECK_THROWS_WITH(load_parameters(path, gin), ContainsSubstring("gin_layers.0.epsilon"));
  LlamaAttention<8, 2> other;
  load_parameters(path, other);
  CHECK(other.v_proj.weight.data()[3] == standard.v_proj.weight.data()[3]);
}
