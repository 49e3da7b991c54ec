// SPDX-License-Identifier: Apache-2.0
/// \file
/// The linear layer.
#pragma once

#include <optional>
#include <type_traits>

#include "weft/layers/initialize.hpp"
#include "weft/layers/lora_adapter.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

/// y = x weightᵀ (+ bias), as torch.nn.Linear. Parameters: `weight` [out, in], `bias` [out] where asked for; those of a
/// `LoraAdapter` where `add_lora` has put one, on the CPU.
template <auto InFeatures, auto OutFeatures, class T = float, class DeviceType = Cpu>
class Linear {
  static constexpr bool kAdapts = std::is_same_v<DeviceType, Cpu>;

 public:
  Parameter<T, Shape<OutFeatures, InFeatures>, DeviceType> weight;
  std::optional<Parameter<T, Shape<OutFeatures>, DeviceType>> bias;
  std::conditional_t<kAdapts, LoraPlace<T, DeviceType>, AdapterPlace> lora;

  /// All parameters are zero until `initialize` or a checkpoint sets them. Extents in the type need not be given.
  explicit Linear(bool with_bias = false, Index in_features = 0, Index out_features = 0)
      : weight(Shape<OutFeatures, InFeatures>::from({resolve_extent<OutFeatures>(out_features, "Linear: out_features"),
                                                     resolve_extent<InFeatures>(in_features, "Linear: in_features")})) {
    if (with_bias) bias.emplace(Shape<OutFeatures>::from({weight.extent(0)}));
  }

  /// \param x         [..., in]
  /// \param residual  [..., out], added to the result, or `none`
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const Residual& residual = none) const {
    auto y = linear(context, x, weight, bias, residual);
    if constexpr (kAdapts) {
      if (lora.adapter) {
        const Shape<Dyn> in(x.size()), out(y.size());
        const auto adapted = (*lora.adapter)(context, detail::as_result(context, x).reshape(in), y.reshape(out));
        return adapted.reshape(y.shape());
      }
    }
    return y;
  }

  /// Weights from N(0, standard_deviation²), bias 0 (Hugging Face's Llama).
  void initialize(Rng& rng, double standard_deviation) {
    fill_normal(weight, rng, standard_deviation);
    if (bias) fill_constant(*bias, T{0});
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    AdapterPlace* place = nullptr;
    if constexpr (kAdapts && !std::is_const_v<Self>) place = &self.lora;
    visit_values(self, visit, prefix, place);
    if constexpr (kAdapts) {
      using Adapter = LoraAdapter<T, DeviceType>;
      std::conditional_t<std::is_const_v<Self>, const Adapter, Adapter>* const adapter = self.lora.adapter.get();
      if (adapter != nullptr) for_each_parameter(*adapter, visit, prefix);
    }
  }

  /// The same for owners that do not call the layer but hand its weight to an operation of their own: it can have no adapter.
  template <class Self, class Visit>
  static void visit_values(Self& self, Visit&& visit, const std::string& prefix, AdapterPlace* place = nullptr) {
    ParameterName name(prefix + "weight");
    name.adapter = place;
    visit(name, self.weight);
    if (self.bias) visit(ParameterName(prefix + "bias"), *self.bias);
  }
};

}  // namespace weft
