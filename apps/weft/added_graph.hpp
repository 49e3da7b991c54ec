// SPDX-License-Identifier: Apache-2.0
/// \file
/// The graph network of one configuration beside the attention of another.
#pragma once

#include <string>
#include <vector>

#include "weft/models/gnn_config.hpp"

namespace apps {

/// A configuration with its attention and feed-forward block and the sparse graph network of another. Semantics and switches are
/// its own, but for switches that only a graph network reads; those of a plain Llama matter to nothing else.
/// \param notes  gets a sentence if something that `graph` says is not taken
/// \param path   the file of `graph`, for the note
weft::GNNConfig with_graph_of(const weft::GNNConfig& base, const weft::GNNConfig& graph, const std::string& path,
                              std::vector<std::string>& notes);

}  // namespace apps
