/// \file One load of the module: its control page, its script, its place in the trace.
#pragma once

#include <optional>
#include <shared_mutex>
#include <string>

#include "control_page.h"
#include "script.h"

namespace faulthsm {

/// This instance's orders, read anew at each call. All members may be called from any thread.
class Instance {
 public:
  Instance();

  /// Takes the folder from HOLDFAST_FAULT_CONTROL, and the serial number from HOLDFAST_FAULT_SERIAL. Called
  /// at C_Initialize, because the environment has them only then.
  void readEnvironment();

  /// The serial number that the token is to show; empty for its own.
  std::string serialNumber();

  ControlPage& page() const { return *page_.load(); }
  uint64_t setting(Setting setting) const { return page().settings[setting].load(); }
  void set(Setting setting, uint64_t value) { page().settings[setting].store(value); }
  void increase(Setting setting) { page().settings[setting].fetch_add(1); }

  /// Takes the call's time, then returns the script's decision. If the decision is to hang, hangs until the
  /// release counter exceeds `released`. So a test that sees the call inside can release it, however far it
  /// has come.
  std::optional<Decision> meet(FunctionNumber function, uint64_t released, const KeyOfCall& key);

 private:
  std::shared_ptr<const Script> script();
  /// Hangs. @returns whether calls were released; false if the script changed instead.
  bool hang(uint64_t script, uint64_t released) const;

  std::atomic<ControlPage*> page_;
  std::shared_mutex mutex_;
  std::string folder_;
  std::string serialNumber_;
  std::shared_ptr<const Script> script_;
  uint64_t scriptNumber_ = 0;
};

/// The one instance of this copy of the library.
Instance& instance();

/// Ends the process as `kill -9` does, at this very point of a call; before it the process of `kDiesToo`.
[[noreturn]] void dieNow();

/// The same, but after some microseconds, while the call goes on: it is cut short inside the real module.
void dieIn(std::optional<uint64_t> microseconds);

/// A call under way: counts it and, at its end, writes it into the trace.
class TracedCall {
 public:
  TracedCall(FunctionNumber function, CK_ULONG session);
  TracedCall(const TracedCall&) = delete;
  TracedCall& operator=(const TracedCall&) = delete;
  ~TracedCall();

  /// The release counter from before this call could be seen inside.
  uint64_t released() const { return released_; }

  /// Records the answer and returns it.
  CK_RV answer(CK_RV rv) {
    rv_ = rv;
    return rv;
  }

 private:
  ControlPage& page_;
  uint64_t released_;
  FunctionNumber function_;
  CK_ULONG session_;
  uint64_t startNs_;
  CK_RV rv_ = CKR_OK;
};

}  // namespace faulthsm
