#include "search_proof.h"

#include <unordered_set>

#include "key_finding.h"

namespace holdfast {
namespace {

/// Many, because each may have been destroyed by another process.
constexpr size_t kMostWitnesses = 256;
/// A token that lost its keys has none to be read. Each reading is a call.
constexpr size_t kMostMissingRead = 256;

/// Not if the token does not say: some answer another code than CKR_OBJECT_HANDLE_INVALID for the handle of
/// an object that is gone, and must not count as liars for it.
bool isStillThere(OperationContext& context, const SeenKey& known) {
  requireTimeLeft(context);
  try {
    const auto read = readSummary(context.session, known.handle);
    return read && read->isOf(known.identity);
  } catch (const Failure& failure) {
    if (failure.kind != FailureKind::kRv) throw;
    context.token.proveAlive(context.session);
    return false;
  }
}

}  // namespace

void requireNoLonger(OperationContext& context, const ObjectIdentity& wanted, CK_OBJECT_HANDLE handle) {
  if (isStillThere(context, {wanted, handle}))
    throw badOutput(Function::C_FindObjects, "the search does not find this key, which the token has");
}

void requireNothingFound(OperationContext& context, const ObjectIdentity& wanted) {
  context.token.proveAlive(context.session);
  if (const auto own = context.cache.candidateOf(wanted)) requireNoLonger(context, wanted, *own);
  for (const auto& witness : context.cache.knownKeys(kMostWitnesses)) {
    if (witness.identity == wanted || !isStillThere(context, witness)) continue;
    requireTimeLeft(context);
    if (!findObjects(context, witness.identity, 1).empty()) break;
    throw badOutput(Function::C_FindObjects, "the search does not find a key that the token has");
  }
  // Once more: a search may lie now and then.
  if (!findObjects(context, wanted, 1).empty())
    throw badOutput(Function::C_FindObjects, "the search finds a key that it did not find before");
}

void requireListed(OperationContext& context, const std::vector<SeenKey>& known,
                   const std::vector<ObjectSummary>& listed) {
  std::unordered_set<ObjectIdentity, HashIdentity> present;
  for (const auto& object : listed) present.insert({object.objectClass, object.id});
  size_t read = 0;
  for (const auto& key : known) {
    if (present.contains(key.identity)) continue;
    if (isStillThere(context, key))
      throw badOutput(Function::C_FindObjects,
                      "the search for all objects leaves out a key that the token has");
    if (++read == kMostMissingRead) return;
  }
}

}  // namespace holdfast
