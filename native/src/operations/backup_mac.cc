#include <utility>

#include "cluster_key_finding.h"
#include "operations/operations.h"
#include "sha256.h"
#include "signing.h"

namespace holdfast {
namespace {

/// C_Sign by CKM_SHA256_HMAC (PKCS#11 v2.40 §2.9.2 of the mechanisms).
class BackupMac final : public Operation {
 public:
  BackupMac(Generation generation, Bytes data) : generation_(std::move(generation)), data_(std::move(data)) {}

  Value run(OperationContext& context) override {
    const CK_OBJECT_HANDLE key = requiredClusterKey(context, backupKey(), generation_);
    requireTimeLeft(context);
    Bytes mac = sign(context.session, key, CKM_SHA256_HMAC, data_);
    if (mac.size() != sizeof(Sha256)) throw badOutput(Function::C_Sign, "the MAC has an impossible length");
    return mac;
  }

 private:
  const Generation generation_;
  const Bytes data_;
};

}  // namespace

OperationPointer makeBackupMac(Generation generation, Bytes data) {
  return std::make_unique<BackupMac>(std::move(generation), std::move(data));
}

}  // namespace holdfast
