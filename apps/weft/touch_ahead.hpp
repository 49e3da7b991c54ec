// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pages of a model's weights, fetched while something else is read.
#pragma once

#include <thread>

#include "apps/weft/model.hpp"

namespace apps {

/// Touches the weights of a model, which lie in a mapped file, on a thread of its own: what has been reached when this object
/// goes is in memory, and the first token does not wait for it. It stops then, wherever it is. (Asking the system to
/// populate the mapping instead, MADV_POPULATE_READ, keeps the other thread from allocating: that took longer.)
class TouchAhead {
 public:
  /// The model must outlive this object.
  explicit TouchAhead(const Model& model);

 private:
  std::jthread thread_;
};

}  // namespace apps
