// SPDX-License-Identifier: Apache-2.0
/// \file
/// The context that records: reverse-mode differentiation over tensors, in memory that is reused every step.
#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include "weft/autograd/gradient.hpp"
#include "weft/autograd/gradient_pool.hpp"
#include "weft/autograd/variable.hpp"
#include "weft/tensor/rng.hpp"
#include "weft/tensor/tensor.hpp"
#include "weft/tensor/workspace.hpp"

namespace weft {

/// Records operations and runs them backwards.
///
///     weft::Tape tape;
///     auto x = tape.watch(input);
///     auto loss = sum(tape, layer(tape, x));
///     tape.backward(loss);            // fills layer.weight.gradient(), tape.gradient(x)
///     tape.reset();                   // before the next step: memory stays, values go
template <class DeviceType>
class BasicTape {
 public:
  using Device = DeviceType;
  static constexpr bool records = true;
  template <class T, class ShapeType>
  using Result = Variable<T, ShapeType, DeviceType>;

  BasicTape() = default;
  BasicTape(const BasicTape&) = delete;
  BasicTape& operator=(const BasicTape&) = delete;

  /// An input whose gradient is wanted: read it with `gradient` after `backward`. The tensor must outlive the step.
  template <class T, class ShapeType>
  Variable<T, ShapeType, DeviceType> watch(TensorView<T, ShapeType, DeviceType> view) {
    Gradient* gradient = new_gradient(static_cast<std::size_t>(view.size()) * sizeof(T));
    gradient->keep = true;
    return {view, gradient};
  }
  /// The same for all of a tensor.
  template <class T, class ShapeType>
  Variable<T, ShapeType, DeviceType> watch(Tensor<T, ShapeType, DeviceType>& tensor) {
    return watch(tensor.view());
  }

  /// Keeps the gradient of a result readable after `backward`.
  template <class T, class ShapeType>
  void retain_gradient(const Variable<T, ShapeType, DeviceType>& result) {
    if (result.gradient_slot() != nullptr) result.gradient_slot()->keep = true;
  }

  /// Whether the loss depends on a watched or retained tensor.
  template <class T, class ShapeType>
  bool has_gradient(const Variable<T, ShapeType, DeviceType>& x) const {
    return x.gradient_slot() != nullptr && x.gradient_slot()->filled;
  }

  /// d loss / d x of a watched or retained tensor, until the next `reset`.
  template <class T, class ShapeType>
  TensorView<const T, ShapeType, DeviceType> gradient(const Variable<T, ShapeType, DeviceType>& x) const {
    if (!has_gradient(x))
      fail("Tape::gradient(x): no gradient has reached x (was it watched, and does the loss use it?)");
    return {x.gradient_slot()->template values<T>(), x.shape()};
  }

  /// Runs the tape backwards from a scalar, d loss / d loss = scale.
  template <class T, class ShapeType>
  void backward(const Variable<T, ShapeType, DeviceType>& loss, T scale = T{1}) {
    static_assert(ShapeType::rank == 0, "backward(loss): the loss must be a scalar; pass a seed for other shapes");
    backward(loss, TensorView<const T, ShapeType, DeviceType>(&scale, loss.shape()), true);
  }

  /// Runs the tape backwards from any result, with d loss / d result given.
  template <class T, class ShapeType>
  void backward(const Variable<T, ShapeType, DeviceType>& result, TensorView<const T, ShapeType, DeviceType> seed,
                bool seed_on_host = false) {
    if (result.gradient_slot() == nullptr) return;
    auto target = this->target<T>(result.gradient_slot());
    const std::size_t bytes = static_cast<std::size_t>(result.size()) * sizeof(T);
    seed_on_host ? DeviceType::copy_to_device(target.data, seed.data(), bytes)
                 : DeviceType::copy(target.data, seed.data(), bytes);
    run_back_to(nullptr, reuses_values_);
  }

