#include "module.h"

#include "failure.h"
#include "never_destroyed.h"
#include "token.h"

namespace holdfast {
namespace {

using Shared = SharedInstance;

/// The shared instances by real path, one mutex each: a module that hangs in C_Initialize blocks its own path
/// only.
std::shared_ptr<Shared> sharedInstance(const std::string& path) {
  static NeverDestroyed<std::mutex> mutex;
  static NeverDestroyed<std::map<std::string, std::shared_ptr<Shared>>> instances;
  const std::lock_guard lock(*mutex);
  auto& instance = (*instances)[path];
  if (!instance) instance = std::make_shared<Shared>();
  return instance;
}

}  // namespace

std::shared_ptr<Module> Module::open(const ModuleOptions& options) {
  struct Constructible : Module {
    Constructible(const ModuleOptions& given, std::shared_ptr<SharedInstance> instance)
        : Module(given, std::move(instance)) {}
  };
  if (options.privateInstance) return std::make_shared<Constructible>(options, nullptr);
  const auto instance = sharedInstance(realPathOf(options.libraryPath));
  std::unique_lock lock(instance->mutex);
  if (auto module = instance->module.lock()) return module;
  // The last user is gone and its C_Finalize may still run: a C_Initialize now would find it initialised.
  instance->finalized.wait(lock, [&instance] { return !instance->initialized; });
  auto module = std::make_shared<Constructible>(options, instance);
  instance->module = module;
  instance->initialized = true;
  return module;
}

Module::Module(const ModuleOptions& options, std::shared_ptr<SharedInstance> instance)
    : options_(options),
      instance_(std::move(instance)),
      library_(options.privateInstance ? ModuleLibrary::privateCopy(realPathOf(options.libraryPath))
                                       : ModuleLibrary::shared(realPathOf(options.libraryPath))) {
  initialize();
}

Module::~Module() {
  finalize();
  if (!instance_) return;
  const std::lock_guard lock(instance_->mutex);
  instance_->initialized = false;
  instance_->finalized.notify_all();
}

void Module::initialize() {
  CK_C_INITIALIZE_ARGS arguments{};
  // Without the flag SoftHSM switches its mutexes off (§5.4, CKF_OS_LOCKING_OK).
  arguments.flags = CKF_OS_LOCKING_OK;
  std::string text = options_.initializationString.value_or("");
  if (options_.initializationString) arguments.pReserved = text.data();
  const EnvironmentScope scope(options_.environment);
  const CK_RV rv = functions().C_Initialize(&arguments);
  if (rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) check("C_Initialize", rv);
  initializedByUs_ = rv == CKR_OK;
}

void Module::finalize() {
  if (initializedByUs_) functions().C_Finalize(nullptr);
  initializedByUs_ = false;
}

bool Module::reinitialize() {
  const std::lock_guard lock(mutex_);
  const bool others = weak_from_this().use_count() > 1;
  if (others || !initializedByUs_) return false;
  finalize();
  initialize();
  return true;
}

std::shared_ptr<Token> Module::token(CK_SLOT_ID slot) {
  const std::lock_guard lock(mutex_);
  auto& known = tokens_[slot];
  auto token = known.lock();
  if (!token) known = token = std::make_shared<Token>(shared_from_this(), slot);
  return token;
}

}  // namespace holdfast
