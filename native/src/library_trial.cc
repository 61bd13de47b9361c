#include "library_trial.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "failure.h"
#include "library_trial_status.h"
#include "module_library.h"
#include "mutex.h"
#include "never_destroyed.h"

namespace holdfast {
namespace {

constexpr auto kLongestTrial = std::chrono::seconds(10);
constexpr auto kPauseBetweenLooks = std::chrono::milliseconds(2);

struct Passed {
  using Trial = std::pair<FileVersion, EnvironmentVariables>;
  Mutex mutex;
  std::set<Trial> trials GUARDED_BY(mutex);
};

NeverDestroyed<Passed>& passed() {
  static NeverDestroyed<Passed> instance;
  return instance;
}

/// The path of the trial program. It is in the folder of the addon, or of the test program.
std::string trialProgram() {
  Dl_info info{};
  const bool known = dladdr(reinterpret_cast<const void*>(&tryInAnotherProcess), &info) != 0;
  std::string path = known && info.dli_fname != nullptr ? info.dli_fname : "";
  path.erase(path.find_last_of('/') + 1);
  return path + "library-trial";
}

/// Owns the arguments of posix_spawn.
class SpawnSettings {
 public:
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions_);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      posix_spawn_file_actions_addopen(&actions_, standard, "/dev/null", O_RDWR, 0);
    }
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

pid_t start(const std::string& path) {
  std::string program = trialProgram();
  std::string library = path;
  char* const arguments[] = {program.data(), library.data(), nullptr};
  const SpawnSettings settings;
  pid_t child = 0;
  const int error =
      posix_spawn(&child, program.c_str(), settings.actions(), settings.attributes(), arguments, environ);
  if (error != 0)
    throw failure(FailureKind::kModule,
                  "cannot run " + program + ": " + std::generic_category().message(error));
  return child;
}

/// The child's wait status; nothing if it had to be killed.
[[nodiscard]] std::optional<int> statusBy(pid_t child, Deadline deadline) {
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR)
      throw failure(FailureKind::kModule, "waitpid: " + std::generic_category().message(errno));
    if (Clock::now() >= deadline) break;
    std::this_thread::sleep_for(kPauseBetweenLooks);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return std::nullopt;
}

std::string howItEnded(const std::optional<int>& status) {
  if (!status) return "hangs when it is loaded";
  if (WIFSIGNALED(*status))
    return "ends the process that loads it (signal " + std::to_string(WTERMSIG(*status)) +
           "): is the file whole, and for this machine?";
  return "ends the process that loads it (exit status " + std::to_string(WEXITSTATUS(*status)) + ")";
}

}  // namespace

void tryInAnotherProcess(const std::string& realPath, const EnvironmentVariables& environment,
                         Deadline deadline) {
  const Passed::Trial trial{fileVersionOf(realPath), environment};
  {
    const MutexLock lock(passed()->mutex);
    if (passed()->trials.contains(trial)) return;
  }
  const auto now = Clock::now();
  const auto mayTake = std::min<Clock::duration>(kLongestTrial, (deadline - now) * 9 / 10);
  const auto status = statusBy(start(realPath), now + mayTake);
  const bool survived = status && WIFEXITED(*status) && WEXITSTATUS(*status) == kLibraryTrialSurvived;
  if (!survived) throw failure(FailureKind::kModule, realPath + " " + howItEnded(status));
  const MutexLock lock(passed()->mutex);
  passed()->trials.insert(trial);
}

}  // namespace holdfast
