/// \file The shared object of a PKCS#11 module: found, copied where it must be private, loaded.
#pragma once

#include <memory>
#include <string>

#include "cryptoki.h"

namespace holdfast {

/// One loaded copy of a module's code and globals. Never unloaded: vendors' libraries (and the OpenSSL under
/// SoftHSM) register exit handlers and thread-local destructors that crash once their code is gone. A private
/// copy that was finalised is used again instead, so a member that reconnects for days does not fill the
/// address space.
class ModuleLibrary {
 public:
  /// The one instance of this path in the process.
  static std::shared_ptr<ModuleLibrary> shared(const std::string& realPath);
  /// An instance that nobody else uses: an idle earlier copy, or a new one.
  static std::shared_ptr<ModuleLibrary> privateCopy(const std::string& realPath);

  ModuleLibrary(const ModuleLibrary&) = delete;
  ModuleLibrary& operator=(const ModuleLibrary&) = delete;
  ~ModuleLibrary() = default;

  CK_FUNCTION_LIST& functions() const { return *functions_; }

 private:
  explicit ModuleLibrary(const std::string& loadPath);
  static std::shared_ptr<ModuleLibrary> load(const std::string& loadPath);

  CK_FUNCTION_LIST* functions_ = nullptr;
};

/// The path behind links; fails with kind `module` where there is no such file.
std::string realPathOf(const std::string& libraryPath);

}  // namespace holdfast
