/// \file Reading an object's attributes (PKCS#11 v2.40 §5.7 C_GetAttributeValue, §4.4 to §4.10).
#pragma once

#include <optional>
#include <string>

#include "bytes.h"
#include "object_identity.h"
#include "session.h"

namespace holdfast {

/// `NativeKeyAttributes` of src/hsm/native.ts. A flag that the token does not have reads as false.
struct KeyAttributes {
  CK_OBJECT_CLASS objectClass = CK_UNAVAILABLE_INFORMATION;
  Bytes id;
  std::string label;
  CK_ULONG keyType = CK_UNAVAILABLE_INFORMATION;
  std::optional<CK_ULONG> valueLength;
  bool sensitive = false;
  bool alwaysSensitive = false;
  bool extractable = false;
  bool neverExtractable = false;
  bool local = false;
  bool isPrivate = false;
  bool isToken = false;
  bool modifiable = false;
  bool copyable = false;
  /// CKA_WRAP_WITH_TRUSTED, CKA_TRUSTED.
  bool wrapWithTrusted = false;
  bool trusted = false;
  bool encrypt = false;
  bool decrypt = false;
  bool sign = false;
  bool verify = false;
  bool wrap = false;
  bool unwrap = false;
  bool derive = false;
};

/// Reads them in one call. An attribute that the token lacks or hides keeps its default (§5.7). Throws for
/// any other error, and `bad-output` for impossible lengths, flags and numbers.
[[nodiscard]] KeyAttributes readKeyAttributes(Session& session, CK_OBJECT_HANDLE object);

/// The facts that an inventory notes of an object of any class.
struct ObjectSummary {
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  CK_OBJECT_CLASS objectClass = 0;
  Bytes id;
  std::string label;

  [[nodiscard]] bool isOf(const ObjectIdentity& identity) const {
    return objectClass == identity.objectClass && id == identity.id;
  }
};

/// Reads the summary of an object; nothing if it was removed meanwhile or never completely made. Ids and
/// labels over 512 bytes read as empty. Throws if the token itself fails.
[[nodiscard]] std::optional<ObjectSummary> readSummary(Session& session, CK_OBJECT_HANDLE object);

}  // namespace holdfast
