// SPDX-License-Identifier: Apache-2.0
/// \file
/// Training on texts of different lengths: whole texts side by side in rows of equal length, apart from each other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weft/weft.hpp"

namespace examples {

using Tokens = std::vector<std::int32_t>;

/// Each text whole in the first row that has room for it; what is left of a row is `pad`.
inline Tokens fill_rows(const std::vector<Tokens>& texts, std::size_t row_length, std::int32_t pad) {
  std::vector<Tokens> rows;
  for (const Tokens& text : texts) {
    if (text.size() > row_length) {
      weft::fail(weft::concat("a row of ", row_length, " tokens has no room for a text of ", text.size()));
    }
    const auto has_room = [&](const Tokens& row) { return row.size() + text.size() <= row_length; };
    auto row = std::find_if(rows.begin(), rows.end(), has_room);
    if (row == rows.end()) row = rows.insert(rows.end(), Tokens());
    row->insert(row->end(), text.begin(), text.end());
  }
  Tokens all;
  for (Tokens& row : rows) {
    row.resize(row_length, pad);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

/// The texts as blocks of `row_length` tokens; those of `validation` are not trained on.
inline weft::TokenDataset packed_dataset(const std::vector<Tokens>& training, const std::vector<Tokens>& validation,
                                         weft::Index row_length, std::int32_t pad, std::uint64_t seed) {
  Tokens rows = fill_rows(training, static_cast<std::size_t>(row_length), pad);
  const Tokens held_out = fill_rows(validation, static_cast<std::size_t>(row_length), pad);
  rows.insert(rows.end(), held_out.begin(), held_out.end());
  // Half a token more than the held-out rows have, so that no rounding moves the border.
  const double share = (static_cast<double>(held_out.size()) + 0.5) / static_cast<double>(rows.size());
  return weft::TokenDataset(std::move(rows), {.block_size = row_length, .validation = share, .seed = seed});
}

/// A model as the Trainer sees it, whose loss finds the texts in each row: one begins at every `begin` and where padding
/// does. Tokens see their own text alone; neither the first token of a text nor padding is predicted.
template <class Model>
class PackedModel {
 public:
  using Element = typename Model::Element;
  using Device = typename Model::Device;

  PackedModel(Model& model, std::int32_t begin, std::int32_t pad) : model_(model), begin_(begin), pad_(pad) {}

  template <class Context, class Ids, class Labels>
  auto loss(Context& context, const Ids& ids, const Labels&) {
    packed_.emplace(ends_of(ids), ids.extent(0), ids.extent(1));
    labels_ = packed_->labels(ids);
    for (weft::Index t = 0; t < ids.size(); ++t) {
      if (ids.data()[t] == pad_) labels_.data()[t] = -100;
    }
    return model_.loss(context, ids, labels_, {.packed = &*packed_});
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    Model::visit_parameters(self.model_, visit, prefix);
  }

 private:
  template <class Ids>
  Tokens ends_of(const Ids& ids) const {
    Tokens ends{0};
    for (weft::Index t = 1; t < ids.size(); ++t) {
      const std::int32_t token = ids.data()[t];
      const bool padding_begins = token == pad_ && ids.data()[t - 1] != pad_;
      if (token == begin_ || padding_begins || t % ids.extent(1) == 0) ends.push_back(static_cast<std::int32_t>(t));
    }
    ends.push_back(static_cast<std::int32_t>(ids.size()));
    return ends;
  }

  Model& model_;
  std::int32_t begin_;
  std::int32_t pad_;
  // A tape reads both until its next step.
  std::optional<weft::PackedSequences> packed_;
  weft::Tensor<std::int32_t, weft::Shape<weft::Dyn, weft::Dyn>> labels_;
};

}  // namespace examples
