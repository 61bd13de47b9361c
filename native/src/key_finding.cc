#include "key_finding.h"

#include <array>
#include <string>

#include "attributes.h"
#include "known_answer.h"
#include "search.h"
#include "search_proof.h"

namespace holdfast {
namespace {

std::string describe(const ObjectIdentity& identity) {
  switch (identity.objectClass) {
    case CKO_SECRET_KEY:
      return "secret key";
    case CKO_PRIVATE_KEY:
      return "private key";
    case CKO_PUBLIC_KEY:
      return "public key";
    default:
      return "object";
  }
}

[[noreturn]] void throwMissing(OperationContext& context, const ObjectIdentity& wanted) {
  const auto lock = lockShared(context, context.token.objects());
  requireTime(context, bool(lock));
  requireNothingFound(context, wanted);
  throw failure(FailureKind::kMaterialMissing, "the token has no " + describe(wanted) + " with this CKA_ID");
}

}  // namespace

std::vector<CK_OBJECT_HANDLE> findObjects(OperationContext& context, const ObjectIdentity& wanted,
                                          size_t most) {
  CK_OBJECT_CLASS objectClass = wanted.objectClass;
  std::array<CK_ATTRIBUTE, 2> query{
      {{CKA_CLASS, &objectClass, sizeof objectClass}, {CKA_ID, pointerFor(wanted.id), wanted.id.size()}}};
  Search search(context.session, query.data(), query.size());
  std::vector<CK_OBJECT_HANDLE> handles;
  for (auto more = search.next(most); !more.empty(); more = search.next(most - handles.size())) {
    handles.insert(handles.end(), more.begin(), more.end());
    if (handles.size() == most) break;
    requireTimeLeft(context);
  }
  return handles;
}

std::vector<CK_OBJECT_HANDLE> findObjectsInTurn(OperationContext& context, const ObjectIdentity& wanted,
                                                size_t most) {
  const auto lock = lockShared(context, context.token.objects());
  requireTime(context, bool(lock));
  return findObjects(context, wanted, most);
}

void requireFound(OperationContext& context, const ObjectIdentity& wanted, CK_OBJECT_HANDLE handle) {
  const auto read = readSummary(context.session, handle);
  if (!read || read->isOf(wanted)) return;
  throw badOutput(Function::C_FindObjects, "the search gave an object with another CKA_ID or class");
}

CK_OBJECT_HANDLE findOneObject(OperationContext& context, const ObjectIdentity& wanted) {
  auto handles = findObjectsInTurn(context, wanted, 2);
  if (handles.empty()) {
    context.token.proveAlive(context.session);
    // Searches once more: the token may have been absent during the search and back for the proof.
    handles = findObjectsInTurn(context, wanted, 2);
  }
  if (handles.empty()) throwMissing(context, wanted);
  for (const CK_OBJECT_HANDLE handle : handles) requireFound(context, wanted, handle);
  if (handles.size() > 1) {
    // Throws if there is no such object: a handle alone does not prove a second key.
    for (const CK_OBJECT_HANDLE handle : handles)
      static_cast<void>(readKeyAttributes(context.session, handle));
    throw failure(FailureKind::kMaterialAmbiguous, "more than one " + describe(wanted) + " has this CKA_ID");
  }
  return handles.front();
}

void checkAttributes(OperationContext& context, CK_OBJECT_HANDLE key, const Material& expected) {
  const auto read = readKeyAttributes(context.session, key);
  requireAttribute(read.objectClass == expected.identity.objectClass, "CKA_CLASS is not the expected one");
  requireAttribute(read.id == expected.identity.id, "CKA_ID is not the expected one");
  requireAttribute(read.label == expected.label, "CKA_LABEL is not the expected one");
  // A session object would end with its session.
  requireAttribute(read.isToken, "CKA_TOKEN is not true");
  requireAttribute(read.sensitive, "CKA_SENSITIVE is not true");
  requireAttribute(read.extractable == expected.extractable, "CKA_EXTRACTABLE is not as recorded");
  requireAttribute(read.neverExtractable == !expected.extractable,
                   "CKA_NEVER_EXTRACTABLE is not as recorded");
  // Without it the holder of the PIN wraps the key under a key of their own.
  requireAttribute(!expected.extractable || read.wrapWithTrusted, "CKA_WRAP_WITH_TRUSTED is not true");
  requireKindOf(expected.knownAnswer, read);
}

}  // namespace holdfast
