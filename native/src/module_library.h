/// \file The shared object of a PKCS#11 module: found, tried, copied if it must be private, loaded.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>

#include "cryptoki.h"
#include "environment.h"

namespace holdfast {

/// Identifies a file to the loader, whatever its name.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;

  bool operator<(const FileIdentity& other) const {
    return std::tie(device, inode) < std::tie(other.device, other.inode);
  }
};

/// The file and its content. A file that was replaced or written to is another version.
struct FileVersion {
  FileIdentity identity;
  off_t size = 0;
  int64_t modifiedNs = 0;
  int64_t changedNs = 0;

  bool operator<(const FileVersion& other) const {
    return std::tie(identity, size, modifiedNs, changedNs) <
           std::tie(other.identity, other.size, other.modifiedNs, other.changedNs);
  }
};

/// One loaded copy of a module's code and globals. Never unloaded: vendors' libraries (and the OpenSSL under
/// SoftHSM) register exit handlers and thread-local destructors that crash once their code is gone. A private
/// copy that was finalised is used again instead, so a member that reconnects for days does not fill the
/// address space. The caller keeps the module's environment set (`EnvironmentScope`).
/// Any defect of the file is a failure of kind `module` that names it. A trial in another process detects a
/// file that would end or hang the process that loads it (library_trial.h).
class ModuleLibrary {
 public:
  /// The process's one instance of this file, whatever its name. `Module` ensures that only members with the
  /// same options share it.
  [[nodiscard]] static std::shared_ptr<ModuleLibrary> shared(const std::string& realPath,
                                                             const EnvironmentVariables& environment,
                                                             Deadline deadline);
  /// An instance with no other user: an idle earlier copy that was loaded in the same environment, or a new
  /// one.
  [[nodiscard]] static std::shared_ptr<ModuleLibrary> privateCopy(const std::string& realPath,
                                                                  const EnvironmentVariables& environment,
                                                                  Deadline deadline);

  ModuleLibrary(const ModuleLibrary&) = delete;
  ModuleLibrary& operator=(const ModuleLibrary&) = delete;
  ~ModuleLibrary() = default;

  CK_FUNCTION_LIST& functions() const { return *functions_; }

 private:
  struct Constructible;
  ModuleLibrary(const std::string& realPath, const std::string& loadPath);

  CK_FUNCTION_LIST* functions_ = nullptr;
};

/// The path with its links resolved. Fails with kind `module` if there is no such file.
[[nodiscard]] std::string realPathOf(const std::string& libraryPath);

/// Fails with kind `module` unless it is a regular file: reading a pipe, say, would never end.
[[nodiscard]] FileVersion fileVersionOf(const std::string& realPath);

}  // namespace holdfast
