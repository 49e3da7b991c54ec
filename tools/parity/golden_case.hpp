// SPDX-License-Identifier: Apache-2.0
/// \file
/// One golden file: what a layer of the reference was given, what it answered, and how exact an answer has to be.
#pragma once

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "weft/io.hpp"

namespace parity {

using weft::Dyn;
using weft::Index;
using weft::Shape;
using weft::Tensor;

class GoldenCase {
 public:
  explicit GoldenCase(const std::string& path) : file_(path) {
    tolerances_ = json("tol");
    for (const auto& [name, value] : tolerances_.items()) {
      if (name.starts_with("grad_")) largest_gradient_ = std::max(largest_gradient_, value[1].get<double>());
    }
    for (const auto& name : json("grad_none")) undefined_gradients_.insert(name.get<std::string>());
  }

  const weft::SafetensorsFile& file() const { return file_; }
  bool has(const std::string& name) const { return file_.contains(name); }

  /// A string of the metadata; empty when absent.
  std::string text(const std::string& key) const {
    const auto found = file_.metadata().find(key);
    return found == file_.metadata().end() ? "" : found->second;
  }

  /// A JSON text of the metadata; an empty object when absent.
  nlohmann::json json(const std::string& key) const {
    const std::string value = text(key);
    return value.empty() ? nlohmann::json::object() : nlohmann::json::parse(value);
  }

  template <class T, auto... Extents>
  Tensor<T, Shape<Extents...>> tensor(const std::string& name) const {
    const auto& source = file_.tensor(name);
    std::array<Index, sizeof...(Extents)> extents{};
    if (source.shape.size() != extents.size()) {
      weft::fail(name + " must have " + std::to_string(extents.size()) + " axes, found " + source.type_text());
    }
    std::copy(source.shape.begin(), source.shape.end(), extents.begin());
    Tensor<T, Shape<Extents...>> result(Shape<Extents...>::from(extents));
    file_.load_into(result, name);
    return result;
  }

  /// A tensor of any number of axes: the last `kept` stay, and those before them become one; axes of extent 1 stand for
  /// missing ones. Enough for whatever treats the earlier axes alike.
  template <int Kept>
  auto stacked(const std::string& name) const {
    static_assert(Kept >= 0 && Kept <= 2);
    const auto& shape = file_.tensor(name).shape;
    std::array<Index, static_cast<std::size_t>(Kept + 1)> extents;
    extents.fill(1);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      const std::size_t from_last = shape.size() - 1 - axis;
      extents[from_last < std::size_t{Kept} ? std::size_t{Kept} - from_last : 0] *= shape[axis];
    }
    using Stacked =
        std::conditional_t<Kept == 0, Shape<Dyn>, std::conditional_t<Kept == 1, Shape<Dyn, Dyn>, Shape<Dyn, Dyn, Dyn>>>;
    Tensor<float, Stacked> result(Stacked::from(extents));
    result.assign(values(name));
    return result;
  }

  /// An additive mask [1 or batch, 1, rows, columns], whose first axes may be missing.
  Tensor<float, Shape<Dyn, 1, Dyn, Dyn>> mask(const std::string& name) const {
    const auto& shape = file_.tensor(name).shape;
    const bool one_for_all_heads =
        shape.size() < 3 || (shape.size() == 3 && shape[0] == 1) || (shape.size() == 4 && shape[1] == 1);
    if (!one_for_all_heads) {
      weft::fail(name + " must be [batch, 1, rows, columns], found " + file_.tensor(name).type_text());
    }
    const auto flat = stacked<2>(name);
    Tensor<float, Shape<Dyn, 1, Dyn, Dyn>> result(
        Shape<Dyn, 1, Dyn, Dyn>(flat.extent(0), flat.extent(1), flat.extent(2)));
    result.assign(flat.span());
    return result;
  }

  /// Whether the file says of the gradient of a tensor, such as "in.x", that the reference leaves it undefined.
  bool leaves_undefined(const std::string& name) const { return undefined_gradients_.contains(name); }

