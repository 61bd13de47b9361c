/// \file Attributes for an object that is made, found or unwrapped (PKCS#11 v2.40 §4, CK_ATTRIBUTE).
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "bytes.h"
#include "cryptoki.h"

namespace holdfast {

/// Attributes in the order in which they were added, with their values. The order matters: SoftHSM refuses
/// every attribute behind CKA_MODIFIABLE=false as a change of an unmodifiable object. Values are not secret.
class ObjectTemplate {
 public:
  ObjectTemplate& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
  ObjectTemplate& bytes(CK_ATTRIBUTE_TYPE type, ByteView value);
  ObjectTemplate& flag(CK_ATTRIBUTE_TYPE type, bool value);
  /// One flag for each of the types, all with this value.
  ObjectTemplate& flags(std::initializer_list<CK_ATTRIBUTE_TYPE> types, bool value);
  /// CKA_ALLOWED_MECHANISMS with this one mechanism.
  ObjectTemplate& onlyMechanism(CK_MECHANISM_TYPE mechanism);
  /// An attribute that is a template itself: CKA_WRAP_TEMPLATE or CKA_UNWRAP_TEMPLATE.
  ObjectTemplate& nested(CK_ATTRIBUTE_TYPE type, ObjectTemplate value);

  /// The attributes for a call. Valid until the template changes or is destroyed.
  [[nodiscard]] CK_ATTRIBUTE* data();
  [[nodiscard]] CK_ULONG size() const { return entries_.size(); }

 private:
  struct Entry {
    CK_ATTRIBUTE_TYPE type = 0;
    Bytes value;
    std::unique_ptr<ObjectTemplate> nested;
  };

  std::vector<Entry> entries_;
  std::vector<CK_ATTRIBUTE> attributes_;
};

}  // namespace holdfast
