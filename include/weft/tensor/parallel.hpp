// SPDX-License-Identifier: Apache-2.0
/// \file
/// Threads, through one function. OpenMP where the compiler offers it, serial otherwise.
#pragma once

#include <algorithm>

#include "weft/tensor/types.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace weft {

/// How many threads the next `parallel_for` of this thread may use.
inline int thread_count() {
#ifdef _OPENMP
  return omp_in_parallel() != 0 ? 1 : omp_get_max_threads();
#else
  return 1;
#endif
}

/// Sets how many threads later `parallel_for` calls of this thread use. No result depends on it.
inline void set_threads([[maybe_unused]] int count) {
#ifdef _OPENMP
  omp_set_num_threads(std::max(1, count));
#endif
}

namespace detail {

/// A body of `parallel_for` without its type: threads are started by one piece of code, not by a copy for each body.
using RangeFunction = void (*)(const void* body, Index begin, Index end);

[[gnu::noinline]] inline void run_ranges(Index count, Index grain, RangeFunction run, const void* body) {
  if (count <= 0) return;
  [[maybe_unused]] const Index ranges = std::min<Index>(thread_count(), count / std::max<Index>(1, grain));
#ifdef _OPENMP
  if (ranges > 1) {
#pragma omp parallel num_threads(static_cast <int>(ranges))
    {
      const Index parts = omp_get_num_threads();
      const Index part = omp_get_thread_num();
      const Index begin = count * part / parts;
      const Index end = count * (part + 1) / parts;
      if (begin < end) run(body, begin, end);
    }
    return;
  }
#endif
  run(body, 0, count);
}

}  // namespace detail

/// Calls `body(begin, end)` on disjoint ranges that cover [0, count), each of at least `grain` items (but the last).
/// Callers split outputs, never sums, so that results do not depend on the number of threads. Serial when nested.
template <class Body>
void parallel_for(Index count, Index grain, const Body& body) {
  const auto run = [](const void* erased, Index begin, Index end) { (*static_cast<const Body*>(erased))(begin, end); };
  detail::run_ranges(count, grain, run, &body);
}

}  // namespace weft
