#include "trial.h"

#include <cstring>

#include "ceremony.h"
#include "own_keys.h"

namespace extraction {
namespace {

std::optional<Kind> kindOf(const Session& session, CK_OBJECT_HANDLE key, CK_OBJECT_CLASS objectClass) {
  const Bytes value = session.get(key, CKA_KEY_TYPE);
  CK_KEY_TYPE type = 0;
  std::memcpy(&type, value.data(), std::min(value.size(), sizeof type));
  if (objectClass == CKO_PRIVATE_KEY) return type == CKK_EC ? std::optional(Kind::kPrivate) : std::nullopt;
  if (type == CKK_AES) return Kind::kAes;
  return type == CKK_GENERIC_SECRET || type == CKK_SHA256_HMAC ? std::optional(Kind::kGenericSecret)
                                                               : std::nullopt;
}

/// Has one of the trusted keys wrap the key, as the service would.
void recordBlob(const Session& session, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE keyWrap, Target& target) {
  for (const auto wrappingKey : findTrustedKeys(session)) {
    try {
      target.blob = session.wrap(Mechanism(keyWrap), wrappingKey, key);
      target.wrappingId = session.get(wrappingKey, CKA_ID);
      // One that this module enforces no template for may wrap every kind: the one that is meant for it is
      // preferred.
      const Bytes label = session.get(wrappingKey, CKA_LABEL);
      if (std::string(label.begin(), label.end()) == std::string("wrapping ") + nameOf(target.kind)) return;
    } catch (const Refused&) {
      continue;
    }
  }
}

Target describeTarget(const Session& session, const Bytes& id, CK_MECHANISM_TYPE keyWrap) {
  for (const auto objectClass : {CKO_SECRET_KEY, CKO_PRIVATE_KEY}) {
    const auto found = findById(session, id, objectClass);
    if (found.empty()) continue;
    const auto kind = kindOf(session, found.front(), objectClass);
    if (!kind) throw std::runtime_error("a key is neither AES, a generic secret nor EC");
    Target target{*kind, id, KnownAnswer(session, found.front(), *kind), {}, {}, {}};
    recordBlob(session, found.front(), keyWrap, target);
    return target;
  }
  throw std::runtime_error("no key has this CKA_ID");
}

Row resultOf(const Attack& attack, const Scene& scene) {
  Row row{attack.name, attack.about, scene.isUser ? "user" : "nobody", nameOf(scene.target.kind), "", "", {}};
  try {
    const Gain gain = attack.run(scene);
    row.succeeded = gain != Gain::kNothing;
    row.outcome = gain == Gain::kKey ? "recovered" : gain == Gain::kMisuse ? "misused" : "nothing";
  } catch (const Refused& refused) {
    row.outcome = "refused";
    row.function = refused.function;
    row.rv = refused.rv;
  } catch (const Invisible&) {
    row.outcome = "invisible";
  } catch (const NotTried&) {
    row.outcome = "not tried";
  }
  return row;
}

/// Each attack has a session of its own: an operation that one left unfinished would spoil the next.
void attackAll(const Module& module, CK_SLOT_ID slot, const Arguments& arguments,
               const std::vector<Target>& targets, bool isUser, OwnPair ownPair, std::vector<Row>& rows) {
  for (const auto& attack : allAttacks()) {
    if (attack.onlyWithoutPin && isUser) continue;
    if (attack.isHarmful && !arguments.prepares && !arguments.allowsHarm) continue;
    for (const auto& target : targets) {
      if (!attack.kinds.contains(target.kind)) continue;
      const Session session(module, slot);
      rows.push_back(resultOf(attack, {session, target, isUser, ownPair, arguments.keyWrap}));
    }
  }
}

std::map<Kind, Bytes> prepare(const Arguments& arguments, const Pins& pins, std::vector<Bytes>& ids) {
  const Preparation preparation(arguments.without, arguments.unsupported);
  const Module module(arguments.library, arguments.initialization);
  const Session session(module, module.slotOf(arguments.tokenLabel));
  session.login(arguments.isUserMade ? CKU_USER : CKU_SO, arguments.isUserMade ? pins.user : pins.officer);
  auto carried = makeWrappingKeys(session, preparation, arguments.keyWrap);
  if (!arguments.isUserMade) {
    session.logout();
    session.login(CKU_USER, pins.user);
  }
  for (const auto& [kind, id] : makeKeys(session, preparation)) ids.push_back(id);
  return carried;
}

/// RSA as public objects, if the module makes any without a login.
std::optional<OwnPair> publicPair(const Session& session) {
  try {
    return generateRsa(session, false, false);
  } catch (const Refused&) {
    return std::nullopt;
  }
}

}  // namespace

std::vector<Row> attackToken(const Arguments& arguments, const Pins& pins) {
  std::vector<Bytes> ids = arguments.keyIds;
  std::map<Kind, Bytes> carried;
  if (arguments.prepares) carried = prepare(arguments, pins, ids);
  std::vector<Target> targets;
  std::vector<Row> rows;
  {
    const Module module(arguments.library, arguments.initialization);
    const auto slot = module.slotOf(arguments.tokenLabel);
    const Session login(module, slot);
    login.login(CKU_USER, pins.user);
    for (const auto& id : ids) {
      targets.push_back(describeTarget(login, id, arguments.keyWrap));
      targets.back().carriedBlob = carried[targets.back().kind];
    }
  }
  // Nothing is left of that login. Without a PIN first: the user's attacks may change the token.
  const Module module(arguments.library, arguments.initialization);
  const auto slot = module.slotOf(arguments.tokenLabel);
  const Session login(module, slot);
  auto ownPair = publicPair(login);
  attackAll(module, slot, arguments, targets, false, ownPair.value_or(OwnPair{}), rows);
  login.login(CKU_USER, pins.user);
  if (!ownPair) ownPair = generateRsa(login, true, false);
  attackAll(module, slot, arguments, targets, true, *ownPair, rows);
  return rows;
}

}  // namespace extraction
