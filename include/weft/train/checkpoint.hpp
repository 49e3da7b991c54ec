// SPDX-License-Identifier: Apache-2.0
/// \file
/// A training run in a file: saved at any step, continued as if it had never stopped.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "weft/io/json_config.hpp"
#include "weft/io/safetensors_reader.hpp"
#include "weft/io/safetensors_writer.hpp"
#include "weft/train/checkpoint_state.hpp"
#include "weft/train/trainer.hpp"

namespace weft {

namespace detail {

/// The key of the checkpoint's JSON among the metadata of its safetensors file.
inline constexpr const char* checkpoint_key = "weft.checkpoint";

inline std::string first_moment_name(const std::string& parameter) { return "optimizer.exp_avg." + parameter; }
inline std::string second_moment_name(const std::string& parameter) { return "optimizer.exp_avg_sq." + parameter; }

/// Elements with run-time extents of any number, as SafetensorsWriter reads tensors.
template <class T, class DeviceType>
struct CheckpointTensor {
  using Element = T;
  using Device = DeviceType;
  struct Extents {
    const std::vector<Index>& list;
    Index count;
    const std::vector<Index>& extents() const { return list; }
    Index size() const { return count; }
  };

  const T* elements;
  Extents extents;

  const T* data() const { return elements; }
  const Extents& shape() const { return extents; }
};

/// The configuration of a model that has one, as JSON; null for others.
template <class Model>
Json config_of(const Model& model) {
  if constexpr (requires { PretrainedConfig{model.llama_config(), model.gnn_config()}; }) {
    const PretrainedConfig config{model.llama_config(), model.gnn_config()};
    return parse_json(weft::config_text(config), "the configuration of the model");
  } else {
    return {};
  }
}

/// The bytes of a tensor of the file that must be there with this type and shape.
template <class T>
std::span<const std::byte> expect_tensor(const SafetensorsFile& file, const std::string& name,
                                         const std::vector<Index>& extents) {
  const SafetensorsTensor& tensor = file.tensor(name);
  const bool same_shape = std::equal(tensor.shape.begin(), tensor.shape.end(), extents.begin(), extents.end());
  if (!same_shape || tensor.dtype != element_name<T>) {
    fail(concat(file.path(), ": tensor ", name, " must be ", element_name<T>, " ", safetensors_shape_text(extents),
                ", found ", tensor.type_text()));
  }
  return tensor.bytes;
}

/// Everything of a file that is to be copied, found and checked before the first byte is.
template <class DeviceType>
class PendingCopies {
 public:
  template <class T>
  void add(T* target, std::span<const std::byte> source) {
    copies_.push_back({target, source});
  }
  /// The values of a parameter, unless it is frozen with the bf16 elements of another file: those are compared.
  template <class T>
  void add_values(const ParameterEntry<T, DeviceType>& parameter, const SafetensorsFile& file) {
    const bf16* const frozen = parameter.frozen_bf16();
    if (frozen == nullptr) {
      return add(parameter.data(), expect_tensor<T>(file, parameter.name(), parameter.extents()));
    }
    const auto bytes = expect_tensor<bf16>(file, parameter.name(), parameter.extents());
    if (!bytes.empty() && std::memcmp(frozen, bytes.data(), bytes.size()) != 0) {
      fail(concat(file.path(), ": tensor ", parameter.name(), ", which is frozen, differs from the model's"));
    }
  }

  void run() const {
    for (const Copy& copy : copies_) DeviceType::copy_to_device(copy.target, copy.source.data(), copy.source.size());
  }

 private:
  struct Copy {
    void* target;
    std::span<const std::byte> source;
  };
  std::vector<Copy> copies_;
};

inline CheckpointState read_checkpoint_state(const SafetensorsFile& file) {
  const auto found = file.metadata().find(checkpoint_key);
  if (found == file.metadata().end()) {
    fail(concat(file.path(), ": this is no checkpoint of a training run (no ", checkpoint_key, " in its metadata)"));
  }
  return parse_checkpoint_state(found->second, file.path());
}

/// \param config  of the model that the checkpoint must be of
inline CheckpointState read_checkpoint_state(const SafetensorsFile& file, const Json& config) {
  CheckpointState state = read_checkpoint_state(file);
  expect_same_config(config, state.model, file.path(), "checkpoint.model");
  return state;
}

}  // namespace detail

/// Writes everything a training run needs to go on into one safetensors file, with JSON in its metadata: parameters under
/// their own names, the optimiser's state, the options that decide the weights, the step, the state of the random numbers
/// and the place in the data. The file is written beside `path` and renamed: whenever the process is killed, `path` is a
/// complete checkpoint, the old or the new one. Frozen bf16 weights stay bf16. Raises Error when it cannot be written.
template <class Model>
void save_checkpoint(const std::string& path, const Trainer<Model>& trainer, const TokenDataset& data) {
  CheckpointState state;
  state.model = detail::config_of(trainer.model());
  state.step = static_cast<std::uint64_t>(trainer.completed_steps());
  state.dropout = trainer.dropout_state();
  state.data_position = static_cast<std::uint64_t>(data.position());
  state.data = DataIdentity::of(data);
  state.training = trainer.options();

  const auto moments = trainer.optimizer().states();
  for (std::size_t i = 0; i < moments.size(); ++i) {
    if (moments[i].first_moment == nullptr) continue;
    state.optimizer_steps[trainer.parameters()[i].name()] = static_cast<std::uint64_t>(moments[i].steps);
  }
  SafetensorsWriter writer({{detail::checkpoint_key, detail::checkpoint_state_text(state)}});
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const auto& parameter = trainer.parameters()[i];
    const auto add = [&]<class Element>(const std::string& name, const Element* elements) {
      using Tensor = detail::CheckpointTensor<Element, typename Trainer<Model>::Device>;
      writer.add(name, Tensor{elements, {parameter.extents(), parameter.size()}});
    };
    if (const bf16* const frozen = parameter.frozen_bf16()) {
      add(parameter.name(), frozen);
    } else {
      add(parameter.name(), parameter.values());
    }
    if (moments[i].first_moment == nullptr) continue;
    add(detail::first_moment_name(parameter.name()), moments[i].first_moment);
    add(detail::second_moment_name(parameter.name()), moments[i].second_moment);
  }
  writer.write(path);
}

