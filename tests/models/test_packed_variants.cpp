// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "models/variants.hpp"
#include "ops/op_checks.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

constexpr Index kVocab = 11, kTokens = 6;
constexpr std::int32_t kEnds[] = {0, 2, 6, 9, 10, 12};  // in two rows
constexpr std::size_t kSequences = std::size(kEnds) - 1;

/// A view of the ids of one sequence, as a text of its own.
TensorView<const std::int32_t, Shape<Dyn, Dyn>> sequence(const Ids& ids, std::size_t s) {
  return {ids.data() + kEnds[s], Shape<Dyn, Dyn>(1, kEnds[s + 1] - kEnds[s])};
}

/// Variants in which something could join two sequences: hidden pairs that a transform makes edges of, both directions,
/// whatever is added to scores, weights that no softmax has been over.
std::vector<Variant> variants_that_could_leak() {
  const auto network = [](GNNConfig gnn) {
    gnn.num_layers = 1;
    gnn.hidden_dim = 5;
    gnn.activation = GNNActivation::tanh;
    gnn.gnn_type = GNNType::causal_recombination;
    gnn.gnn_mode = GNNMode::single;
    gnn.threshold = 0.1;
    return gnn;
  };
  const auto open = [&](GNNConfig gnn, EdgeDirection direction) {
    gnn = network(gnn);
    gnn.zero_below_epsilon_threshold = false;
    gnn.enforce_causality = false;
    gnn.compatibility.edge_direction = direction;
    return gnn;
  };
  auto low_threshold = network({.compatibility = {.edge_direction = EdgeDirection::key_to_query}});
  low_threshold.threshold = 0.02;
  low_threshold.epsilon_threshold = 0.4;
  const GNNConfig raw{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA,
                      .attention_GIN_MLP_multiplier = 1,
                      .attention_GIN_MLP_GIN_threshold_mode = ThresholdMode::sigmoid_elementwise,
                      .attention_GIN_MLP_GIN_use_softmax = false};
  GNNConfig any = raw;
  any.adj_construction_method = AdjacencyMethod::threshold_any;
  GNNConfig learned;
  learned.adj_construction_method = AdjacencyMethod::learnable_aggregate;
  learned.learnable_aggregate_activation = AggregateActivation::sigmoid;
  learned.adj_transform_hidden_dim = 4;
  GNNConfig aggregates{.MLP_type = MLPType::LlamaMLP_HalfwayGIN_MultiAggregation};
  GNNConfig top_k{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN};
  top_k.attention_GIN_MLP_GIN_threshold_mode = ThresholdMode::top_k;
  return {
      {"from keys", open({}, EdgeDirection::key_to_query)},
      {"from keys, low threshold", low_threshold},
      {"from keys, rotary positions",
       open({.add_rope = true, .compatibility = {.add_rope_per_head = true}}, EdgeDirection::key_to_query)},
      {"in the reference's direction", open({}, EdgeDirection::reference)},
      {"in the reference's direction, several aggregates", open(aggregates, EdgeDirection::reference)},
      {"raw weights, largest sigmoid", open(any, EdgeDirection::key_to_query)},
      {"learned adjacency, sigmoid", open(learned, EdgeDirection::key_to_query)},
      {"learned adjacency, softmax",
       open({.adj_construction_method = AdjacencyMethod::learnable_aggregate, .adj_transform_hidden_dim = 4},
            EdgeDirection::key_to_query)},
      {"size of the states", network({.norm_to_hidden_states = true})},
      {"top_k", top_k},
  };
}

std::vector<Variant> packed_variants() {
  std::vector<Variant> all = all_variants();
  for (const Variant& variant : variants_that_could_leak()) all.push_back(variant);
  return all;
}

/// What is said where sequences cannot be told apart; empty where they can.
std::string refusal(const Variant& variant) {
  const std::map<std::string, std::string> refusals{
      {"GIN, differential, group norm", "cannot tell packed sequences apart"},
      {"sparse GIN, distances", "GraphAdapter: use_distance_scaling looks at a whole row"},
      {"recombination, learned adjacency, intended", "GraphAdapter: the softmax of learnable_aggregate looks at"},
      {"learned adjacency, softmax", "GraphAdapter: the softmax of learnable_aggregate looks at a whole row"},
      {"size of the states", "GraphAdapter: norm_to_hidden_states looks at a whole row"},
      {"top_k", "threshold mode \"top_k\" counts all keys and cannot tell packed sequences apart"}};
  const auto found = refusals.find(variant.name);
  return found != refusals.end() ? found->second : "";
}

template <class SomeIds>
std::vector<double> logits_of(const VariantModel& model, const SomeIds& ids, const ModelInputs& inputs = {}) {
  Inference inference;
  const auto logits = model(inference, ids, inputs);
  return {logits.data(), logits.data() + logits.size()};
}

/// The gradients of all parameters, which are cleared; 0 where there is none.
std::vector<double> take_gradients(VariantModel& model) {
  std::vector<double> all;
  for_each_parameter(model, [&](const ParameterName&, const auto& parameter) {
    for (Index i = 0; i < parameter.size(); ++i) {
      all.push_back(parameter.has_gradient() ? parameter.gradient().data()[i] : 0);
    }
  });
  clear_gradients(model);
  return all;
}

