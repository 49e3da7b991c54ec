// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a linear layer learns in place of its weight: a low-rank adapter.
#pragma once

#include <cmath>
#include <memory>
#include <string>

#include "weft/ops/dropout/dropout.hpp"
#include "weft/ops/linear/linear.hpp"
#include "weft/ops/scale/scale.hpp"

namespace weft {

/// The run-time choices of one adapter, under the names that they have in Hugging Face's PEFT.
struct LoraAdapterOptions {
  Index r = 8;              ///< the rank
  double lora_alpha = 8;    ///< s = lora_alpha / r
  double lora_dropout = 0;  ///< of x, in training
  bool use_rslora = false;  ///< s = lora_alpha / sqrt(r) (Kalajdzievski, arXiv 2312.03732)
};

/// y + s B A dropout(x) beside a linear layer's y (LoRA, Hu et al., arXiv 2106.09685). Parameters: `lora_A.weight` [r, in],
/// `lora_B.weight` [out, r]. B is 0 at first, so that the layer is what it was.
template <class T, class DeviceType = Cpu>
class LoraAdapter {
 public:
  using Matrix = Parameter<T, Shape<Dyn, Dyn>, DeviceType>;

  Matrix lora_A;
  Matrix lora_B;

  /// Both matrices are zero until `initialize` or a file sets them.
  LoraAdapter(Index in_features, Index out_features, const LoraAdapterOptions& options)
      : lora_A(Shape<Dyn, Dyn>(checked(options).r, in_features)),
        lora_B(Shape<Dyn, Dyn>(out_features, options.r)),
        options_(options) {}

  /// \param x  the layer's input, flat
  /// \param y  its output, flat: one type for every layer, so that this is compiled once
  template <class Context, class Flat>
  [[gnu::noinline]] Flat operator()(Context& context, const Flat& x, const Flat& y) const {
    const Index r = options_.r, in = lora_A.extent(1), out = lora_B.extent(0);
    const Index rows = y.size() / out;
    const Flat dropped = dropout(context, x, options_.lora_dropout);
    Flat h = detail::linear_flat(context, LinearSize{rows, in, r}, rows * r, operand(context, dropped),
                                 operand(context, lora_A), Operand<T>{}, Operand<T>{});
    if (scale() != 1) h = weft::scale(context, h, scale());
    return detail::linear_flat(context, LinearSize{rows, r, out}, y.size(), operand(context, h),
                               operand(context, lora_B), Operand<T>{}, operand(context, y));
  }

  /// s.
  double scale() const {
    const auto rank = static_cast<double>(options_.r);
    return options_.lora_alpha / (options_.use_rslora ? std::sqrt(rank) : rank);
  }

  const LoraAdapterOptions& options() const { return options_; }

  /// A uniform in ± 1 / sqrt(in), from a stream of its own, B = 0 (PEFT's).
  void initialize(Rng& rng) {
    const Rng stream = rng.next_stream();
    const double bound = 1 / std::sqrt(static_cast<double>(lora_A.extent(1)));
    for (Index i = 0; i < lora_A.size(); ++i) {
      const auto uniform = static_cast<double>(stream.uniform(static_cast<std::uint64_t>(i)));
      lora_A.data()[i] = static_cast<T>(bound * (2 * uniform - 1));
    }
    std::fill_n(lora_B.data(), lora_B.size(), T{0});
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName(prefix + "lora_A.weight"), self.lora_A);
    visit(ParameterName(prefix + "lora_B.weight"), self.lora_B);
  }

 private:
  static const LoraAdapterOptions& checked(const LoraAdapterOptions& options) {
    if (options.r < 1) fail(concat("LoRA: r must be at least 1, found ", options.r));
    if (!std::isfinite(options.lora_alpha)) fail("LoRA: lora_alpha must be a finite number");
    if (!(options.lora_dropout >= 0 && options.lora_dropout < 1)) {
      fail(concat("LoRA: lora_dropout must be in [0, 1), found ", options.lora_dropout));
    }
    return options;
  }

  LoraAdapterOptions options_;
};

/// Where a linear layer has its adapter, if it has one.
template <class T, class DeviceType = Cpu>
struct LoraPlace : AdapterPlace {
  std::unique_ptr<LoraAdapter<T, DeviceType>> adapter;
};

}  // namespace weft