/// How a run goes on from a checkpoint.
struct ResumeOptions {
  /// Goes on with the trainer's options where the checkpoint was saved with others, for instance to train for longer:
  /// neither as that run would have, nor as one that had these options from the beginning.
  bool change_training = false;
};

/// The options that the run of a checkpoint has, without those of evaluations. Raises Error when the file is missing,
/// damaged or no checkpoint.
inline TrainingOptions checkpoint_training_options(const std::string& path) {
  return detail::read_checkpoint_state(SafetensorsFile(path)).training;
}

/// Puts a trainer, its model and its data where `save_checkpoint` left others of the same kind: training goes on bit for
/// bit as it would have. Raises Error, with nothing changed, when the file is missing or damaged, or belongs to another
/// model, another choice of frozen parameters, other data, or, unless `ResumeOptions` allow that, other training options.
/// (`max_steps` may be another where the schedule does not depend on it.)
template <class Model>
void load_checkpoint(const std::string& path, Trainer<Model>& trainer, TokenDataset& data,
                     const ResumeOptions& resume = {}) {
  using T = typename Trainer<Model>::T;
  const SafetensorsFile file(path);
  const CheckpointState state = detail::read_checkpoint_state(file, detail::config_of(trainer.model()));
  const auto moments = trainer.optimizer().states();

  detail::PendingCopies<typename Trainer<Model>::Device> copies;
  std::vector<std::string> known;
  std::vector<Index> steps(moments.size(), 0);
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const auto& parameter = trainer.parameters()[i];
    const auto expect = [&](const std::string& name, T* target) {
      copies.add(target, detail::expect_tensor<T>(file, name, parameter.extents()));
      known.push_back(name);
    };
    copies.add_values(parameter, file);
    known.push_back(parameter.name());
    if (moments[i].first_moment == nullptr) continue;
    expect(detail::first_moment_name(parameter.name()), moments[i].first_moment);
    expect(detail::second_moment_name(parameter.name()), moments[i].second_moment);
    const auto found = state.optimizer_steps.find(parameter.name());
    if (found == state.optimizer_steps.end()) {
      fail(concat(path, ": checkpoint.optimizer_steps must have ", parameter.name(), ", found nothing"));
    }
    steps[i] = static_cast<Index>(found->second);
  }
  file.expect_no_others(known);
  const DataIdentity identity = DataIdentity::of(data);
  if (state.data != identity) {
    fail(concat(path, ": the checkpoint must be of the same data: ", identity.text(), "; found ", state.data.text()));
  }
  if (!resume.change_training) detail::expect_same_training(trainer.options(), state.training, path);

  copies.run();
  for (std::size_t i = 0; i < moments.size(); ++i) moments[i].steps = steps[i];
  trainer.restore(static_cast<Index>(state.step), state.dropout);
  data.set_position(static_cast<Index>(state.data_position));
}

/// Only the parameters of a checkpoint, for a model that is not trained any further. Raises Error, with nothing changed,
/// when the file is missing or damaged or belongs to another model.
template <class Model>
void load_checkpoint(const std::string& path, Model& model) {
  using T = typename Model::Element;
  const SafetensorsFile file(path);
  detail::read_checkpoint_state(file, detail::config_of(model));
  detail::PendingCopies<typename Model::Device> copies;
  std::vector<std::string> known;
  for (const auto& parameter : ParameterList<T, typename Model::Device>(model)) {
    copies.add_values(parameter, file);
    known.push_back(parameter.name());
    known.push_back(detail::first_moment_name(parameter.name()));
    known.push_back(detail::second_moment_name(parameter.name()));
  }
  file.expect_no_others(known);
  copies.run();
}

}  // namespace weft
