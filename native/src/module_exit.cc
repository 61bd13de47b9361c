#include "module_exit.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "threads.h"

namespace holdfast {
namespace {

/// EX_SOFTWARE of sysexits.h, `exitCodes.internal` of the command.
constexpr int kFaultOfSoftware = 70;

void failUnlessOnMainThread(int exitCode, void* /*unused*/) {
  if (onMainThread()) return;
  const std::string line = "error: MODULE: a PKCS#11 module ended this process: it called exit(" +
                           std::to_string(exitCode) + ")\n";
  // If even this cannot be written, nothing is left to do.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  ::_exit(kFaultOfSoftware);
}

}  // namespace

void failWhereModulesExit() { ::on_exit(failUnlessOnMainThread, nullptr); }

}  // namespace holdfast