  /// Compares with an expected tensor: max(10 d, 2e-6 m, 1e-7), with [d, m] from the file and, for gradients, m the
  /// largest of all gradients of the case. NaN has to meet NaN, and an infinity the same one.
  void compare(const std::string& name, const float* found, Index count) {
    const auto expected = values(name);
    compared_.insert(name);
    if (static_cast<Index>(expected.size()) != count) {
      reject(name + ": " + std::to_string(expected.size()) + " values expected, found " + std::to_string(count));
      return;
    }
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (expected[i] == found[i] || (std::isnan(expected[i]) && std::isnan(found[i]))) continue;
      const double error = std::abs(static_cast<double>(expected[i]) - static_cast<double>(found[i]));
      worst = std::isnan(error) ? INFINITY : std::max(worst, error);
    }
    note(name, worst, tolerance(name));
  }
  template <class X>
  void compare(const std::string& name, const X& found) {
    compare(name, found.data(), found.size());
  }

  /// Compares numbers of an index type, which have to be equal.
  template <class T>
  void compare_exactly(const std::string& name, const std::vector<T>& found) {
    compared_.insert(name);
    std::vector<std::int64_t> expected(static_cast<std::size_t>(file_.tensor(name).shape[0]));
    weft::TensorView<std::int64_t, Shape<Dyn>> view(expected.data(), Shape<Dyn>(static_cast<Index>(expected.size())));
    file_.load_into(view, name);
    if (!std::equal(expected.begin(), expected.end(), found.begin(), found.end())) reject(name + " differs");
  }

  /// For a tensor that is made of others, which have been compared, and for expectations in the metadata.
  void mark_compared(const std::string& name) { compared_.insert(name); }

  void note(const std::string& name, double error, double allowed) {
    if (error / allowed > worst_error_ / worst_allowed_) {
      worst_name_ = name;
      worst_error_ = error;
      worst_allowed_ = allowed;
    }
    if (!(error <= allowed)) passed_ = false;
  }

  void reject(const std::string& reason) {
    passed_ = false;
    reasons_ += (reasons_.empty() ? "" : "; ") + reason;
  }

  /// Whatever the file expects has to have been compared.
  void expect_all_compared() {
    for (const auto& tensor : file_.tensors()) {
      const std::string name(tensor.name);
      const bool expectation = name.starts_with("out.") || name.starts_with("grad_");
      if (expectation && !compared_.contains(name)) reject(name + " was not compared");
    }
    if (!json("init_const").empty() && !compared_.contains("init_const")) reject("init_const was not compared");
  }

  double tolerance(const std::string& name) const {
    if (!tolerances_.contains(name)) return 1e-7;
    const double between_precisions = tolerances_.at(name)[0];
    const double magnitude = name.starts_with("grad_") ? largest_gradient_ : tolerances_.at(name)[1].get<double>();
    return std::max({10 * between_precisions, 2e-6 * magnitude, 1e-7});
  }

  bool passed() const { return passed_; }
  const std::string& reasons() const { return reasons_; }
  const std::string& worst_name() const { return worst_name_; }
  double worst_error() const { return worst_error_; }
  double worst_allowed() const { return worst_allowed_; }

 private:
  std::vector<float> values(const std::string& name) const {
    std::size_t count = 1;
    for (const Index extent : file_.tensor(name).shape) count *= static_cast<std::size_t>(extent);
    std::vector<float> values(count);
    const auto bytes = file_.tensor(name).bytes;
    if (file_.tensor(name).dtype != "F32") weft::fail(name + " must be F32, found " + file_.tensor(name).type_text());
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

  weft::SafetensorsFile file_;
  nlohmann::json tolerances_;
  std::set<std::string> undefined_gradients_;
  double largest_gradient_ = 0;
  std::set<std::string> compared_;
  bool passed_ = true;
  std::string reasons_;
  std::string worst_name_;
  double worst_error_ = 0;
  double worst_allowed_ = 1;
};

}  // namespace parity
