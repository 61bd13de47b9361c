/// \file The identity under which a token is searched for a key.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "bytes.h"
#include "cryptoki.h"

namespace holdfast {

/// CKA_CLASS and CKA_ID. The id alone is not enough: the two keys of a pair have the same one (PKCS#11 v2.40
/// §4.7).
struct ObjectIdentity {
  CK_OBJECT_CLASS objectClass = CK_UNAVAILABLE_INFORMATION;
  Bytes id;

  bool operator==(const ObjectIdentity&) const = default;
};

/// A hash for maps. Ids are random, but the keys of a pair share one, so the class is hashed too.
struct HashIdentity {
  [[nodiscard]] size_t operator()(const ObjectIdentity& identity) const {
    const std::string_view id(reinterpret_cast<const char*>(identity.id.data()), identity.id.size());
    return std::hash<std::string_view>()(id) ^ std::hash<CK_OBJECT_CLASS>()(identity.objectClass);
  }
};

}  // namespace holdfast
