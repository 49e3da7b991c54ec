// SPDX-License-Identifier: Apache-2.0
/// \file
/// Gradients of limited length.
#pragma once

#include <cmath>

#include "weft/ops/global_norm/global_norm_kernels.hpp"
#include "weft/train/parameter_list.hpp"

namespace weft {

/// The Euclidean norm of all gradients together; parameters without a gradient count as zero.
template <class T, class DeviceType>
double gradient_norm(const ParameterList<T, DeviceType>& parameters) {
  double sum = 0;
  for (const auto& parameter : parameters) {
    const T* gradient = parameter.gradient();
    if (gradient != nullptr) sum += GlobalNormKernels<DeviceType>::sum_of_squares(parameter.size(), gradient);
  }
  return std::sqrt(sum);
}

/// Scales all gradients by max_norm / (norm + 1e-6) where that is below 1 (torch.nn.utils.clip_grad_norm_).
/// \param max_norm  0: nothing is scaled
/// \return          the norm before
template <class T, class DeviceType>
double clip_gradient_norm(const ParameterList<T, DeviceType>& parameters, double max_norm) {
  const double norm = gradient_norm(parameters);
  const double scale = max_norm / (norm + 1e-6);
  if (max_norm > 0 && scale < 1) {
    for (const auto& parameter : parameters) {
      T* gradient = parameter.gradient();
      if (gradient != nullptr) GlobalNormKernels<DeviceType>::scale(parameter.size(), scale, gradient);
    }
  }
  return norm;
}

}  // namespace weft
