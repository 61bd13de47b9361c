#include "binding_values.h"

#include <algorithm>
#include <cstdlib>

#include "binding_ceremony.h"
#include "file_lock.h"

namespace holdfast {
namespace {

Napi::Value bytes(Napi::Env env, ByteView view) {
  auto array = Napi::Uint8Array::New(env, view.size());
  std::ranges::copy(view, array.Data());
  // NOLINTNEXTLINE(cppcoreguidelines-slicing): the value is a handle; what is cut off caches the length.
  return array;
}

Napi::Value number(Napi::Env env, uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

Napi::Value numberOrNull(Napi::Env env, const std::optional<CK_ULONG>& value) {
  return value ? number(env, *value) : env.Null();
}

template <typename Range, typename Convert>
Napi::Value arrayOf(Napi::Env env, const Range& range, const Convert& convert) {
  auto array = Napi::Array::New(env, range.size());
  uint32_t index = 0;
  for (const auto& element : range) array.Set(index++, convert(element));
  return array;
}

Napi::Object encryptedDataObject(Napi::Env env, const EncryptedData& encrypted) {
  auto object = Napi::Object::New(env);
  object.Set("nonce", bytes(env, encrypted.nonce));
  object.Set("ciphertext", bytes(env, encrypted.ciphertext));
  return object;
}

Napi::Object tokenObject(Napi::Env env, const TokenInfo& token) {
  auto object = Napi::Object::New(env);
  object.Set("libraryManufacturer", token.libraryManufacturer);
  object.Set("libraryDescription", token.libraryDescription);
  object.Set("libraryVersion", token.libraryVersion);
  object.Set("slotId", Napi::BigInt::New(env, static_cast<uint64_t>(token.slot)));
  object.Set("label", token.label);
  object.Set("serialNumber", token.serialNumber);
  object.Set("manufacturer", token.manufacturer);
  object.Set("model", token.model);
  object.Set("firmwareVersion", token.firmwareVersion);
  object.Set("flags", number(env, token.flags));
  object.Set("minPinLength", numberOrNull(env, token.minPinLength));
  object.Set("maxPinLength", numberOrNull(env, token.maxPinLength));
  object.Set("maxSessionCount", numberOrNull(env, token.maxSessionCount));
  object.Set("maxRwSessionCount", numberOrNull(env, token.maxRwSessionCount));
  object.Set("sessionCount", numberOrNull(env, token.sessionCount));
  object.Set("rwSessionCount", numberOrNull(env, token.rwSessionCount));
  object.Set("mechanisms", arrayOf(env, token.mechanisms, [env](auto type) { return number(env, type); }));
  return object;
}

Napi::Object attributesObject(Napi::Env env, const KeyAttributes& key) {
  auto object = Napi::Object::New(env);
  object.Set("label", key.label);
  object.Set("keyType", number(env, key.keyType));
  object.Set("valueLength", numberOrNull(env, key.valueLength));
  object.Set("sensitive", key.sensitive);
  object.Set("alwaysSensitive", key.alwaysSensitive);
  object.Set("extractable", key.extractable);
  object.Set("neverExtractable", key.neverExtractable);
  object.Set("local", key.local);
  object.Set("isPrivate", key.isPrivate);
  object.Set("isToken", key.isToken);
  object.Set("modifiable", key.modifiable);
  object.Set("encrypt", key.encrypt);
  object.Set("decrypt", key.decrypt);
  object.Set("sign", key.sign);
  object.Set("verify", key.verify);
  object.Set("wrap", key.wrap);
  object.Set("unwrap", key.unwrap);
  object.Set("derive", key.derive);
  object.Set("wrapWithTrusted", key.wrapWithTrusted);
  return object;
}

Napi::Object summaryObject(Napi::Env env, const ObjectSummary& summary) {
  auto object = Napi::Object::New(env);
  object.Set("objectClass", number(env, summary.objectClass));
  object.Set("id", bytes(env, summary.id));
  object.Set("label", summary.label);
  return object;
}

Napi::Object fingerprintObject(Napi::Env env, const CarryKeyFingerprint& one) {
  auto object = Napi::Object::New(env);
  object.Set("member", one.member);
  object.Set("serialNumber", one.serialNumber);
  object.Set("fingerprint", bytes(env, one.fingerprint));
  return object;
}

Napi::Object outcomeObject(Napi::Env env, const AttackOutcome& one) {
  auto object = Napi::Object::New(env);
  object.Set("attack", one.attack);
  object.Set("held", one.held);
  object.Set("rv", number(env, one.rv));
  object.Set("detail", one.detail);
  return object;
}

Napi::Object witnessObject(Napi::Env env, const Witness& witness) {
  auto object = Napi::Object::New(env);
  object.Set("incarnation", bytes(env, witness.incarnation));
  object.Set("epoch", number(env, witness.epoch));
  object.Set("writtenMs", number(env, witness.writtenMs));
  object.Set("deployment", witness.deployment);
  return object;
}

Napi::Value generationsArray(Napi::Env env, const std::vector<MarkedGeneration>& all) {
  return arrayOf(env, all, [env](const auto& one) {
    auto object = Napi::Object::New(env);
    object.Set("number", number(env, one.number));
    object.Set("digest", bytes(env, one.digest));
    object.Set("enforced", one.enforced);
    return object;
  });
}

Napi::Object stateObject(Napi::Env env, const CarriedKeysState& state) {
  auto object = Napi::Object::New(env);
  object.Set("digest", bytes(env, state.digest));
  object.Set("complete", state.isComplete);
  object.Set("unmarked", arrayOf(env, state.unmarked, [env](const UnmarkedKey& one) {
               auto key = Napi::Object::New(env);
               key.Set("member", one.member);
               key.Set("serialNumber", one.serialNumber);
               key.Set("label", one.name.label);
               key.Set("id", bytes(env, one.name.id));
               return key;
             }));
  return object;
}

/// One overload for each alternative of Value.
struct ToJavaScript {
  Napi::Env env;

  Napi::Value operator()(std::monostate /*nothing*/) const { return env.Null(); }
  Napi::Value operator()(uint64_t value) const { return number(env, value); }
  Napi::Value operator()(const Bytes& blob) const { return bytes(env, blob); }
  Napi::Value operator()(const EncryptedData& encrypted) const { return encryptedDataObject(env, encrypted); }
  // Only data operations give these two, and their answers are packed (AnswerBatch).
  Napi::Value operator()(const Secret& /*packed*/) const { std::abort(); }
  Napi::Value operator()(const DataKey& /*packed*/) const { std::abort(); }
  Napi::Value operator()(const std::vector<KeyAttributes>& all) const {
    return arrayOf(env, all, [this](const auto& key) { return attributesObject(env, key); });
  }
  Napi::Value operator()(const MemberOpened& opened) const {
    auto object = Napi::Object::New(env);
    object.Set("member", opened.member);
    object.Set("token", tokenObject(env, opened.token));
    return object;
  }
  Napi::Value operator()(const TokenInfo& token) const { return tokenObject(env, token); }
  Napi::Value operator()(const std::vector<TokenInfo>& all) const {
    return arrayOf(env, all, [this](const auto& token) { return tokenObject(env, token); });
  }
  Napi::Value operator()(const std::vector<ObjectSummary>& all) const {
    return arrayOf(env, all, [this](const auto& summary) { return summaryObject(env, summary); });
  }
  Napi::Value operator()(const std::shared_ptr<CeremonyThread>& ceremony) const {
    return CeremonyBinding::wrap(env, ceremony);
  }
  Napi::Value operator()(const std::vector<CarryKeyFingerprint>& all) const {
    return arrayOf(env, all, [this](const auto& one) { return fingerprintObject(env, one); });
  }
  Napi::Value operator()(const CarriedKeysState& state) const { return stateObject(env, state); }
  Napi::Value operator()(const std::vector<MarkedGeneration>& all) const {
    return generationsArray(env, all);
  }
  Napi::Value operator()(const TokenGenerations& read) const {
    auto object = Napi::Object::New(env);
    object.Set("token", tokenObject(env, read.token));
    object.Set("generations", generationsArray(env, read.generations));
    return object;
  }
  Napi::Value operator()(const std::vector<Witness>& all) const {
    return arrayOf(env, all, [this](const auto& one) { return witnessObject(env, one); });
  }
  Napi::Value operator()(const std::vector<AttackOutcome>& all) const {
    return arrayOf(env, all, [this](const auto& one) { return outcomeObject(env, one); });
  }
  Napi::Value operator()(const std::shared_ptr<FileLock>& lock) const {
    auto held = std::make_unique<HeldLock>(std::make_shared<std::shared_ptr<FileLock>>(lock));
    const auto release = [shared = *held](const Napi::CallbackInfo&) { shared->reset(); };
    auto object = Napi::Object::New(env);
    object.Set("release", Napi::Function::New(env, release, "release"));
    object.Set("held", Napi::External<HeldLock>::New(env, held.release(), [](Napi::Env, HeldLock* all) {
                 const std::unique_ptr<HeldLock> owned(all);
               }));
    return object;
  }
};

Napi::Object statisticsObject(Napi::Env env, const MemberStatistics& member) {
  auto object = Napi::Object::New(env);
  object.Set("member", member.member);
  object.Set("epoch", number(env, member.epoch));
  object.Set("admitted", member.admitted);
  object.Set("lanes", member.lanes);
  object.Set("laneTarget", member.laneTarget);
  object.Set("quarantinedLanes", member.quarantinedLanes);
  object.Set("queued", member.queued);
  object.Set("running", member.running);
  object.Set("logins", number(env, member.logins));
  object.Set("cachedHandles", number(env, member.cachedHandles));
  object.Set("openings", member.openings);
  object.Set("threadsInside", member.threadsInside);
  object.Set("operations", number(env, member.operations));
  object.Set("busyMs", std::chrono::duration<double, std::milli>(member.busy).count());
  return object;
}

}  // namespace

Napi::Value toJavaScript(Napi::Env env, Success& success, Shape shape) {
  const auto value = std::visit(ToJavaScript{env}, success.value);
  if (shape == Shape::kPlain) return value;
  auto object = Napi::Object::New(env);
  object.Set("epoch", number(env, success.epoch));
  if (shape == Shape::kEpoch) return object;
  object.Set("member", success.member);
  object.Set("value", value);
  object.Set("startedMs", toMilliseconds(success.started.time_since_epoch()));
  object.Set("laneMs", toMilliseconds(success.taken));
  return object;
}

Napi::Value toJavaScript(Napi::Env env, const Failure& failure) {
  auto error = Napi::Error::New(env, messageOf(failure)).Value();
  error.Set("kind", nameOf(failure.kind));
  error.Set("rv", number(env, failure.rv));
  error.Set("functionName", nameOf(failure.function));
  error.Set("callerFault", failure.callerFault);
  error.Set("hsmCleared", failure.hsmCleared);
  error.Set("isOfUse", failure.isOfUse);
  error.Set("member", failure.member);
  error.Set("epoch", number(env, failure.epoch));
  return error;
}

Napi::Value toJavaScript(Napi::Env env, const std::vector<MemberStatistics>& statistics) {
  return arrayOf(env, statistics, [env](const auto& member) { return statisticsObject(env, member); });
}

Napi::Value toJavaScript(Napi::Env env, const ReturnValue& row) {
  auto object = Napi::Object::New(env);
  object.Set("name", row.name);
  object.Set("value", number(env, row.value));
  object.Set("code", row.code);
  object.Set("login", nameOf(row.login));
  object.Set("transient", row.transient);
  object.Set("poisonsSession", row.poisonsSession);
  object.Set("poisonsMember", row.poisonsMember);
  object.Set("countsAgainstBreaker", row.countsAgainstBreaker);
  object.Set("sessionLost", row.sessionLost);
  object.Set("objectLost", row.objectLost);
  object.Set("loginLost", row.loginLost);
  object.Set("tokenLost", row.tokenLost());
  return object;
}

}  // namespace holdfast