  /// Whether `backward` may put gradients where results lie that no operation needs any more. Then the memory of a step is
  /// little more than that of its results, but these, the loss too, have to be read before `backward`.
  void reuse_values(bool allowed) { reuses_values_ = allowed; }

  /// Forgets everything recorded. Memory stays for the next step.
  void reset() {
    last_ = nullptr;
    nodes_.reset();
    values_.reset();
    gradients_.reset();
  }

  /// While it lives, nothing is recorded and results carry no gradient.
  class NoGrad {
   public:
    explicit NoGrad(BasicTape& tape) : tape_(tape), before_(std::exchange(tape.recording_, false)) {}
    ~NoGrad() { tape_.recording_ = before_; }
    NoGrad(const NoGrad&) = delete;
    NoGrad& operator=(const NoGrad&) = delete;

   private:
    BasicTape& tape_;
    bool before_;
  };
  /// Keep what it returns for as long as nothing is to be recorded.
  [[nodiscard]] NoGrad no_grad() { return NoGrad(*this); }

  /// False while a `NoGrad` lives.
  bool recording() const { return recording_; }

  /// Dropout is the identity unless it has been switched on with a stream of random numbers.
  void enable_dropout(Rng rng) {
    dropout_ = rng;
    dropping_ = true;
  }
  /// The stream stays where it is, but nothing is dropped until the next `enable_dropout`.
  void disable_dropout() { dropping_ = false; }
  /// Whether dropout drops anything.
  bool dropping() const { return dropping_; }
  /// The random numbers of the next dropout, other ones at each call.
  Rng next_dropout_stream() { return dropout_.next_stream(); }

  /// The state of the dropout streams, so that a recomputation can draw the same numbers again.
  Rng dropout_state() const { return dropout_; }
  void set_dropout_state(Rng state) { dropout_ = state; }

  /// Bytes that the largest step so far needed: values, records and gradients.
  std::size_t peak_bytes() const { return values_.peak() + nodes_.peak() + gradients_.peak(); }

  // ---- for operations -------------------------------------------------------------------------------------------

  /// An uninitialised result.
  template <class T, class ShapeType>
  Variable<T, ShapeType, DeviceType> make(const ShapeType& shape, bool needs_gradient) {
    const std::size_t bytes = static_cast<std::size_t>(shape.size()) * sizeof(T);
    return {TensorView<T, ShapeType, DeviceType>(values_.template allocate<T>(shape.size()), shape),
            needs_gradient && recording_ ? new_gradient(bytes) : nullptr};
  }

  /// A new result in the memory of another that nothing reads any more, forwards or backwards.
  template <class T, class ShapeType>
  Result<T, ShapeType> overwrite(const Result<T, ShapeType>& x, bool needs_gradient) {
    const std::size_t bytes = static_cast<std::size_t>(x.size()) * sizeof(T);
    return {x, needs_gradient && recording_ ? new_gradient(bytes) : nullptr};
  }

  /// body(x); a tape keeps what it computes, because intermediate results are needed backwards.
  template <class T, class ShapeType, class Body>
  Result<T, ShapeType> evolve(const Result<T, ShapeType>& x, Body&& body) {
    return body(x);
  }

  /// Memory until `reset()`, for what an operation needs again backwards.
  BasicWorkspace<DeviceType>& workspace() { return values_; }

  /// Appends `backward(tape)` for the operation that made `output`. It is skipped when no gradient reaches the output.
  template <class Backward>
  void record(Gradient* output, const Backward& backward) {
    static_assert(std::is_trivially_destructible_v<Backward>,
                  "record(output, backward): plain values and pointers only");
    if (output == nullptr) return;
    void* memory = nodes_.template allocate<std::byte>(sizeof(RecordedNode<Backward>));
    last_ = new (memory) RecordedNode<Backward>(last_, output, values_.mark(), backward);
  }

