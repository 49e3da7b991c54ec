// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "weft/io/atomic_file.hpp"
#include "weft/io/text_file.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::AtomicFile;
using weft::read_text;
using weft::write_text;
using weft::testing::TemporaryFolder;

namespace {

/// Runs `body` in another process and returns its exit status, or -1 when a signal ended it.
template <class Body>
int in_child(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      status = body();
    } catch (...) {
      status = 99;
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::size_t files_in(const TemporaryFolder& folder) {
  const std::filesystem::directory_iterator files(folder.path());
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

}  // namespace

TEST_CASE("a committed file has exactly what was written") {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  std::string expected;
  AtomicFile file(path);
  for (std::size_t size : {0UL, 1UL, 65535UL, 65536UL, 65537UL, 200'000UL, 3UL}) {
    const std::string part(size, static_cast<char>('a' + size % 26));
    file.write(part);
    expected += part;
  }
  CHECK_FALSE(std::filesystem::exists(path));
  file.commit();
  CHECK(read_text(path) == expected);
  CHECK(files_in(folder) == 1);
}

TEST_CASE("a file without commit changes nothing") {
  const TemporaryFolder folder;
  write_text(folder / "file", "old");
  { AtomicFile(folder / "file").write("new"); }
  CHECK(read_text(folder / "file") == "old");
  CHECK(files_in(folder) == 1);
}

TEST_CASE("an exception while writing keeps the old content") {
  const TemporaryFolder folder;
  write_text(folder / "file", "old");
  const auto write_and_throw = [&] {
    AtomicFile file(folder / "file");
    file.write(std::string(100'000, 'x'));
    throw std::runtime_error("stop");
  };
  CHECK_THROWS_WITH(write_and_throw(), "stop");
  CHECK(read_text(folder / "file") == "old");
  CHECK(files_in(folder) == 1);
}

TEST_CASE("a process that dies while writing keeps the old content, and the next writer goes on") {
  const TemporaryFolder folder;
  write_text(folder / "file", "old");
  const int status = in_child([&] {
    AtomicFile file(folder / "file");
    file.write(std::string(100'000, 'x'));
    ::raise(SIGKILL);
    return 0;
  });
  CHECK(status == -1);
  CHECK(read_text(folder / "file") == "old");
  CHECK(files_in(folder) == 2);
  write_text(folder / "file", "new");
  CHECK(read_text(folder / "file") == "new");
  CHECK(files_in(folder) == 1);
}

TEST_CASE("a full disk keeps the old content and says so") {
  const TemporaryFolder folder;
  write_text(folder / "file", "old");
  const int status = in_child([&] {
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
    try {
      write_text(folder / "file", std::string(200'000, 'x'));
    } catch (const weft::Error& error) {
      return std::string(error.what()).find("cannot write " + folder / "file" + ": ") == 0 ? 0 : 2;
    }
    return 3;
  });
  CHECK(status == 0);
  CHECK(read_text(folder / "file") == "old");
  CHECK(files_in(folder) == 1);
}

TEST_CASE("a folder that cannot be written is named") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(AtomicFile(folder / "none/file"),
                    "cannot write " + folder / "none/file" + ": No such file or directory");
  write_text(folder / "file", "old");
  CHECK_THROWS_WITH(AtomicFile(folder / "file/inside"), ContainsSubstring("Not a directory"));
  CHECK_THROWS_WITH(write_text(folder.path(), "text"), ContainsSubstring("cannot replace " + folder.path()));
  CHECK(read_text(folder / "file") == "old");
}

TEST_CASE("two writers of one file are refused") {
  const TemporaryFolder folder;
  AtomicFile first(folder / "file");
  first.write("first");
  CHECK_THROWS_WITH(AtomicFile(folder / "file"), ContainsSubstring("it is being written already"));
  first.commit();
  CHECK(read_text(folder / "file") == "first");
  AtomicFile second(folder / "file");
  second.write("second");
  second.commit();
  CHECK(read_text(folder / "file") == "second");
}

TEST_CASE("the permissions of a replaced file stay") {
  const TemporaryFolder folder;
  write_text(folder / "file", "old");
  ::chmod((folder / "file").c_str(), 0640);
  write_text(folder / "file", "new");
  struct stat status {};
  REQUIRE(::stat((folder / "file").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0640U);
}

TEST_CASE("a mapping outlives the replacement of its file") {
  const TemporaryFolder folder;
  write_text(folder / "file", "old content");
  const weft::MappedFile mapped(folder / "file");
  write_text(folder / "file", "new");
  CHECK(std::string(reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()) == "old content");
}

TEST_CASE("an empty file is mapped as nothing") {
  const TemporaryFolder folder;
  write_text(folder / "file", "");
  CHECK(weft::MappedFile(folder / "file").bytes().empty());
  CHECK(read_text(folder / "file").empty());
}

TEST_CASE("a file longer than expected is not read") {
  const TemporaryFolder folder;
  write_text(folder / "file", "four");
  CHECK(read_text(folder / "file", 4) == "four");
  CHECK_THROWS_WITH(read_text(folder / "file", 3), ContainsSubstring("at most 3 bytes are expected, found 4"));
}
