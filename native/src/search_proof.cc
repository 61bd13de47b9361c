#include "search_proof.h"

#include <unordered_set>

#include "key_finding.h"

namespace holdfast {
namespace {

/// Several, because each may have been destroyed by another process.
constexpr size_t kMostWitnesses = 3;
/// A token that lost its keys has none to be read. Each reading is a call.
constexpr size_t kMostMissingRead = 256;

bool isStillThere(OperationContext& context, const SeenKey& known) {
  requireTimeLeft(context);
  const auto read = readSummary(context.session, known.handle);
  return read && read->isOf(known.identity);
}

std::vector<SeenKey> witnesses(OperationContext& context, const ObjectIdentity& except) {
  auto known = context.cache.knownKeys(kMostWitnesses + 1);
  std::erase_if(known, [&](const auto& key) { return key.identity == except; });
  return known;
}

}  // namespace

void requireNothingFound(OperationContext& context, const ObjectIdentity& wanted) {
  context.token.proveAlive(context.session);
  for (const auto& witness : witnesses(context, wanted)) {
    requireTimeLeft(context);
    if (!findObjects(context, witness.identity, 1).empty()) return;
    if (isStillThere(context, witness))
      throw badOutput(Function::C_FindObjects, "the search does not find a key that the token has");
  }
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
