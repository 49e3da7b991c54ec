// SPDX-License-Identifier: Apache-2.0
/// \file
/// Everything that reads or writes files: safetensors, config.json, checkpoints, metrics. Needs RapidJSON.
#pragma once

#include "weft/io/convert_pretrained.hpp"
#include "weft/io/generation_config.hpp"
#include "weft/io/json_config.hpp"
#include "weft/io/lora_folder.hpp"
#include "weft/io/pretrained.hpp"
#include "weft/io/pretrained_transformer.hpp"
#include "weft/io/safetensors_reader.hpp"
#include "weft/io/safetensors_writer.hpp"
#include "weft/train/checkpoint.hpp"
#include "weft/train/metrics.hpp"
