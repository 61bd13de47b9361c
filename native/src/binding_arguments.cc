#include "binding_arguments.h"

#include <algorithm>

#include "binding_values.h"
namespace holdfast {
namespace {

bool flagOf(const Napi::Object& given, const char* name) {
  return given.Get(name).As<Napi::Boolean>().Value();
}

KeyMaker keyMakerOf(const Napi::Value& value) {
  const std::string name = stringOf(value);
  if (name == "user") return KeyMaker::kUser;
  return name == "user-then-officer" ? KeyMaker::kUserThenOfficer : KeyMaker::kOfficer;
}

KnownAnswer knownAnswerOf(const Napi::Object& material) {
  if (const auto mac = bytesOrNull(material.Get("canaryMac"))) return KnownMac{*mac};
  return DecryptionCanary{.nonce = bytesOf(material.Get("canaryNonce")),
                          .ciphertext = bytesOf(material.Get("canaryCiphertext")),
                          .additionalData = bytesOf(material.Get("canaryAdditionalData")),
                          .plaintext = bytesOf(material.Get("canaryPlaintext"))};
}

}  // namespace

ByteView viewOf(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

Bytes bytesOf(const Napi::Value& value) {
  const ByteView view = viewOf(value);
  return {view.begin(), view.end()};
}

std::optional<Bytes> bytesOrNull(const Napi::Value& value) {
  return value.IsNull() ? std::nullopt : std::optional(bytesOf(value));
}

Secret secretOf(const Napi::Value& value) { return Secret(viewOf(value)); }

std::string stringOf(const Napi::Value& value) { return value.As<Napi::String>().Utf8Value(); }

std::optional<std::string> stringOrNull(const Napi::Value& value) {
  return value.IsNull() ? std::nullopt : std::optional(stringOf(value));
}

int intOf(const Napi::Value& value) { return value.As<Napi::Number>().Int32Value(); }

size_t sizeOf(const Napi::Value& value) { return static_cast<size_t>(value.As<Napi::Number>().Int64Value()); }

Members membersOf(const Napi::Value& value) {
  if (value.IsNull()) return Members::all();
  if (value.IsNumber()) return Members::only(intOf(value));
  auto members = Members::anyOf({});
  const auto given = value.As<Napi::Array>();
  for (uint32_t i = 0; i < given.Length(); ++i) members.add(intOf(given[i]));
  return members;
}

std::shared_ptr<FileLock> lockOf(const Napi::Value& value) {
  if (value.IsNull()) return nullptr;
  return **value.As<Napi::Object>().Get("held").As<Napi::External<HeldLock>>().Data();
}

Deadline deadlineOf(const Napi::Value& value) {
  return deadlineFromMilliseconds(value.As<Napi::Number>().DoubleValue());
}

ModuleOptions moduleOptionsOf(const Napi::Value& value) {
  const auto given = value.As<Napi::Object>();
  ModuleOptions options;
  options.libraryPath = stringOf(given.Get("libraryPath"));
  options.privateInstance = flagOf(given, "privateInstance");
  options.initializationString = stringOrNull(given.Get("initializationString"));
  const auto environment = given.Get("environment").As<Napi::Object>();
  const auto names = environment.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = stringOf(names[i]);
    options.environment[name] = stringOf(environment.Get(name));
  }
  return options;
}

MemberOptions memberOptionsOf(const Napi::Value& value) {
  const auto given = value.As<Napi::Object>();
  MemberOptions options;
  options.module = moduleOptionsOf(given.Get("module"));
  options.token.label = stringOrNull(given.Get("tokenLabel"));
  options.token.serialNumber = stringOrNull(given.Get("tokenSerialNumber"));
  options.lanes.laneCount = intOf(given.Get("laneCount"));
  options.lanes.maxQuarantinedLanes = intOf(given.Get("maxQuarantinedLanes"));
  options.maxStuckOpenings = intOf(given.Get("maxStuckOpenings"));
  return options;
}

CeremonyMemberOptions ceremonyMemberOf(const Napi::Value& value) {
  const auto given = value.As<Napi::Object>();
  return {stringOf(given.Get("name")),
          moduleOptionsOf(given.Get("module")),
          {stringOrNull(given.Get("tokenLabel")), stringOrNull(given.Get("tokenSerialNumber"))},
          profileOf(given.Get("profile")),
          keyMakerOf(given.Get("maker"))};
}

Profile profileOf(const Napi::Value& value) {
  const auto given = value.As<Napi::Object>();
  Profile profile;
  profile.tokenMakesNonces = flagOf(given, "tokenMakesNonces");
  profile.knowsCopyable = flagOf(given, "knowsCopyable");
  const auto maximum = given.Get("maximumGcmBytes");
  if (!maximum.IsNull()) profile.maximumGcmLength = sizeOf(maximum);
  profile.keyWrapWithPadding = sizeOf(given.Get("keyWrapWithPadding"));
  profile.oaepHash = sizeOf(given.Get("oaepHash"));
  profile.oaepMask = sizeOf(given.Get("oaepMask"));
  profile.clusterKeysArePrivate = flagOf(given, "clusterKeysArePrivate");
  profile.knowsAllowedMechanisms = flagOf(given, "knowsAllowedMechanisms");
  profile.reportsLocal = flagOf(given, "reportsLocal");
  profile.marksArePublicKeys = flagOf(given, "marksArePublicKeys");
  return profile;
}

ObjectIdentity identityOf(const Napi::Value& objectClass, const Napi::Value& id) {
  return {sizeOf(objectClass), bytesOf(id)};
}

Custody custodyOf(const Napi::Value& extractable) {
  return extractable.As<Napi::Boolean>().Value() ? Custody::kWrapped : Custody::kStaysInToken;
}

Generation generationOf(const Napi::Value& clusterId, const Napi::Value& number) {
  return {stringOf(clusterId), number.As<Napi::Number>().Uint32Value()};
}

Witness witnessOf(const Napi::Value& value) {
  const auto given = value.As<Napi::Object>();
  Witness witness;
  const auto incarnation = viewOf(given.Get("incarnation"));
  std::ranges::copy(incarnation.first(witness.incarnation.size()), witness.incarnation.begin());
  witness.epoch = sizeOf(given.Get("epoch"));
  witness.writtenMs = sizeOf(given.Get("writtenMs"));
  witness.deployment = stringOf(given.Get("deployment"));
  return witness;
}

Material materialOf(const Napi::Value& value) {
  const auto given = value.As<Napi::Object>();
  Material material;
  material.identity = identityOf(given.Get("objectClass"), given.Get("id"));
  material.label = stringOf(given.Get("label"));
  material.extractable = given.Get("extractable").As<Napi::Boolean>().Value();
  material.knownAnswer = knownAnswerOf(given);
  return material;
}

}  // namespace holdfast
