// SPDX-License-Identifier: Apache-2.0
// The training loop without the Trainer, and the proof that nothing is hidden in it: the same losses, bit for bit.
#include <iostream>
#include <string>
#include <vector>

#include "weft/weft.hpp"

namespace {

using Block = weft::DecoderLayer<32, weft::LlamaAttentionGIN<32, 2>, weft::LlamaMLP<32, 64>>;
using Net = weft::CausalLM<weft::Vocab<256>, weft::Stack<Block, 2>>;

constexpr weft::Index steps = 30;
constexpr weft::TrainingOptions options{.learning_rate = 3e-3,
                                        .batch_size = 4,
                                        .max_steps = steps,
                                        .weight_decay = 0.1,
                                        .max_grad_norm = 1,
                                        .schedule = weft::Schedule::cosine,
                                        .warmup_steps = 5};

weft::TokenDataset make_data() {
  std::string text;
  for (int line = 0; line < 40; ++line) text += "The weft is woven through the warp, the graph through attention.\n";
  return weft::TokenDataset(weft::bytes_as_tokens(text), {.block_size = 32});
}

/// What `fit` does, step by step.
std::vector<double> train_by_hand(Net& model, weft::TokenDataset data) {
  const weft::ParameterList parameters(model);
  weft::AdamW optimizer(parameters, {.weight_decay = options.weight_decay});
  weft::Tape tape;
  tape.enable_dropout(weft::dropout_rng(options.seed));

  std::vector<double> losses;
  for (weft::Index step = 0; step < steps; ++step) {
    const weft::TokenBatch batch = data.next_batch(options.batch_size);
    parameters.clear_gradients();
    tape.reset();

    const auto loss = model.loss(tape, batch.ids, batch.labels);  // forward: the tape records
    tape.backward(loss);                                          // backward: fills every parameter's gradient

    weft::clip_gradient_norm(parameters, options.max_grad_norm);
    const double factor = weft::schedule_factor(options.schedule, step, options.warmup_steps, steps);
    optimizer.step(options.learning_rate * factor);
    losses.push_back(loss());
  }
  return losses;
}

std::vector<double> train_with_trainer(Net& model, weft::TokenDataset data) {
  std::vector<double> losses;
  weft::Trainer(model, options).fit(data, {.on_step = [&](const weft::StepReport& report) {
                                      losses.push_back(report.loss);
                                    }});
  return losses;
}

}  // namespace

int main() {
  Net first(weft::Rng{42});
  Net second(weft::Rng{42});
  const auto by_hand = train_by_hand(first, make_data());
  const auto with_trainer = train_with_trainer(second, make_data());

  std::cout << "step  by hand   Trainer\n" << std::fixed;
  for (std::size_t step = 0; step < by_hand.size(); step += 5) {
    std::cout << step + 1 << "\t" << by_hand[step] << "  " << with_trainer[step] << "\n";
  }
  if (by_hand != with_trainer) {
    std::cout << "The two losses differ.\n";
    return 1;
  }
  std::cout << "All " << steps << " losses agree in every bit.\n";
  return 0;
}
