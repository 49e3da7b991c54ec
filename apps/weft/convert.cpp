// SPDX-License-Identifier: Apache-2.0
// weft convert: a model folder with its weights in another element type, in files of another size, or with adapters merged
// into them.
#include <charconv>
#include <cstdio>
#include <iostream>
#include <memory>

#include "weft/io/convert_pretrained.hpp"

#include "apps/support/arguments.hpp"
#include "apps/support/progress_bar.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/figures.hpp"

namespace apps {

namespace {

using weft::detail::Json;

struct Options {
  std::string folder;
  std::string output;
  std::string adapter;
  std::string dtype;
  std::string shard_size = "5GB";
  bool json = false;
};

/// Ctrl-C, on its way out of the library.
struct Stopped {};

/// "5GB", "200MiB" or a number of bytes; 0 for what is none of these.
std::uint64_t bytes_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return 0;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  constexpr std::pair<std::string_view, std::uint64_t> units[]{
      {"", 1},       {"KB", 1'000},      {"MB", 1'000'000},  {"GB", 1'000'000'000},
      {"kB", 1'000}, {"KiB", 1U << 10U}, {"MiB", 1U << 20U}, {"GiB", 1U << 30U}};
  for (const auto& [name, size] : units) {
    if (unit == name) return number <= UINT64_MAX / size ? number * size : 0;
  }
  return 0;
}

CLI::Validator byte_count() {
  return {[](const std::string& text) {
            return bytes_of(text) > 0 ? std::string() : "must be a size as 5GB, 200MiB or 1000000, found " + text;
          },
          ""};
}

std::string_view safetensors_name(std::string_view dtype) {
  return dtype == "f32" ? "F32" : dtype == "bf16" ? "BF16" : dtype == "f16" ? "F16" : "";
}

void report(const Options& options, const weft::ConvertReport& done) {
  if (options.json) {
    return print_json(Json::Object{{"bytes", done.bytes},
                                   {"converted", done.converted},
                                   {"copied", Json::Array(done.copied.begin(), done.copied.end())},
                                   {"files", done.files},
                                   {"merged", done.merged},
                                   {"output", options.output},
                                   {"tensors", done.tensors}});
  }
  std::cout << options.output << "\n";
  print_row({"tensors", {}}, value_text(done.tensors) + ", of which " + value_text(done.converted) + " were converted");
  if (done.merged > 0) print_row({"adapters", {}}, value_text(done.merged) + " merged");
  print_row({"weights", {}},
            bytes_text(done.bytes) + (done.files == 1 ? " in 1 file" : " in " + value_text(done.files) + " files"));
  std::string others = "config.json";
  for (const std::string& name : done.copied) others += ", " + name;
  print_row({"beside_them", {}}, others);
  expect_printed();
}

int convert(const Options& options) {
  catch_interrupt();
  std::unique_ptr<ProgressBar> bar;
  long shown = -1;
  const auto show = [&](std::uint64_t done, std::uint64_t total) {
    if (interrupted()) throw Stopped();
    const auto megabytes = [](std::uint64_t bytes) { return static_cast<long>(bytes / 1'000'000); };
    const long all = megabytes(total) + 1;
    if (!bar) bar = std::make_unique<ProgressBar>(all, 0);
    const long now = done == total ? all : megabytes(done);
    if (now != shown) bar->update(now, "MB of weights");
    shown = now;
  };
  const weft::ConvertOptions how{.dtype = std::string(safetensors_name(options.dtype)),
                                 .max_shard_size = bytes_of(options.shard_size),
                                 .adapter = options.adapter,
                                 .on_progress = show};
  try {
    const weft::ConvertReport done = weft::convert_pretrained(options.folder, options.output, how);
    if (bar) bar->finish();
    report(options, done);
    return kDone;
  } catch (const Stopped&) {
    if (bar) bar->finish();
    std::cerr << "weft: stopped; nothing was written\n";
    return kInterrupted;
  }
}

}  // namespace

void add_convert(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand(
      "convert", "write a model's weights in another element type, in shards, or with adapters merged");
  command->footer(
      "OUT is a new folder, which appears when it is complete. Elements are rounded to the nearest, ties to even; one "
      "that\n"
      "is beyond the largest of its new type is refused. config.json gets the new type; names of tensors, unknown "
      "fields\n"
      "and the files of a tokenizer stay as they are. One piece of a tensor at a time is in memory, and the "
      "adapters.\n\n"
      "  weft convert llama llama-bf16 --dtype bf16\n"
      "  weft convert llama llama-in-shards --shard-size 500MB\n"
      "  weft convert llama llama-tuned --adapter adapter");
  const auto options = std::make_shared<Options>();
  command->add_option("DIR", options->folder, "model folder")->required()->check(some_text())->type_name("");
  command->add_option("OUT", options->output, "new folder")->required()->check(some_text())->type_name("");
  command
      ->add_option("--adapter", options->adapter,
                   "folder of low-rank adapters, whose products are added to the weights")
      ->check(some_text());
  command->add_option("--dtype", options->dtype, "f32, bf16 or f16 (each tensor keeps its own)")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}).description(""));
  command->add_option("--shard-size", options->shard_size, "the most bytes of weights in one file (5GB)")
      ->check(byte_count());
  command->add_flag("--json", options->json, "one JSON object at the end");
  command->callback([options, &code] { code = convert(*options); });
}

}  // namespace apps
