// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <set>
#include <string>

#include "weft/io/atomic_folder.hpp"
#include "weft/io/text_file.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using weft::write_text;
using weft::detail::AtomicFolder;
using weft::testing::TemporaryFolder;

namespace {

namespace fs = std::filesystem;

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

}  // namespace

TEST_CASE("a folder appears whole when it is committed") {
  const TemporaryFolder folder;
  AtomicFolder target(folder / "deep/below/new//");
  write_text(target.path() + "/file", "text");
  CHECK_FALSE(fs::exists(folder / "deep/below/new"));
  target.commit();
  CHECK(names_in(folder / "deep/below") == std::set<std::string>{"new"});
  CHECK(names_in(folder / "deep/below/new") == std::set<std::string>{"file"});
}

TEST_CASE("of a folder without commit nothing is left") {
  const TemporaryFolder folder;
  {
    const AtomicFolder target(folder / "new");
    write_text(target.path() + "/file", "text");
  }
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("the first of two writers of a folder wins") {
  const TemporaryFolder folder;
  {
    AtomicFolder first(folder / "new");
    AtomicFolder second(folder / "new");
    CHECK(first.path() != second.path());
    write_text(first.path() + "/first", "text");
    write_text(second.path() + "/second", "text");
    first.commit();
    CHECK_THROWS_WITH(second.commit(), "cannot write " + folder / "new" + ": somebody else made it meanwhile");
  }
  CHECK(names_in(folder.path()) == std::set<std::string>{"new"});
  CHECK(names_in(folder / "new") == std::set<std::string>{"first"});
}

TEST_CASE("a folder is written under a name that nothing else has") {
  const TemporaryFolder folder;
  const std::string first = AtomicFolder(folder / "new").path();
  const TemporaryFolder elsewhere;
  write_text(elsewhere / "file", "mine");
  fs::create_directory_symlink(elsewhere.path(), first);
  fs::create_directory(first + "-2");
  {
    const AtomicFolder target(folder / "new");
    CHECK(target.path() == first + "-3");
    write_text(target.path() + "/file", "text");
  }
  CHECK(names_in(elsewhere.path()) == std::set<std::string>{"file"});
  CHECK(names_in(folder.path()).size() == 2);
}

TEST_CASE("what cannot become a folder is refused at once") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "empty");
  fs::create_directory_symlink("empty", folder / "link");
  fs::create_directory_symlink("nowhere", folder / "dangling");
  write_text(folder / "file", "text");
  const auto refused = [&](const std::string& path, const std::string& reason) {
    CHECK_THROWS_WITH(AtomicFolder(path), "cannot write " + path + ": " + reason);
  };
  refused(folder / "link", "it is a symbolic link");
  refused(folder / "dangling", "it is a symbolic link");
  refused(folder / "file", "it exists already");
  refused(folder.path(), "it exists already");
  refused(folder / "empty/.", "the path must end in the name of a folder");
  refused(folder / "empty/..", "the path must end in the name of a folder");
  for (const char* path : {"", ".", "..", "/"}) refused(path, "the path must end in the name of a folder");
  CHECK(names_in(folder.path()).size() == 4);
  CHECK(names_in(folder / "empty").empty());
}
