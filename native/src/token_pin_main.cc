/// \file `token-pin LIBRARY (label|serial-number) NAME [INITIALIZATION-STRING]`: logs in to a token once,
/// with the user PIN that standard input gives, in a process of its own. A process that is logged in cannot
/// try another PIN (PKCS#11 v2.40 §5.6 C_Login: CKR_USER_ALREADY_LOGGED_IN). The module's variables are in
/// the environment. Standard output has a line for each step: `token FLAGS SERIAL-NUMBER` once the token is
/// found, before the PIN is read, so that the parent can claim the attempt; `trying`, just before C_Login;
/// then `accepted`. If the input has a NUL, the PIN after it is the new one: then follow `changing`, just
/// before C_SetPIN (§5.5), and `changed`. A failure is the last line: `rv FUNCTION VALUE TEXT`, or `failure
/// KIND TEXT`. Without a PIN nothing is tried.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include "module.h"
#include "session.h"
#include "slot_scan.h"
#include "token.h"

namespace holdfast {
namespace {

/// The parent kills this process at a deadline of its own.
constexpr auto kLongestTrial = std::chrono::minutes(5);
/// The maximum length of a PIN: `maximumPinLength` in UTF-8.
constexpr size_t kLongestPin = size_t{4} * 255;

/// The output is a pipe: each line must be seen before the call that may hang.
void say(const std::string& line) {
  // A parent that is gone has killed this process.
  static_cast<void>(std::fputs((line + '\n').c_str(), stdout));
  static_cast<void>(std::fflush(stdout));
}

/// Reads to the end of standard input or to a NUL, without the buffers of the C library. `more` says which.
Secret readPin(bool& more) {
  Secret pin(kLongestPin);
  size_t length = 0;
  more = false;
  while (length < kLongestPin && ::read(STDIN_FILENO, pin.data() + length, 1) == 1) {
    more = pin.data()[length] == 0;
    if (more) break;
    ++length;
  }
  pin.truncate(length);
  return pin;
}

void tryPin(const ModuleOptions& options, const TokenName& name) {
  Threads threads;
  const Deadline deadline = Clock::now() + kLongestTrial;
  const auto module = Module::open(options, nullptr, deadline);
  const auto token = Token::find(module, name, SlotScan(threads), deadline);
  const TokenInfo info = token->info();
  say("token " + std::to_string(info.flags) + ' ' + info.serialNumber);
  bool changes = false;
  const Secret pin = readPin(changes);
  if (pin.size() == 0) return;
  const Session session(*token);
  say("trying");
  check(Function::C_Login,
        session.functions().C_Login(session.handle(), CKU_USER, pointerFor(pin.view()), pin.size()));
  token->proveSession(session);
  say("accepted");
  if (!changes) return;
  const Secret next = readPin(changes);
  if (next.size() == 0) return;
  if (session.functions().C_SetPIN == nullptr)
    throw failure(FailureKind::kModule, "the module has no C_SetPIN: change the PIN with the vendor's tool");
  say("changing");
  check(Function::C_SetPIN, session.functions().C_SetPIN(session.handle(), pointerFor(pin.view()), pin.size(),
                                                         pointerFor(next.view()), next.size()));
  say("changed");
}

std::string wordsOf(const Failure& failure) {
  const std::string text = messageOf(failure);
  if (failure.kind != FailureKind::kRv) return std::string("failure ") + nameOf(failure.kind) + ' ' + text;
  return std::string("rv ") + nameOf(failure.function) + ' ' + std::to_string(failure.rv) + ' ' + text;
}

}  // namespace
}  // namespace holdfast

int main(int argumentCount, char** arguments) {
  using namespace holdfast;
  if (argumentCount < 4 || argumentCount > 5) return 2;
  // This process must not outlive the one that waits for it, and leaves no core file.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ModuleOptions options;
  options.libraryPath = arguments[1];
  if (argumentCount == 5) options.initializationString = arguments[4];
  TokenName name;
  (std::string_view(arguments[2]) == "label" ? name.label : name.serialNumber) = arguments[3];
  try {
    tryPin(options, name);
  } catch (const Failure& failure) {
    say(wordsOf(failure));
  } catch (const std::exception& failure) {
    say(std::string("failure module ") + failure.what());
  }
  // Skips the exit handlers of the library.
  ::_exit(0);
}