/// The largest difference between packed sequences and each of them alone, in logits, loss and gradients.
double largest_packing_error(VariantModel& model, const Ids& ids, const PackedSequences& packed) {
  std::vector<double> alone;
  double loss_alone = 0;
  const double predicted = 12 - static_cast<double>(kSequences);
  for (std::size_t s = 0; s < kSequences; ++s) {
    const auto own = sequence(ids, s);
    const auto logits = logits_of(model, own);
    alone.insert(alone.end(), logits.begin(), logits.end());
    if (own.size() < 2) continue;
    Tape tape;
    const double share = static_cast<double>(own.size() - 1) / predicted;
    const auto loss = model.loss(tape, own, own);
    tape.backward(loss, share);
    loss_alone += share * *loss.data();
  }
  const auto gradients_alone = take_gradients(model);
  Tape tape;
  const auto labels = packed.labels(ids);
  const auto loss = model.loss(tape, ids, labels, {.packed = &packed});
  tape.backward(loss);
  auto all = logits_of(model, ids, {.packed = &packed});
  const auto gradients = take_gradients(model);
  all.insert(all.end(), gradients.begin(), gradients.end());
  all.push_back(*loss.data());
  alone.insert(alone.end(), gradients_alone.begin(), gradients_alone.end());
  alone.push_back(loss_alone);
  return largest_difference(all, alone);
}

}  // namespace

TEST_CASE("packed sequences have the logits, loss and gradients of separate ones in every variant, or are refused") {
  const PackedSequences packed(kEnds, 2, kTokens);
  const auto ids = random_ids(2, kTokens, 4, kVocab);
  std::size_t refused = 0;
  for (const Variant& variant : packed_variants()) {
    INFO(variant.name);
    auto model = make_variant(variant, 3);
    if (const std::string message = refusal(variant); !message.empty()) {
      ++refused;
      CHECK_THROWS_WITH(logits_of(model, ids, {.packed = &packed}), Catch::Matchers::ContainsSubstring(message));
      continue;
    }
    CHECK(largest_packing_error(model, ids, packed) < 1e-9);
  }
  CHECK(refused == 6);
}

TEST_CASE("what one packed sequence says moves no logit of another, by not a single bit") {
  const PackedSequences packed(kEnds, 2, kTokens);
  const auto ids = random_ids(2, kTokens, 4, kVocab);
  for (const Variant& variant : packed_variants()) {
    if (!refusal(variant).empty()) continue;
    INFO(variant.name);
    const auto model = make_variant(variant, 3);
    const auto before = logits_of(model, ids, {.packed = &packed});
    for (std::size_t s = 0; s < kSequences; ++s) {
      auto changed = ids.clone();
      for (Index t = kEnds[s]; t < kEnds[s + 1]; ++t) changed.data()[t] = (changed.data()[t] + 3) % 11;
      auto after = logits_of(model, changed, {.packed = &packed});
      CHECK(after != before);
      std::copy(before.begin() + kEnds[s] * kVocab, before.begin() + kEnds[s + 1] * kVocab,
                after.begin() + kEnds[s] * kVocab);
      CHECK(after == before);
    }
  }
}

TEST_CASE("a step on packed sequences has the same bits for any number of threads and allocates nothing once warm") {
  const PackedSequences packed(kEnds, 2, kTokens);
  const auto ids = random_ids(2, kTokens, 4, kVocab);
  const auto labels = packed.labels(ids);
  for (const Variant& variant : attention_variants()) {
    if (!refusal(variant).empty()) continue;
    INFO(variant.name);
    auto model = make_variant(variant, 3);
    Tape tape;
    const auto step = [&] {
      tape.reset();
      tape.backward(model.loss(tape, ids, labels, {.packed = &packed}));
    };
    CHECK(same_bits_for_any_thread_count([&] {
      step();
      auto all = take_gradients(model);
      const auto logits = logits_of(model, ids, {.packed = &packed});
      all.insert(all.end(), logits.begin(), logits.end());
      return all;
    }));
    for (int warm = 0; warm < 3; ++warm) step();
    const auto before = allocations();
    for (int again = 0; again < 3; ++again) step();
    CHECK(allocations() == before);
  }
}

TEST_CASE("an additional adjacency joins no packed sequences") {
  const PackedSequences packed(kEnds, 2, kTokens);
  const auto ids = random_ids(2, kTokens, 4, kVocab);
  const auto model = make_variant(variants_that_could_leak().front(), 3);
  Tensor<double, Shape<Dyn, Dyn, Dyn>> extra(Shape<Dyn, Dyn, Dyn>(2, kTokens, kTokens));
  const auto before = logits_of(model, ids, {.packed = &packed});
  extra(0, 1, 3) = extra(0, 3, 1) = 0.7;  // of different sequences
  CHECK(logits_of(model, ids, {.packed = &packed, .additional_adj = extra}) == before);
  extra(0, 5, 3) = 0.7;
  CHECK(logits_of(model, ids, {.packed = &packed, .additional_adj = extra}) != before);
}

TEST_CASE("packed sequences whose length would change the angles of others are refused") {
  const PackedSequences packed(kEnds, 2, kTokens);
  const auto ids = random_ids(2, kTokens, 4, kVocab);
  auto llama = variant_llama({"plain", {}});
  llama.rope_scaling = {.type = RopeType::dynamic, .factor = 2};
  llama.max_position_embeddings = 4;
  VariantModel model(llama, {}, Rng(3));
  randomize_parameters(model, 3, 0.4);
  CHECK(largest_packing_error(model, ids, packed) < 1e-9);
  llama.max_position_embeddings = 3;
  const VariantModel shorter(llama, {}, Rng(3));
  CHECK_THROWS_WITH(logits_of(shorter, ids, {.packed = &packed}),
                    Catch::Matchers::ContainsSubstring("must not exceed max_position_embeddings = 3, found one of 4"));
}
