/// \file One initialised PKCS#11 module (v2.40 §5.4: C_Initialize, C_Finalize).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "environment.h"
#include "module_library.h"
#include "mutex.h"
#include "openings.h"

namespace holdfast {

class Module;
class Token;
struct TokenInfo;

/// How to load a module: `NativeModuleOptions` of src/hsm/native.ts.
struct ModuleOptions {
  std::string libraryPath;
  bool privateInstance = false;
  EnvironmentVariables environment;
  std::optional<std::string> initializationString;
};

/// Shared by the modules of one library; see Module::open.
struct SharedInstance {
  Mutex mutex;
  Condition changed;
  std::weak_ptr<Module> module GUARDED_BY(mutex);
  /// True from before C_Initialize until after C_Finalize. No call into the module is made under the mutex.
  bool busy GUARDED_BY(mutex) = false;
  /// Only the thread that set `busy` uses it. Null until it is loaded.
  std::shared_ptr<ModuleLibrary> library;
  /// Whether the last C_Finalize failed.
  bool leftInitialized = false;
};

/// Lives between C_Initialize and C_Finalize. Every thread that may be inside the module, quarantined lanes
/// included, holds a reference through its token. So the destructor, which finalises, runs only when no
/// thread is inside.
class Module : public std::enable_shared_from_this<Module> {
 public:
  /// Loads and initialises under the environment of the options. Without `privateInstance` the process has
  /// one instance of a library, whatever path names it. Members with the same environment and initialization
  /// string share it, and wait while another initialises or finalises it; at the deadline they fail with
  /// `lane-deadline`. Other members are refused (`module-in-use`). A private instance holds `opening` until
  /// it is finalised.
  [[nodiscard]] static std::shared_ptr<Module> open(const ModuleOptions& options,
                                                    OpeningPointer opening = nullptr,
                                                    Deadline deadline = Clock::now() +
                                                                        std::chrono::minutes(1));

  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  ~Module();

  CK_FUNCTION_LIST& functions() const { return library_->functions(); }

  /// C_Finalize and C_Initialize, which make a lost token visible again (SoftHSM needs this). Does nothing
  /// and returns false while another user of the instance could be inside.
  [[nodiscard]] bool reinitialize(Deadline deadline);

  /// The one Token object for the token in a slot: members that share an instance share its login state,
  /// which belongs to the module. Makes a new one if the slot's token has changed. Calls nothing in the
  /// module.
  [[nodiscard]] std::shared_ptr<Token> token(const TokenInfo& info);

  /// Whether a call about the slot's token is long overdue.
  [[nodiscard]] bool slotHangs(CK_SLOT_ID slot);
  void setSlotHangs(CK_SLOT_ID slot, bool hangs);

 private:
  struct Constructible;
  Module(ModuleOptions options, std::shared_ptr<SharedInstance> instance, OpeningPointer opening,
         Deadline deadline);
  [[nodiscard]] static std::shared_ptr<Module> openShared(const ModuleOptions& options, Deadline deadline);
  [[nodiscard]] std::shared_ptr<ModuleLibrary> load(Deadline deadline);
  void initialize();
  /// Throws `module-in-use` if the options differ. One C_Initialize serves all that share the instance, so
  /// other options would be ignored.
  void requireAlike(const ModuleOptions& options) const;
  /// Throws `module-in-use` if it has options that no C_Initialize of ours could put in force.
  void requireNothingToIgnore() const;
  void finalize();

  /// The first member, so it is released after all others are destroyed.
  const OpeningPointer opening_;
  const ModuleOptions options_;
  /// Null for a private instance.
  const std::shared_ptr<SharedInstance> instance_;
  std::shared_ptr<ModuleLibrary> library_;
  /// False if C_Initialize reported an earlier initialisation: then it is not ours to finalise.
  bool initializedByUs_ = false;
  Mutex mutex_;
  std::map<CK_SLOT_ID, std::weak_ptr<Token>> tokens_ GUARDED_BY(mutex_);
  std::set<CK_SLOT_ID> hungSlots_ GUARDED_BY(mutex_);
};

}  // namespace holdfast
