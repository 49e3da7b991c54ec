// SPDX-License-Identifier: Apache-2.0
/// \file
/// How much memory a piece of work needs beside what was there before, as Linux counts it.
#pragma once

#include <fstream>
#include <string>
#include <thread>

namespace bench {

/// A line of /proc/self/status in megabytes: "VmRSS:" what is in memory, "VmHWM:" the most since the last reset.
inline double status_megabytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == key && status >> kilobytes) return kilobytes / 1024;
  }
  return 0;
}

/// The most memory that `body` needed at one time beyond what the process held. It runs on a thread of its own, whose team
/// and their scratch are new.
template <class Body>
double peak_megabytes(Body&& body) {
  std::ofstream("/proc/self/clear_refs") << 5;  // resets VmHWM
  const double before = status_megabytes("VmRSS:");
  std::thread(body).join();
  return status_megabytes("VmHWM:") - before;
}

}  // namespace bench
