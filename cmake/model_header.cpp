// SPDX-License-Identifier: Apache-2.0
// model_header FOLDER NAME HEADER [WEIGHTS]: writes a header with the model in a folder as a type, and with the place of its
// weights in the program where a file of them is part of it. Built and run by weft_add_model.
#include <cstdio>
#include <exception>

#include <weft/io/model_header.hpp>
#include <weft/io/notes.hpp>

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fprintf(stderr, "model_header FOLDER NAME HEADER [WEIGHTS]: three or four arguments are expected\n");
    return 2;
  }
  try {
    const std::string folder = argv[1];
    const weft::PretrainedConfig config = weft::read_config(folder + "/config.json");
    weft::detail::give_notes(config.notes, nullptr);
    weft::write_text(argv[3], weft::model_header(config, argv[2], folder, argc == 5));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "model_header: %s\n", error.what());
    return 1;
  }
}
