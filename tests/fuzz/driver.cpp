// SPDX-License-Identifier: Apache-2.0
// The main program of a fuzz target where there is no libFuzzer: fuzz_xxx [--seconds N] [--seed N] PATH...
// runs the files and folders that are named, and then for so long inputs that it makes of them. The same seed makes the
// same inputs. One that ends the program lies in ./fuzz-crash then.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

extern "C" {
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);
[[gnu::weak]] std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                                  unsigned seed);
}

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::size_t kLongest = 16384;

std::minstd_rand dice(1);
std::size_t below(std::size_t count) { return dice() % count; }

const Input* running = nullptr;

void keep_input(int signal) {
  const int file = ::open("fuzz-crash", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && running != nullptr && ::write(file, running->data(), running->size()) >= 0) ::close(file);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const Input& input) {
  running = &input;
  LLVMFuzzerTestOneInput(input.data(), input.size());
  running = nullptr;
}

void read_inputs(const std::filesystem::path& path, std::vector<Input>& inputs) {
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) read_inputs(entry.path(), inputs);
    return;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

Input mutated(const Input& input) {
  Input result = input;
  result.resize(kLongest);
  std::size_t size = std::min(input.size(), kLongest);
  for (std::size_t times = 1 + below(3); times > 0; --times) {
    size = LLVMFuzzerCustomMutator != nullptr
               ? LLVMFuzzerCustomMutator(result.data(), size, kLongest, static_cast<unsigned>(dice()))
               : LLVMFuzzerMutate(result.data(), size, kLongest);
  }
  return {result.begin(), result.begin() + static_cast<std::ptrdiff_t>(size)};
}

std::size_t run_mutations(const std::vector<Input>& inputs, long seconds) {
  std::size_t count = 0;
  for (const std::time_t end = std::time(nullptr) + seconds; std::time(nullptr) < end; ++count) {
    run(mutated(inputs[below(inputs.size())]));
  }
  return count;
}

}  // namespace

/// One byte is changed, put in or taken out, or a stretch is doubled.
std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size) {
  const std::size_t at = below(size + 1);
  const std::size_t stretch = std::min({1 + below(16), size - at, max_size - size});
  switch (below(4)) {
    case 0:
      if (at < size) data[at] ^= static_cast<std::uint8_t>(1U << below(8));
      return size;
    case 1:
      if (size == max_size) return size;
      std::memmove(data + at + 1, data + at, size - at);
      data[at] = static_cast<std::uint8_t>(below(256));
      return size + 1;
    case 2:
      if (at == size) return size;
      std::memmove(data + at, data + at + 1, size - at - 1);
      return size - 1;
    default:
      std::memmove(data + at + stretch, data + at, size - at);
      return size + stretch;
  }
}

int main(int argc, char** argv) {
  long seconds = 0;
  std::vector<Input> inputs;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--seconds" && i + 1 < argc) {
      seconds = std::atol(argv[++i]);
    } else if (argument == "--seed" && i + 1 < argc) {
      dice.seed(static_cast<unsigned>(std::atol(argv[++i])));
    } else {
      read_inputs(argument, inputs);
    }
  }
  if (inputs.empty()) {
    std::fprintf(stderr, "%s [--seconds N] [--seed N] PATH...: files or folders are expected\n", argv[0]);
    return 1;
  }
  std::signal(SIGABRT, keep_input);
  for (const Input& input : inputs) run(input);
  const std::size_t made = seconds > 0 ? run_mutations(inputs, seconds) : 0;
  std::printf("%zu files, %zu inputs made of them\n", inputs.size(), made);
}
