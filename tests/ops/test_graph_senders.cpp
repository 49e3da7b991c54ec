// SPDX-License-Identifier: Apache-2.0
// Decoding: nodes that hear from the rows of earlier ones, which are no nodes of their graph.
#include "weft/ops/edge_features/edge_features.hpp"
#include "weft/ops/edge_softmax/edge_softmax.hpp"
#include "weft/ops/message_passing/adjacency_graph.hpp"
#include "weft/ops/message_passing/aggregate_edges.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Maps = Shape<Dyn, Dyn, Dyn, Dyn>;
using Rows = Tensor<float, Shape<Dyn, Dyn>>;

constexpr Index kBatch = 2, kTokens = 9, kCapacity = 12, kFeatures = 19;

/// Two maps of a text's tokens, two of three pairs without an edge.
Tensor<float, Maps> sparse_maps() {
  auto maps = random_tensor<float>(Maps(kBatch, 2, kTokens, kTokens), 1);
  for (Index i = 0; i < maps.size(); ++i) maps.data()[i] *= i % 3 == 0 ? 1.0F : 0.0F;
  return maps;
}

/// The rows of the tokens from `past` on, of every map.
Tensor<float, Maps> last_rows(const Tensor<float, Maps>& maps, Index past) {
  Tensor<float, Maps> rows(Maps(kBatch, 2, kTokens - past, kTokens));
  const Index count = (kTokens - past) * kTokens;
  for (Index map = 0; map < kBatch * 2; ++map) {
    std::copy_n(maps.data() + (map * kTokens + past) * kTokens, count, rows.data() + map * count);
  }
  return rows;
}

/// The rows of x [batch * tokens, width] with tokens from `past` on, each text on `stride` rows.
Rows rows_of(const Rows& x, Index past, Index stride) {
  const Index width = x.extent(1);
  Rows rows(Shape<Dyn, Dyn>(kBatch * stride, width));
  for (Index b = 0; b < kBatch; ++b) {
    std::copy_n(x.data() + (b * kTokens + past) * width, (kTokens - past) * width, rows.data() + b * stride * width);
  }
  return rows;
}

}  // namespace

TEST_CASE("New nodes hear from remembered rows what they hear in the whole graph, bit for bit") {
  const auto maps = sparse_maps();
  const auto x = random_tensor<float>(Shape<Dyn, Dyn>(kBatch * kTokens, kFeatures), 2);
  const auto scores = random_tensor<float>(Shape<Dyn, Dyn>(kBatch * kTokens, 2), 3);
  const auto sent = rows_of(x, 0, kCapacity);
  const auto sent_scores = rows_of(scores, 0, kCapacity);
  const auto epsilon = random_tensor<float>(Shape<1>(), 4);
  Inference inference;
  for (const auto filter : {EdgeFilter::all, EdgeFilter::causal, EdgeFilter::earlier}) {
    const auto whole = make_graph(inference, maps, 1, {filter, EdgeDirection::key_to_query});
    const auto sums = aggregate_edges(inference, whole, x, maps, epsilon);
    const auto means = edge_softmax(inference, whole, x, scores, maps);
    for (const Index past : {0, 1, 5, 8}) {
      const Index count = kTokens - past;
      const auto rows = last_rows(maps, past);
      const auto graph = make_graph(inference, rows, 1, {filter, EdgeDirection::key_to_query, false, kCapacity});
      CHECK((graph.nodes == kBatch * count && graph.senders == kBatch * kCapacity));
      const auto own = rows_of(x, past, count);
      const auto own_scores = rows_of(scores, past, count);
      const auto last = [&](const auto& y) {
        Rows copy(Shape<Dyn, Dyn>(kBatch * kTokens, kFeatures));
        std::copy_n(y.data(), y.size(), copy.data());
        return to_vector(rows_of(copy, past, count));
      };
      CHECK(to_vector(aggregate_edges(inference, graph, own, rows, epsilon, 0, sent)) == last(sums));
      CHECK(to_vector(edge_softmax(inference, graph, own, own_scores, rows, sent, sent_scores)) == last(means));
      const auto ends = edge_features(inference, graph, own, gather_edges(inference, graph, rows), 3, 7, sent);
      for (Index u = 0; u < graph.nodes; ++u) {
        for (GraphIndex p = graph.target_begin[u]; p < graph.target_begin[u + 1]; ++p) {
          CHECK(std::equal(ends.data() + p * 15, ends.data() + p * 15 + 7, own.data() + u * kFeatures + 3));
          CHECK(std::equal(ends.data() + p * 15 + 7, ends.data() + p * 15 + 14,
                           sent.data() + graph.source[p] * kFeatures + 3));
          CHECK(ends(p, 14) == rows.data()[graph.weight[p]]);
        }
      }
    }
  }
}

TEST_CASE("Rows of senders that are missing or do not fit are named") {
  const auto maps = sparse_maps();
  const auto rows = last_rows(maps, 7);
  Inference inference;
  const auto graph = make_graph(inference, rows, 0, {EdgeFilter::causal, EdgeDirection::key_to_query, false, 12});
  const Rows own(Shape<Dyn, Dyn>(4, 3)), narrow(Shape<Dyn, Dyn>(24, 2));
  CHECK_THROWS_WITH(aggregate_edges(inference, graph, own, rows),
                    "aggregate_edges(graph, x): 24 nodes send to 4, so that their rows must be given");
  CHECK_THROWS_WITH(aggregate_edges(inference, graph, own, rows, none, 0, narrow),
                    "aggregate_edges(graph, x): sent must be [24, 3], found shape [24, 2]");
  for (const auto& [direction, capacity] :
       {std::pair(EdgeDirection::reference, Index{12}), std::pair(EdgeDirection::key_to_query, Index{8})}) {
    CHECK_THROWS_WITH(make_graph(inference, rows, 0, {EdgeFilter::causal, direction, false, capacity}),
                      concat("make_graph(adjacency): with a capacity, ", capacity,
                             ", adjacency must be [batch, maps, tokens, keys], tokens <= keys <= capacity, and read "
                             "from key to query; found [2, 2, 2, 9]"));
  }
  Tape tape;
  CHECK_THROWS_WITH(make_graph(tape, rows, 0, {EdgeFilter::causal, EdgeDirection::key_to_query, false, 12}),
                    "make_graph(tape, adjacency): a capacity is for decoding, on no tape");
}
