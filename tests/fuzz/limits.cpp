// SPDX-License-Identifier: Apache-2.0
#include "fuzz/limits.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>

#include <sys/time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ADDRESS_SANITIZER 1
#endif
#endif

namespace {

std::atomic<std::size_t> largest{0};  ///< allowed now; 0: anything is

[[noreturn]] void end(const char* line, int length) {
  largest = 0;
  if (::write(STDERR_FILENO, line, static_cast<std::size_t>(length)) < 0) std::abort();
  std::abort();
}

void look_at_allocation(std::size_t bytes) {
  const std::size_t allowed = largest;
  if (allowed == 0 || bytes <= allowed) return;
  char line[120];
  end(line, std::snprintf(line, sizeof line, "limits: at most %zu bytes at once, found %zu\n", allowed, bytes));
}

void set_timer(int seconds) {
  const itimerval after{{0, 0}, {seconds, 0}};
  ::setitimer(ITIMER_PROF, &after, nullptr);
}

void on_timer(int) {
  constexpr char line[] = "limits: an input took more than a second\n";
  end(line, sizeof line - 1);
}

}  // namespace

#ifdef WEFT_ADDRESS_SANITIZER

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));

namespace {
void see_allocations() {
  static const int installed = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, std::size_t bytes) { look_at_allocation(bytes); }, [](const volatile void*) {});
  if (installed == 0) std::abort();
}
}  // namespace

#else

namespace {
void see_allocations() {}

void* allocate(std::size_t bytes) {
  look_at_allocation(bytes);
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

#endif

namespace weft::testing {

Limits::Limits(std::size_t input_bytes, std::size_t in_any_case, std::size_t per_byte) {
  see_allocations();
  std::signal(SIGPROF, on_timer);
  set_timer(1);
  largest = per_byte * input_bytes + in_any_case;
}

Limits::~Limits() {
  largest = 0;
  set_timer(0);
}

void expect(bool holds, const char* what) {
  if (holds) return;
  char line[200];
  end(line, std::snprintf(line, sizeof line, "expected: %.160s\n", what));
}

}  // namespace weft::testing
