#include "template.h"

#include <algorithm>
#include <cstring>

namespace extraction {
namespace {

template <typename Number>
Bytes bytesOf(const Number* numbers, size_t count) {
  Bytes bytes(sizeof(Number) * count);
  if (count > 0) std::memcpy(bytes.data(), numbers, bytes.size());
  return bytes;
}

/// \param attribute must outlive the result
template <typename Attribute>
CK_ATTRIBUTE rendered(const Attribute& attribute) {
  return {attribute.type, const_cast<CK_BYTE*>(attribute.value.data()), attribute.value.size()};
}

}  // namespace

Template& Template::put(Attribute attribute) {
  const auto found = std::find_if(attributes_.begin(), attributes_.end(),
                                  [&](const Attribute& each) { return each.type == attribute.type; });
  if (found == attributes_.end())
    attributes_.push_back(std::move(attribute));
  else
    *found = std::move(attribute);
  return *this;
}

Template& Template::flag(CK_ATTRIBUTE_TYPE type, bool value) {
  return put({type, {static_cast<CK_BYTE>(value ? CK_TRUE : CK_FALSE)}, {}});
}

Template& Template::flags(const std::vector<CK_ATTRIBUTE_TYPE>& types, bool value) {
  for (const auto type : types) flag(type, value);
  return *this;
}

Template& Template::number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  return put({type, bytesOf(&value, 1), {}});
}

Template& Template::bytes(CK_ATTRIBUTE_TYPE type, Bytes value) { return put({type, std::move(value), {}}); }

Template& Template::text(CK_ATTRIBUTE_TYPE type, std::string_view value) {
  return put({type, Bytes(value.begin(), value.end()), {}});
}

Template& Template::mechanisms(const std::vector<CK_MECHANISM_TYPE>& allowed) {
  return put({CKA_ALLOWED_MECHANISMS, bytesOf(allowed.data(), allowed.size()), {}});
}

Template& Template::nested(CK_ATTRIBUTE_TYPE type, const Template& value) {
  std::vector<Plain> inner;
  for (const auto& attribute : value.attributes_) inner.push_back({attribute.type, attribute.value});
  return put({type, {}, std::move(inner), true});
}

Template Template::followedBy(const Template& those) const {
  Template both = *this;
  for (const auto& attribute : those.attributes_) both.put(attribute);
  return both;
}

RenderedTemplate::RenderedTemplate(const Template& source) {
  for (const auto& attribute : source.attributes_) {
    if (!attribute.isNested) {
      attributes_.push_back(rendered(attribute));
      continue;
    }
    auto& inner = nested_.emplace_back();
    for (const auto& each : attribute.nested) inner.push_back(rendered(each));
    attributes_.push_back({attribute.type, inner.data(), inner.size() * sizeof(CK_ATTRIBUTE)});
  }
}

}  // namespace extraction
