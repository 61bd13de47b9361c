#include "module.h"

#include "failure.h"
#include "function_list.h"
#include "never_destroyed.h"
#include "token.h"

namespace holdfast {
namespace {

using Shared = SharedInstance;

/// The shared instances by real path: a module that hangs in C_Initialize blocks its own path only.
std::shared_ptr<Shared> sharedInstance(const std::string& path) {
  static NeverDestroyed<std::mutex> mutex;
  static NeverDestroyed<std::map<std::string, std::shared_ptr<Shared>>> instances;
  const std::lock_guard lock(*mutex);
  auto& instance = (*instances)[path];
  if (!instance) instance = std::make_shared<Shared>();
  return instance;
}

void leave(Shared& instance) {
  const std::lock_guard lock(instance.mutex);
  instance.busy = false;
  instance.changed.notify_all();
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
  std::unique_lock lock(instance->mutex);
  std::shared_ptr<Module> module;
  const auto available = [&] {
    module = instance->module.lock();
    return module || !instance->busy;
  };
  if (!instance->changed.wait_until(lock, deadline, available))
    throw failure(FailureKind::kLaneDeadline, "another thread initialises or finalises the module");
  if (module) return module;
  instance->busy = true;
  lock.unlock();
  // Where it throws, the destructor did not run.
  try {
    module = std::make_shared<Constructible>(options, instance, nullptr, deadline);
  } catch (...) {
    leave(*instance);
    throw;
  }
  lock.lock();
  instance->module = module;
  instance->changed.notify_all();
  return module;
}

Module::Module(const ModuleOptions& options, std::shared_ptr<SharedInstance> instance, OpeningPointer opening,
               Deadline deadline)
    : opening_(std::move(opening)),
      options_(options),
      instance_(std::move(instance)),
      library_(options.privateInstance ? ModuleLibrary::privateCopy(realPathOf(options.libraryPath))
                                       : ModuleLibrary::shared(realPathOf(options.libraryPath))) {
  initialize(deadline);
}

Module::~Module() {
  finalize();
  if (instance_) leave(*instance_);
}

void Module::initialize(Deadline deadline) {
  CK_C_INITIALIZE_ARGS arguments{};
  // Without the flag SoftHSM switches its mutexes off (§5.4, CKF_OS_LOCKING_OK).
  arguments.flags = CKF_OS_LOCKING_OK;
  std::string text = options_.initializationString.value_or("");
  if (options_.initializationString) arguments.pReserved = text.data();
  const EnvironmentScope scope(options_.environment, deadline);
  CK_RV rv = functions().C_Initialize(&arguments);
  if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED && options_.privateInstance) {
    // Nobody else has this copy: its last user's C_Finalize failed, and it still serves what that one
    // initialised.
    functions().C_Finalize(nullptr);
    check("C_Initialize", rv = functions().C_Initialize(&arguments));
  }
  if (rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) check("C_Initialize", rv);
  initializedByUs_ = rv == CKR_OK;
  try {
    requireFunctions(functions());
  } catch (const Failure&) {
    // The constructor's caller gets no module whose end would do it.
    finalize();
    throw;
  }
}

void Module::finalize() {
  if (initializedByUs_) functions().C_Finalize(nullptr);
  initializedByUs_ = false;
}

bool Module::reinitialize(Deadline deadline) {
  const std::lock_guard lock(mutex_);
  const bool others = weak_from_this().use_count() > 1;
  if (others || !initializedByUs_) return false;
  finalize();
  initialize(deadline);
  return true;
}

std::shared_ptr<Token> Module::token(CK_SLOT_ID slot) {
  const std::lock_guard lock(mutex_);
  auto& known = tokens_[slot];
  auto token = known.lock();
  if (!token || !token->isInItsSlot()) known = token = std::make_shared<Token>(shared_from_this(), slot);
  return token;
}

}  // namespace holdfast
