// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where the reference's code does something other than its paper and its names say, both forms exist: these switches
/// choose.
#pragma once

#include <array>

#include "weft/graph/pna_form.hpp"
#include "weft/mlp/multi_aggregation_options.hpp"
#include "weft/models/enum_names.hpp"
#include "weft/models/switch.hpp"
#include "weft/ops/adjacency/threshold_mode.hpp"
#include "weft/ops/gin/gin_size.hpp"
#include "weft/ops/message_passing/graph.hpp"
#include "weft/ops/pna/pna_input.hpp"
#include "weft/perceiver/perceiver_options.hpp"

namespace weft {

/// What a model means by its configuration: what the reference computes, number for number, or what it set out to compute.
enum class Semantics { reference, intended };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<Semantics>{"reference", "intended"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<EdgeDirection>{"reference", "key_to_query"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<GINSelfTerm>{"epsilon", "one_plus_epsilon"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<TopKTies>{"libstdcxx", "lowest_index"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<PNAMax>{"self", "neighbours"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<PNAEmptyMax>{"guard", "minus_inf"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<PNAFallback>{"first_token", "self"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<PNAForm>{"reference", "corrected"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<CGMask>{"reference", "group_causal"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<CGIAdjacency>{"reference", "active_latents"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<FutureMask>{"soft_log", "hard"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<MultiAggregationMax>{"self", "neighbours"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<NegativeWeights>{"refuse", "clamp"};

/// The precision of adjacencies (quirks A5, P6): at least that of float, or `storage`, the parameters' own. They differ for
/// 16-bit parameters alone; those of a model are float or double, so that the switch changes nothing yet.
enum class ComputeDtype { fp32, storage };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<ComputeDtype>{"fp32", "storage"};

/// One switch for each deviation; an empty one stands where `Semantics` puts it. Fields of `gnn_config` in files, of the
/// same names, which the reference does not know: they are written only where they are set.
struct Compatibility {
  Switch<EdgeDirection> edge_direction{};
  Switch<GINSelfTerm> gin_self_term{};                  ///< of every GIN layer (quirks G1, L2)
  Switch<TopKTies> topk_ties{};                         ///< which of equal entries the top-k modes take (quirk A2)
  Switch<bool> threshold_respects_mask{};               ///< threshold modes leave masked entries 0 (quirks A1, D7)
  Switch<bool> scaled_topk_drop_below_threshold{};      ///< never fill up with entries below it (quirk A2)
  Switch<bool> mask_after_scaling{};                    ///< mask after sharpening and temperature (quirks A11, A12)
  Switch<PNAMax> pna_max{};                             ///< the "max" aggregate of PNA attention (quirk A19)
  Switch<PNAEmptyMax> pna_empty_max{};                  ///< the same in a row without neighbours (quirk A20)
  Switch<PNAFallback> pna_lm_fallback{};                ///< of PNA_LM, without neighbours (quirk A25)
  Switch<bool> pna_lm_negative_threshold{};             ///< it counts as one, not as 0 (quirk A26); false in both
  Switch<PNAForm> pna_form{};                           ///< of `causal_pna`; the reference's cannot be built (quirk L9)
  Switch<bool> add_rope_per_head{};                     ///< it turns the channels of each head (quirk D15)
  Switch<CGMask> cg_mask{};                             ///< who sees whom in CG_Attention (quirks P1, P2)
  Switch<CGIAdjacency> cgi_adjacency{};                 ///< what CG_Attention_Interpolate mixes (quirk P13)
  Switch<bool> cgi_mask_local{};                        ///< its local attention hides padding too (quirk P15)
  Switch<FutureMask> multiagg_future_mask{};            ///< how later tokens are hidden (quirk F4: the soft form leaks)
  Switch<MultiAggregationMax> multiagg_max{};           ///< its "max" aggregate (quirk F6)
  Switch<NegativeWeights> multiagg_negative_weights{};  ///< what its logarithm does with them (quirk F5)
  Switch<bool> mlp_gin_available{};    ///< the MLPs on adjacencies can be chosen (quirks F1, F2); true in both
  Switch<bool> norm_zero_guard{};      ///< norm_to_hidden_states divides no 0 by 0 (quirk D16); true in both
  Switch<bool> distance_zero_guard{};  ///< nor distance scaling by linear (quirk D9); true in both
  Switch<bool> tie_on_construct{};     ///< a tied model is tied from the start (quirk M2); true in both
  Switch<bool> strict_config{};        ///< unknown names of layers in files are errors (quirk C3)
  Switch<ComputeDtype> compute_dtype{};

  constexpr bool operator==(const Compatibility&) const = default;
};

/// Calls `visit(name, switch, reference, intended)` for every switch, with its values under either semantics.
template <class Switches, class Visit>
constexpr void visit_compatibility(Switches& c, Visit&& visit) {
  visit("edge_direction", c.edge_direction, EdgeDirection::reference, EdgeDirection::key_to_query);
  visit("gin_self_term", c.gin_self_term, GINSelfTerm::epsilon, GINSelfTerm::one_plus_epsilon);
  visit("topk_ties", c.topk_ties, TopKTies::libstdcxx, TopKTies::lowest_index);
  visit("threshold_respects_mask", c.threshold_respects_mask, false, true);
  visit("scaled_topk_drop_below_threshold", c.scaled_topk_drop_below_threshold, false, true);
  visit("mask_after_scaling", c.mask_after_scaling, false, true);
  visit("pna_max", c.pna_max, PNAMax::self, PNAMax::neighbours);
  visit("pna_empty_max", c.pna_empty_max, PNAEmptyMax::guard, PNAEmptyMax::guard);
  visit("pna_lm_fallback", c.pna_lm_fallback, PNAFallback::first_token, PNAFallback::self);
  visit("pna_lm_negative_threshold", c.pna_lm_negative_threshold, false, false);
  visit("pna_form", c.pna_form, PNAForm::reference, PNAForm::corrected);
  visit("add_rope_per_head", c.add_rope_per_head, false, true);
  visit("cg_mask", c.cg_mask, CGMask::reference, CGMask::group_causal);
  visit("cgi_adjacency", c.cgi_adjacency, CGIAdjacency::reference, CGIAdjacency::active_latents);
  visit("cgi_mask_local", c.cgi_mask_local, false, true);
  visit("multiagg_future_mask", c.multiagg_future_mask, FutureMask::soft_log, FutureMask::hard);
  visit("multiagg_max", c.multiagg_max, MultiAggregationMax::self, MultiAggregationMax::neighbours);
  visit("multiagg_negative_weights", c.multiagg_negative_weights, NegativeWeights::refuse, NegativeWeights::clamp);
  visit("mlp_gin_available", c.mlp_gin_available, true, true);
  visit("norm_zero_guard", c.norm_zero_guard, true, true);
  visit("distance_zero_guard", c.distance_zero_guard, true, true);
  visit("tie_on_construct", c.tie_on_construct, true, true);
  visit("strict_config", c.strict_config, false, true);
  visit("compute_dtype", c.compute_dtype, ComputeDtype::fp32, ComputeDtype::fp32);
}

/// Every switch set: as it is, or where the semantics put it.
constexpr Compatibility resolve(Compatibility switches, Semantics semantics) {
  visit_compatibility(switches, [&](const char*, auto& one, auto reference, auto intended) {
    if (!one) one = semantics == Semantics::reference ? reference : intended;
  });
  return switches;
}

}  // namespace weft
