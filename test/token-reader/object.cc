#include "object.h"

#include <array>
#include <cstring>

namespace reader {
namespace {

enum class Kind { kFlag, kNumber, kBytes };

struct Attribute {
  const char* name;
  CK_ATTRIBUTE_TYPE type;
  Kind kind;
};

constexpr std::array kAttributes{
    Attribute{"CKA_CLASS", CKA_CLASS, Kind::kNumber},
    Attribute{"CKA_KEY_TYPE", CKA_KEY_TYPE, Kind::kNumber},
    Attribute{"CKA_VALUE_LEN", CKA_VALUE_LEN, Kind::kNumber},
    Attribute{"CKA_LABEL", CKA_LABEL, Kind::kBytes},
    Attribute{"CKA_ID", CKA_ID, Kind::kBytes},
    Attribute{"CKA_VALUE", CKA_VALUE, Kind::kBytes},
    Attribute{"CKA_TOKEN", CKA_TOKEN, Kind::kFlag},
    Attribute{"CKA_PRIVATE", CKA_PRIVATE, Kind::kFlag},
    Attribute{"CKA_MODIFIABLE", CKA_MODIFIABLE, Kind::kFlag},
    Attribute{"CKA_COPYABLE", CKA_COPYABLE, Kind::kFlag},
    Attribute{"CKA_SENSITIVE", CKA_SENSITIVE, Kind::kFlag},
    Attribute{"CKA_ALWAYS_SENSITIVE", CKA_ALWAYS_SENSITIVE, Kind::kFlag},
    Attribute{"CKA_EXTRACTABLE", CKA_EXTRACTABLE, Kind::kFlag},
    Attribute{"CKA_NEVER_EXTRACTABLE", CKA_NEVER_EXTRACTABLE, Kind::kFlag},
    Attribute{"CKA_LOCAL", CKA_LOCAL, Kind::kFlag},
    Attribute{"CKA_ENCRYPT", CKA_ENCRYPT, Kind::kFlag},
    Attribute{"CKA_DECRYPT", CKA_DECRYPT, Kind::kFlag},
    Attribute{"CKA_SIGN", CKA_SIGN, Kind::kFlag},
    Attribute{"CKA_VERIFY", CKA_VERIFY, Kind::kFlag},
    Attribute{"CKA_WRAP", CKA_WRAP, Kind::kFlag},
    Attribute{"CKA_UNWRAP", CKA_UNWRAP, Kind::kFlag},
    Attribute{"CKA_DERIVE", CKA_DERIVE, Kind::kFlag},
};

std::string hex(const std::vector<CK_BYTE>& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const CK_BYTE byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string render(Kind kind, const std::vector<CK_BYTE>& bytes) {
  if (kind == Kind::kBytes) return '"' + hex(bytes) + '"';
  if (kind == Kind::kFlag) return bytes.size() == 1 && bytes[0] != CK_FALSE ? "true" : "false";
  CK_ULONG number = 0;
  if (bytes.size() == sizeof number) std::memcpy(&number, bytes.data(), sizeof number);
  return std::to_string(number);
}

std::string describeAttribute(const Session& session, CK_OBJECT_HANDLE object, const Attribute& attribute) {
  std::vector<CK_BYTE> room(4096);
  CK_ATTRIBUTE asked{attribute.type, room.data(), room.size()};
  const CK_RV rv = session.functions().C_GetAttributeValue(session.handle(), object, &asked, 1);
  if (rv != CKR_OK) return "{\"rv\":" + std::to_string(rv) + '}';
  room.resize(asked.ulValueLen);
  return render(attribute.kind, room);
}

/// The attributes that both ways of planting a key share.
class Template {
 public:
  Template(const std::string& id, const std::string& label)
      : attributes_{{CKA_CLASS, &class_, sizeof class_},
                    {CKA_KEY_TYPE, &keyType_, sizeof keyType_},
                    {CKA_LABEL, const_cast<char*>(label.data()), label.size()},
                    {CKA_ID, const_cast<char*>(id.data()), id.size()}} {
    for (const auto type : {CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_ENCRYPT, CKA_DECRYPT}) add(type, yes_);
    for (const auto type : {CKA_EXTRACTABLE, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE})
      add(type, no_);
  }
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;

  void add(CK_ATTRIBUTE_TYPE type, const void* value, CK_ULONG length) {
    attributes_.push_back({type, const_cast<void*>(value), length});
  }
  std::vector<CK_ATTRIBUTE>& attributes() { return attributes_; }

 private:
  void add(CK_ATTRIBUTE_TYPE type, CK_BBOOL& value) { add(type, &value, sizeof value); }

  CK_OBJECT_CLASS class_ = CKO_SECRET_KEY;
  CK_KEY_TYPE keyType_ = CKK_AES;
  CK_BBOOL yes_ = CK_TRUE;
  CK_BBOOL no_ = CK_FALSE;
  std::vector<CK_ATTRIBUTE> attributes_;
};

CK_ATTRIBUTE_TYPE typeOf(const std::string& name) {
  for (const auto& attribute : kAttributes) {
    if (name == attribute.name) return attribute.type;
  }
  throw std::runtime_error("no attribute " + name);
}

}  // namespace

std::string describeObject(const Session& session, CK_OBJECT_HANDLE object) {
  std::string json;
  for (const auto& attribute : kAttributes) {
    json += json.empty() ? "{\"" : ",\"";
    json += attribute.name;
    json += "\":" + describeAttribute(session, object, attribute);
  }
  return json + '}';
}

CK_RV plantKey(const Session& session, const std::string& id, const std::string& label,
               const std::string& value) {
  Template wanted(id, label);
  wanted.add(CKA_VALUE, value.data(), value.size());
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  auto& attributes = wanted.attributes();
  return session.functions().C_CreateObject(session.handle(), attributes.data(), attributes.size(), &made);
}

CK_RV generateKey(const Session& session, const std::string& id, const std::string& label) {
  Template wanted(id, label);
  const CK_ULONG length = 32;
  wanted.add(CKA_VALUE_LEN, &length, sizeof length);
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  auto& attributes = wanted.attributes();
  return session.functions().C_GenerateKey(session.handle(), &mechanism, attributes.data(), attributes.size(),
                                           &made);
}

CK_RV changeFlag(const Session& session, CK_OBJECT_HANDLE object, const std::string& name, bool value) {
  CK_BBOOL flag = value ? CK_TRUE : CK_FALSE;
  CK_ATTRIBUTE change{typeOf(name), &flag, sizeof flag};
  return session.functions().C_SetAttributeValue(session.handle(), object, &change, 1);
}

CK_RV copyWithFlag(const Session& session, CK_OBJECT_HANDLE object, const std::string& name, bool value) {
  CK_BBOOL flag = value ? CK_TRUE : CK_FALSE;
  CK_ATTRIBUTE change{typeOf(name), &flag, sizeof flag};
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  return session.functions().C_CopyObject(session.handle(), object, &change, 1, &made);
}

}  // namespace reader