  /// Where to write a contribution to a gradient; empty when none is wanted.
  template <class T>
  GradientTarget<T> target(Gradient* gradient) {
    if (gradient == nullptr) return {};
    if (gradient->data == nullptr) gradient->data = gradients_.allocate(gradient->bytes);
    return {static_cast<T*>(gradient->data), std::exchange(gradient->filled, true)};
  }

  /// Tries to make the gradient of an output that of an input without a copy, for operations whose derivative is the
  /// identity. To be called last in a backward. False: the caller has to add.
  bool hand_over(Gradient* output, Gradient* input) {
    if (input == nullptr) return true;
    if (input->data != nullptr || output->keep || output->bytes != input->bytes) return false;
    input->data = std::exchange(output->data, nullptr);
    input->filled = true;
    return true;
  }

  /// Runs `body`, which records, and from its result `backward` with the given seed, then forgets what `body` recorded:
  /// for recomputation during a backward pass.
  template <class Body, class T>
  void replay(Body&& body, const T* seed) {
    const auto values = values_.mark();
    const auto nodes = nodes_.mark();
    Node* const resume = last_;
    const bool before = std::exchange(recording_, true);
    const auto result = body();
    if (result.gradient_slot() != nullptr) {
      auto target = this->target<T>(result.gradient_slot());
      DeviceType::copy(target.data, seed, result.gradient_slot()->bytes);
      run_back_to(resume, false);
    }
    recording_ = before;
    last_ = resume;
    values_.release(values);
    nodes_.release(nodes);
  }

  /// Whether a gradient would flow through what `body` computes; what it records and computes is forgotten again. The values
  /// of its result may still be read until the next one is made.
  template <class Body>
  auto rehearse(Body&& body) {
    const auto values = values_.mark();
    const auto nodes = nodes_.mark();
    Node* const resume = last_;
    const auto result = body();
    last_ = resume;
    values_.release(values);
    nodes_.release(nodes);
    return result;
  }

 private:
  struct Node {
    void (*run)(const Node&, BasicTape&);
    Node* previous;
    Gradient* output;
    typename BasicWorkspace<DeviceType>::Mark end;  // of the results so far: only operations up to here read them
  };

  template <class Backward>
  struct RecordedNode : Node {
    RecordedNode(Node* before, Gradient* output, typename BasicWorkspace<DeviceType>::Mark end,
                 const Backward& function)
        : Node{[](const Node& node, BasicTape& tape) { static_cast<const RecordedNode&>(node).backward(tape); }, before,
               output, end},
          backward(function) {}
    Backward backward;
  };

  Gradient* new_gradient(std::size_t bytes) {
    auto* gradient = new (nodes_.template allocate<std::byte>(sizeof(Gradient))) Gradient;
    gradient->bytes = bytes;
    return gradient;
  }

  /// \param reuse  gives the memory of results to gradients as soon as the operations that read them have run backwards
  void run_back_to(const Node* stop, bool reuse) {
    for (Node* node = last_; node != stop; node = node->previous) {
      Gradient& output = *node->output;
      last_ = node->previous;
      if (output.filled) node->run(*node, *this);
      if (!output.keep && output.data != nullptr) {
        gradients_.release(std::exchange(output.data, nullptr), output.bytes);
        output.filled = false;
      }
      if (reuse) {
        const auto begin = node->previous != nullptr ? node->previous->end : decltype(node->end){};
        values_.for_each_range(begin, node->end,
                               [&](std::byte* data, std::size_t bytes) { gradients_.give(data, bytes); });
      }
    }
  }

  Workspace nodes_;
  BasicWorkspace<DeviceType> values_;
  GradientPool<DeviceType> gradients_;
  Node* last_ = nullptr;
  bool recording_ = true;
  bool reuses_values_ = false;
  bool dropping_ = false;
  Rng dropout_;
};

/// The tape of host memory.
using Tape = BasicTape<Cpu>;

}  // namespace weft
