#include "object_template.h"

#include <utility>

namespace holdfast {
namespace {

template <typename Value>
Bytes bytesOf(const Value& value) {
  const auto* const first = reinterpret_cast<const uint8_t*>(&value);
  return {first, first + sizeof value};
}

}  // namespace

ObjectTemplate& ObjectTemplate::number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  entries_.push_back({type, bytesOf(value), nullptr});
  return *this;
}

ObjectTemplate& ObjectTemplate::bytes(CK_ATTRIBUTE_TYPE type, ByteView value) {
  entries_.push_back({type, {value.begin(), value.end()}, nullptr});
  return *this;
}

ObjectTemplate& ObjectTemplate::flag(CK_ATTRIBUTE_TYPE type, bool value) {
  entries_.push_back({type, bytesOf(CK_BBOOL(value ? CK_TRUE : CK_FALSE)), nullptr});
  return *this;
}

ObjectTemplate& ObjectTemplate::flags(std::initializer_list<CK_ATTRIBUTE_TYPE> types, bool value) {
  for (const CK_ATTRIBUTE_TYPE type : types) flag(type, value);
  return *this;
}

ObjectTemplate& ObjectTemplate::onlyMechanism(CK_MECHANISM_TYPE mechanism) {
  return number(CKA_ALLOWED_MECHANISMS, mechanism);
}

ObjectTemplate& ObjectTemplate::nested(CK_ATTRIBUTE_TYPE type, ObjectTemplate value) {
  entries_.push_back({type, {}, std::make_unique<ObjectTemplate>(std::move(value))});
  return *this;
}

// NOLINTNEXTLINE(misc-no-recursion): a nested template has none in it
CK_ATTRIBUTE* ObjectTemplate::data() {
  attributes_.clear();
  for (auto& [type, value, nested] : entries_) {
    if (nested) {
      attributes_.push_back({type, nested->data(), nested->size() * sizeof(CK_ATTRIBUTE)});
    } else {
      attributes_.push_back({type, pointerFor(value), value.size()});
    }
  }
  return attributes_.data();
}

}  // namespace holdfast
