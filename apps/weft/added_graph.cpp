// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/added_graph.hpp"

#include <type_traits>

#include "weft/io/config_reader.hpp"
#include "weft/models/config.hpp"

namespace apps {

namespace {

/// Calls `visit(name, field, ...)` for everything that only the sparse graph network reads, but for switches.
template <class Config, class Visit>
void visit_graph(Config& config, Visit&& visit) {
  weft::detail::visit_sparse_graph_fields(config, visit);
  weft::detail::visit_adjacency_fields(config, visit);
  weft::detail::visit_causal_pna_fields(config, visit);
}

void take_graph(weft::GNNConfig& config, const weft::GNNConfig& graph) {
  std::vector<const void*> values;
  visit_graph(graph, [&](const char*, const auto& field, auto...) { values.push_back(&field); });
  auto value = values.begin();
  visit_graph(config, [&](const char*, auto& field, auto...) {
    field = *static_cast<const std::remove_reference_t<decltype(field)>*>(*value++);
  });
}

void take_switches(weft::GNNConfig& config, const weft::GNNConfig& graph) {
  const weft::Compatibility wanted = graph.switches();
  const weft::Compatibility found = config.switches();
  const auto take = [&](auto weft::Compatibility::*one) {
    if (*(wanted.*one) != *(found.*one)) config.compatibility.*one = wanted.*one;
  };
  take(&weft::Compatibility::edge_direction);
  take(&weft::Compatibility::pna_form);
  take(&weft::Compatibility::add_rope_per_head);
  take(&weft::Compatibility::norm_zero_guard);
  take(&weft::Compatibility::distance_zero_guard);
}

bool is_plain(const weft::GNNConfig& config) {
  return config.use_GNN_from_attention == weft::GNNFromAttention::none && !weft::uses_adjacency(config.MLP_type);
}

/// What a configuration says of attention and feed-forward block that is not what another says. Defaults say nothing: files
/// have every field.
std::string differences(weft::GNNConfig said, weft::GNNConfig taken) {
  weft::GNNConfig usual;
  const auto fields = [](weft::GNNConfig& config) {
    weft::detail::ConfigFieldList list;
    weft::detail::visit_attention_fields(config, list);
    weft::detail::visit_coarse_fields(config, list);
    list("MLP_type", config.MLP_type);
    weft::detail::visit_own_fields(config, list);
    return list.fields();
  };
  const auto found = fields(said), kept = fields(taken), defaults = fields(usual);
  std::string names;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].json() == kept[i].json() || found[i].json() == defaults[i].json()) continue;
    names += weft::concat(names.empty() ? "" : ", ", found[i].name);
  }
  return names;
}

}  // namespace

weft::GNNConfig with_graph_of(const weft::GNNConfig& base, const weft::GNNConfig& graph, const std::string& path,
                              std::vector<std::string>& notes) {
  weft::GNNConfig config = base;
  take_graph(config, graph);
  if (is_plain(base)) {
    config.semantics = graph.semantics;
    config.compatibility = graph.compatibility;
    config.compatibility.tie_on_construct = base.compatibility.tie_on_construct;  // of the embedding
  } else {
    take_switches(config, graph);
  }
  const std::string left = differences(graph, config);
  if (!left.empty()) {
    notes.push_back(
        weft::concat(path, ": what gnn_config says beside the graph network is that of the model, not ", left));
  }
  return config;
}

}  // namespace apps
