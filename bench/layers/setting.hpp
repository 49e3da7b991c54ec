// SPDX-License-Identifier: Apache-2.0
/// \file
/// The sizes at which layers are measured, and how the command line says them.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "weft/tensor/error.hpp"
#include "weft/tensor/parallel.hpp"

namespace bench {

using weft::Index;

/// One size.
struct Setting {
  Index batch = 8;
  Index tokens = 256;
  Index hidden = 560;
  Index heads = 8;
  Index intermediate = 512;  ///< of the feed-forward blocks

  Index head_dim() const { return hidden / heads; }
  Index nodes() const { return batch * tokens; }
};

/// Every size to measure, and with how many threads.
struct Settings {
  std::vector<Index> tokens = {Setting{}.tokens};
  std::vector<Index> hidden = {Setting{}.hidden};
  Setting shared;
  int threads = weft::thread_count();

  template <class Body>
  void for_each(Body&& body) const {
    Setting setting = shared;
    for (const Index width : hidden) {
      for (const Index count : tokens) {
        setting.tokens = count;
        setting.hidden = width;
        body(setting);
      }
    }
  }
};

namespace detail {

inline std::vector<Index> numbers(std::string_view flag, const std::string& list) {
  std::vector<Index> result;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    result.push_back(std::strtol(list.c_str() + begin, nullptr, 10));
    if (result.back() < 1) weft::fail(weft::concat(flag, ": expected positive numbers like 128,256, found ", list));
    begin = end + 1;
  }
  return result;
}

/// Whether `argument` is one of our flags; it is then read.
inline bool read_flag(const std::string& argument, Settings& settings) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string::npos) return false;
  const std::string flag = argument.substr(0, equals);
  const auto list = [&] { return numbers(flag, argument.substr(equals + 1)); };
  if (flag == "--tokens") return settings.tokens = list(), true;
  if (flag == "--hidden") return settings.hidden = list(), true;
  if (flag == "--batch") return settings.shared.batch = list().front(), true;
  if (flag == "--heads") return settings.shared.heads = list().front(), true;
  if (flag == "--intermediate") return settings.shared.intermediate = list().front(), true;
  if (flag == "--threads") return settings.threads = static_cast<int>(list().front()), true;
  return false;
}

}  // namespace detail

/// Takes `--tokens=128,256 --hidden=560 --batch=8 --heads=8 --intermediate=512 --threads=2` out of the arguments, in any
/// order; the rest is for Google Benchmark.
inline Settings read_settings(int& argc, char** argv) {
  Settings settings;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    if (!detail::read_flag(argv[i], settings)) argv[kept++] = argv[i];
  }
  argc = kept;
  return settings;
}

}  // namespace bench
