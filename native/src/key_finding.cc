#include "key_finding.h"

#include <array>

#include "attributes.h"
#include "search.h"

namespace holdfast {

std::vector<CK_OBJECT_HANDLE> findSecretKeys(OperationContext& context, const Bytes& id, size_t most) {
  CK_OBJECT_CLASS secretKey = CKO_SECRET_KEY;
  std::array<CK_ATTRIBUTE, 2> wanted{
      {{CKA_CLASS, &secretKey, sizeof secretKey}, {CKA_ID, pointerFor(id), id.size()}}};
  Search search(context.session, wanted.data(), wanted.size());
  std::vector<CK_OBJECT_HANDLE> handles;
  for (auto more = search.next(most); !more.empty(); more = search.next(most - handles.size())) {
    handles.insert(handles.end(), more.begin(), more.end());
    if (handles.size() == most) break;
    requireTimeLeft(context);
  }
  return handles;
}

std::vector<CK_OBJECT_HANDLE> findSecretKeysInTurn(OperationContext& context, const Bytes& id, size_t most) {
  const auto lock = lockShared(context, context.token.objects());
  requireTime(context, bool(lock));
  return findSecretKeys(context, id, most);
}

void requireFound(OperationContext& context, const Bytes& id, CK_OBJECT_HANDLE handle) {
  const auto read = readSummary(context.session, handle);
  if (!read || (read->objectClass == CKO_SECRET_KEY && read->id == id)) return;
  throw badOutput(Function::C_FindObjects, "an object that was not searched for");
}

CK_OBJECT_HANDLE findOneSecretKey(OperationContext& context, const Bytes& id) {
  auto handles = findSecretKeysInTurn(context, id, 2);
  if (handles.empty()) {
    context.token.proveAlive(context.session);
    // Once more: the token may have been away, and back by the time it proved itself.
    handles = findSecretKeysInTurn(context, id, 2);
  }
  if (handles.empty())
    throw failure(FailureKind::kMaterialMissing, "the token has no secret key with this CKA_ID");
  for (const CK_OBJECT_HANDLE handle : handles) requireFound(context, id, handle);
  if (handles.size() > 1) {
    // Throws where there is no such object: a handle alone is no second key.
    for (const CK_OBJECT_HANDLE handle : handles)
      static_cast<void>(readKeyAttributes(context.session, handle));
    throw failure(FailureKind::kMaterialAmbiguous, "more than one secret key has this CKA_ID");
  }
  return handles.front();
}

void checkAttributes(OperationContext& context, CK_OBJECT_HANDLE key, const ExpectedKey& expected) {
  const auto read = readKeyAttributes(context.session, key);
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw failure(FailureKind::kMaterialMismatch, what);
  };
  require(read.objectClass == CKO_SECRET_KEY, "CKA_CLASS is not a secret key's");
  require(read.id == expected.id, "CKA_ID is another");
  require(read.label == expected.label, "CKA_LABEL is another");
  require(read.keyType == CKK_AES, "CKA_KEY_TYPE is not AES");
  // Not every token says the length of every key (SoftHSM 2.6.1 says 0 after an unwrapping).
  require(read.valueLength.value_or(0) == 0 || read.valueLength == 32, "CKA_VALUE_LEN is not 32");
  // A session object is gone with its session.
  require(read.isToken, "CKA_TOKEN is not true");
  require(read.sensitive, "CKA_SENSITIVE is not true");
  require(read.extractable == expected.extractable, "CKA_EXTRACTABLE is not as recorded");
  require(read.neverExtractable == !expected.extractable, "CKA_NEVER_EXTRACTABLE is not as recorded");
  require(read.encrypt && read.decrypt, "CKA_ENCRYPT and CKA_DECRYPT are not both true");
}

}  // namespace holdfast
