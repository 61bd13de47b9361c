#include "module.h"

#include "failure.h"
#include "function_list.h"
#include "mutex.h"
#include "never_destroyed.h"
#include "return_values.h"
#include "token.h"

namespace holdfast {
namespace {

using Shared = SharedInstance;

/// The libraries that this process shares, each with every name by which it was opened.
class SharedInstances {
 public:
  /// Follows the loader. A name it knows stands for the library it loaded under that name, even if the file
  /// has been replaced. A file it has loaded is the same library under any name.
  std::shared_ptr<Shared> of(const std::string& path) {
    const auto identity = fileVersionOf(path).identity;
    const MutexLock lock(mutex_);
    if (const auto known = byPath_.find(path); known != byPath_.end()) return known->second;
    auto& instance = byFile_[identity];
    if (!instance) instance = std::make_shared<Shared>();
    byPath_[path] = instance;
    return instance;
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Shared>> byPath_ GUARDED_BY(mutex_);
  std::map<FileIdentity, std::shared_ptr<Shared>> byFile_ GUARDED_BY(mutex_);
};

std::shared_ptr<Shared> sharedInstance(const std::string& path) {
  static NeverDestroyed<SharedInstances> instances;
  return instances->of(path);
}

void leave(Shared& instance) {
  const MutexLock lock(instance.mutex);
  instance.busy = false;
  instance.changed.notifyAll();
}

}  // namespace

/// Lets make_shared reach the constructor.
struct Module::Constructible : Module {
  Constructible(const ModuleOptions& options, std::shared_ptr<SharedInstance> instance,
                OpeningPointer opening, Deadline deadline)
      : Module(options, std::move(instance), std::move(opening), deadline) {}
};

std::shared_ptr<Module> Module::open(const ModuleOptions& options, OpeningPointer opening,
                                     Deadline deadline) {
  if (!options.privateInstance) return openShared(options, deadline);
  return std::make_shared<Constructible>(options, nullptr, std::move(opening), deadline);
}

std::shared_ptr<Module> Module::openShared(const ModuleOptions& options, Deadline deadline) {
  const auto instance = sharedInstance(realPathOf(options.libraryPath));
  MutexLock lock(instance->mutex);
  std::shared_ptr<Module> module;
  const auto available = [&]() REQUIRES(instance->mutex) {
    module = instance->module.lock();
    return module || !instance->busy;
  };
  if (!instance->changed.waitUntil(lock, deadline, available))
    throw failure(FailureKind::kLaneDeadline, "another thread initialises or finalises the module");
  if (module) {
    module->requireAlike(options);
    return module;
  }
  instance->busy = true;
  lock.unlock();
  // The destructor does not run if the constructor throws.
  try {
    module = std::make_shared<Constructible>(options, instance, nullptr, deadline);
  } catch (...) {
    leave(*instance);
    throw;
  }
  lock.lock();
  instance->module = module;
  instance->changed.notifyAll();
  return module;
}

Module::Module(ModuleOptions options, std::shared_ptr<SharedInstance> instance, OpeningPointer opening,
               Deadline deadline)
    : opening_(std::move(opening)), options_(std::move(options)), instance_(std::move(instance)) {
  const EnvironmentScope scope(options_.environment, deadline);
  library_ = load(deadline);
  initialize();
}

Module::~Module() {
  finalize();
  if (instance_) leave(*instance_);
}

std::shared_ptr<ModuleLibrary> Module::load(Deadline deadline) {
  const auto path = realPathOf(options_.libraryPath);
  if (options_.privateInstance) return ModuleLibrary::privateCopy(path, options_.environment, deadline);
  if (!instance_->library) instance_->library = ModuleLibrary::shared(path, options_.environment, deadline);
  return instance_->library;
}

void Module::initialize() {
  CK_C_INITIALIZE_ARGS arguments{};
  // Without the flag SoftHSM switches its mutexes off (§5.4, CKF_OS_LOCKING_OK).
  arguments.flags = CKF_OS_LOCKING_OK;
  std::string text = options_.initializationString.value_or("");
  if (options_.initializationString) arguments.pReserved = text.data();
  CK_RV rv = functions().C_Initialize(&arguments);
  if (returnValue(rv).alreadyInitialized && (options_.privateInstance || instance_->leftInitialized)) {
    // No other user is left: the last user's C_Finalize failed, so its initialisation is still in force.
    functions().C_Finalize(nullptr);
    rv = functions().C_Initialize(&arguments);
  }
  if (returnValue(rv).alreadyInitialized)
    requireNothingToIgnore();
  else
    check(Function::C_Initialize, rv);
  initializedByUs_ = rv == CKR_OK;
  if (instance_) instance_->leftInitialized = false;
  try {
    requireFunctions(functions());
  } catch (const Failure&) {
    // The constructor throws, so no destructor will finalise.
    finalize();
    throw;
  }
}

void Module::requireAlike(const ModuleOptions& options) const {
  const bool alike = options_.initializationString == options.initializationString &&
                     leaveTheSame(options_.environment, options.environment);
  if (alike) return;
  throw failure(
      FailureKind::kModuleInUse,
      options.libraryPath +
          " is in use in this process with another environment or initializationString, and modules "
          "without privateInstance share it");
}

void Module::requireNothingToIgnore() const {
  if (!options_.privateInstance && options_.environment.empty() && !options_.initializationString) return;
  throw failure(FailureKind::kModuleInUse,
                options_.libraryPath +
                    " was initialised by another part of this process, so that its environment and "
                    "initializationString would be ignored");
}

void Module::finalize() {
  if (initializedByUs_) {
    const bool ended = functions().C_Finalize(nullptr) == CKR_OK;
    if (instance_) instance_->leftInitialized = !ended;
  }
  initializedByUs_ = false;
}

bool Module::reinitialize(Deadline deadline) {
  const MutexLock lock(mutex_);
  const bool others = weak_from_this().use_count() > 1;
  if (others || !initializedByUs_) return false;
  const EnvironmentScope scope(options_.environment, deadline);
  finalize();
  initialize();
  return true;
}

std::shared_ptr<Token> Module::token(const TokenInfo& info) {
  const MutexLock lock(mutex_);
  auto& known = tokens_[info.slot];
  auto token = known.lock();
  if (!token || token->serialNumber() != info.serialNumber)
    known = token = std::make_shared<Token>(shared_from_this(), info);
  return token;
}

bool Module::slotHangs(CK_SLOT_ID slot) {
  const MutexLock lock(mutex_);
  return hungSlots_.contains(slot);
}

void Module::setSlotHangs(CK_SLOT_ID slot, bool hangs) {
  const MutexLock lock(mutex_);
  if (hangs)
    hungSlots_.insert(slot);
  else
    hungSlots_.erase(slot);
}

}  // namespace holdfast
