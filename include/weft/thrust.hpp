// SPDX-License-Identifier: Apache-2.0
/// \file
/// The device `weft::Thrust` and its kernels: on a GPU under nvcc, on OpenMP threads under a plain C++ compiler.
///
///     weft::BasicTape<weft::Thrust> tape;
///     weft::Linear<64, 64, float, weft::Thrust> layer;
///     auto y = layer(tape, x);   // x: weft::to_device<weft::Thrust>(host_tensor)
#pragma once

#include "weft/ops/activation/activation_thrust.hpp"
#include "weft/ops/adamw/adamw_thrust.hpp"
#include "weft/ops/add/add_thrust.hpp"
#include "weft/ops/cross_entropy/cross_entropy_thrust.hpp"
#include "weft/ops/gated_product/gated_product_thrust.hpp"
#include "weft/ops/global_norm/global_norm_thrust.hpp"
#include "weft/ops/linear/linear_thrust.hpp"
#include "weft/ops/multiply/multiply_thrust.hpp"
#include "weft/ops/rms_norm/rms_norm_thrust.hpp"
#include "weft/ops/scale/scale_thrust.hpp"
#include "weft/ops/softmax/softmax_thrust.hpp"
#include "weft/ops/sum/sum_thrust.hpp"
#include "weft/tensor/thrust_device.hpp"
#include "weft/tensor/transfer.hpp"
