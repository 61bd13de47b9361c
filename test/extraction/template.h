/// \file Templates of attributes that own their values.
#pragma once

#include <deque>
#include <string_view>
#include <vector>

#include "cryptoki.h"

namespace extraction {

/// An ordered list of attributes. The order matters: SoftHSM refuses what follows CKA_MODIFIABLE=false.
class Template {
 public:
  Template& flag(CK_ATTRIBUTE_TYPE type, bool value);
  Template& flags(const std::vector<CK_ATTRIBUTE_TYPE>& types, bool value);
  Template& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
  Template& bytes(CK_ATTRIBUTE_TYPE type, Bytes value);
  Template& text(CK_ATTRIBUTE_TYPE type, std::string_view value);
  /// CKA_ALLOWED_MECHANISMS.
  Template& mechanisms(const std::vector<CK_MECHANISM_TYPE>& allowed);
  /// CKA_WRAP_TEMPLATE or CKA_UNWRAP_TEMPLATE.
  Template& nested(CK_ATTRIBUTE_TYPE type, const Template& value);
  /// These attributes, then those.
  Template followedBy(const Template& those) const;

 private:
  friend class RenderedTemplate;
  struct Plain {
    CK_ATTRIBUTE_TYPE type;
    Bytes value;
  };
  /// With its value, or with a template.
  struct Attribute {
    CK_ATTRIBUTE_TYPE type;
    Bytes value;
    std::vector<Plain> nested;
    bool isNested = false;
  };

  /// In place of the attribute of this type, or at the end.
  Template& put(Attribute attribute);

  std::vector<Attribute> attributes_;
};

/// What PKCS#11 takes. It points into the template, which must outlive it.
class RenderedTemplate {
 public:
  explicit RenderedTemplate(const Template& source);
  RenderedTemplate(const RenderedTemplate&) = delete;
  RenderedTemplate& operator=(const RenderedTemplate&) = delete;

  CK_ATTRIBUTE* data() { return attributes_.data(); }
  CK_ULONG size() const { return attributes_.size(); }

 private:
  std::vector<CK_ATTRIBUTE> attributes_;
  std::deque<std::vector<CK_ATTRIBUTE>> nested_;
};

}  // namespace extraction
