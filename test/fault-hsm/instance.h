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

  /// Takes the folder from HOLDFAST_FAULT_CONTROL, and the number from HOLDFAST_FAULT_SERIAL: at
  /// C_Initialize, because that is when it stands in the environment.
  void readEnvironment();

  /// The serial number that the token shows; empty: its own.
  std::string serialNumber();

  ControlPage& page() const { return *page_.load(); }
  uint64_t setting(Setting setting) const { return page().settings[setting].load(); }
  void set(Setting setting, uint64_t value) { page().settings[setting].store(value); }
  void increase(Setting setting) { page().settings[setting].fetch_add(1); }

  /// Takes the call's time, then returns the script's decision. If that is to hang, hangs until the release
  /// counter exceeds `released`: a test that sees the call inside can release it, however far it came.
  std::optional<Decision> meet(FunctionNumber function, uint64_t released, const KeyOfCall& key);

 private:
  std::shared_ptr<const Script> script();
  /// @returns whether calls were released, rather than the script changed.
  bool hang(uint64_t script, uint64_t released) const;

  std::atomic<ControlPage*> page_;
  std::shared_mutex mutex_;
  std::string folder_;
  std::string serialNumber_;
  std::shared_ptr<const Script> script_;
  uint64_t scriptNumber_ = 0;
};

/// This copy of the library has one.
Instance& instance();

/// A call under way: counts it and, at its end, writes it into the trace.
class TracedCall {
 public:
  TracedCall(FunctionNumber function, CK_ULONG session);
  TracedCall(const TracedCall&) = delete;
  TracedCall& operator=(const TracedCall&) = delete;
  ~TracedCall();

  /// The release counter before this call could be seen inside.
  uint64_t released() const { return released_; }

  /// The answer.
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
