// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tensors, layers, models and training. Files (checkpoints, configurations) are in weft/io.hpp, devices in
/// weft/thrust.hpp and weft/cuda.hpp.
#pragma once

#include "weft/attention/adj_rms_norm.hpp"
#include "weft/attention/causal_mask.hpp"
#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_gin.hpp"
#include "weft/attention/reset_thresholds.hpp"
#include "weft/autograd/gradcheck.hpp"
#include "weft/layers/checkpointed.hpp"
#include "weft/layers/dropout.hpp"
#include "weft/layers/embedding.hpp"
#include "weft/layers/linear.hpp"
#include "weft/layers/rms_norm.hpp"
#include "weft/layers/rotary_embedding.hpp"
#include "weft/mlp/llama_mlp.hpp"
#include "weft/models/adjacency.hpp"
#include "weft/models/byte_tokenizer.hpp"
#include "weft/models/generate.hpp"
#include "weft/models/llama.hpp"
#include "weft/models/packed_sequences.hpp"
#include "weft/ops/add/add.hpp"
#include "weft/ops/adjacency/step_functions.hpp"
#include "weft/ops/gumbel_sigmoid/gumbel_sigmoid.hpp"
#include "weft/ops/multiply/multiply.hpp"
#include "weft/ops/scale/scale.hpp"
#include "weft/ops/softmax/softmax.hpp"
#include "weft/ops/sum/sum.hpp"
#include "weft/train/text.hpp"
#include "weft/train/trainer.hpp"
#include "weft/version.hpp"
