// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "weft/tensor/parallel.hpp"
#include "weft/tensor/scratch.hpp"
#include "weft/tensor/workspace.hpp"

#include "support/catch.hpp"

using namespace weft;

TEST_CASE("a workspace gives aligned memory and takes it back to a mark") {
  Workspace workspace;
  float* first = workspace.allocate<float>(3);
  const auto mark = workspace.mark();
  float* second = workspace.allocate<float>(1);
  CHECK(reinterpret_cast<std::uintptr_t>(second) % 64 == 0);
  CHECK(second != first);
  workspace.release(mark);
  CHECK(workspace.allocate<float>(1) == second);
}

TEST_CASE("a workspace grows on the first step and never after") {
  Workspace workspace;
  const auto step = [&] {
    workspace.reset();
    for (int i = 1; i < 40; ++i) workspace.allocate<double>(i * 1000);
  };
  step();
  step();  // the pieces of the first step become one block
  const std::size_t capacity = workspace.capacity();
  const double* before = (workspace.reset(), workspace.allocate<double>(1));
  step();
  CHECK(workspace.capacity() == capacity);
  workspace.reset();
  CHECK(workspace.allocate<double>(1) == before);
}

TEST_CASE("a workspace tells what lies between two marks, over all its blocks") {
  Workspace workspace;
  std::byte* const first = workspace.allocate<std::byte>(128);
  const auto begin = workspace.mark();
  std::byte* const second = workspace.allocate<std::byte>(1 << 20);
  const auto end = workspace.mark();
  std::vector<std::pair<std::byte*, std::size_t>> ranges;
  const auto list = [&](std::byte* data, std::size_t bytes) { ranges.emplace_back(data, bytes); };
  workspace.for_each_range(begin, end, list);
  REQUIRE(ranges.size() == 2);
  CHECK(ranges[0].first == first + 128);
  CHECK(ranges[1] == std::pair<std::byte*, std::size_t>(second, 1 << 20));
  ranges.clear();
  workspace.for_each_range(end, end, list);
  CHECK(ranges.empty());
}

TEST_CASE("values stay where they are while a workspace grows") {
  Workspace workspace;
  std::vector<Index*> places;
  for (Index i = 0; i < 100; ++i) {
    places.push_back(workspace.allocate<Index>(5000));
    places.back()[4999] = i;
  }
  for (Index i = 0; i < 100; ++i) CHECK(places[static_cast<std::size_t>(i)][4999] == i);
}

TEST_CASE("parallel_for covers every index once, for any count, grain and number of threads") {
  for (const int threads : {1, 2, 7}) {
    set_threads(threads);
    for (const Index count : {0, 1, 2, 17, 1000}) {
      for (const Index grain : {1, 16, 5000}) {
        std::vector<int> visits(static_cast<std::size_t>(count));
        parallel_for(count, grain, [&](Index begin, Index end) {
          for (Index i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
        });
        CHECK(std::count(visits.begin(), visits.end(), 1) == count);
      }
    }
  }
  set_threads(2);
}

TEST_CASE("scratch belongs to its tag and does not shrink") {
  struct First;
  struct Second;
  double* first = thread_scratch<First, double>(100);
  CHECK((thread_scratch<Second, double>(100)) != first);
  CHECK((thread_scratch<First, double>(10)) == first);
}

TEST_CASE("a workspace refuses a number of elements that cannot be") {
  Workspace workspace;
  CHECK_THROWS_WITH(workspace.allocate<float>(-1),
                    "Workspace: the number of elements must be at least 0 and fit into memory, found -1 of 4 bytes");
  CHECK_THROWS_WITH(workspace.allocate<double>(Index{1} << 61),
                    Catch::Matchers::ContainsSubstring("found 2305843009213693952 of 8 bytes"));
  CHECK(workspace.capacity() == 0);
}

#if !defined(__SANITIZE_ADDRESS__)  // the sanitizer ends the program instead
TEST_CASE("memory that the machine does not have is an error that names the bytes") {
  CHECK_THROWS_WITH(allocate_aligned(std::size_t{1} << 55), "out of memory: 36028797018963968 bytes were asked for");
}
#endif

TEST_CASE("zeroed memory is zero and aligned, small or large") {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, (std::size_t{1} << 20) + 3}) {
    const HostBuffer buffer = allocate_zeroed(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.get()) % kAlignment == 0);
    CHECK(std::all_of(buffer.get(), buffer.get() + bytes, [](std::byte b) { return b == std::byte{0}; }));
  }
}

TEST_CASE("borrowed memory lives as long as a buffer refers to it") {
  const auto owner = std::make_shared<std::array<std::byte, 8>>();
  {
    HostBuffer buffer = borrow_memory(owner->data(), owner);
    CHECK(owner.use_count() == 2);
    const HostBuffer moved = std::move(buffer);
    CHECK(moved.get() == owner->data());
    CHECK(owner.use_count() == 2);
  }
  CHECK(owner.use_count() == 1);
}
