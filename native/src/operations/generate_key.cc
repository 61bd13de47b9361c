#include <utility>

#include "key_finding.h"
#include "operations/operations.h"

namespace holdfast {
namespace {

/// Every attribute is explicit: CKA_SIGN, CKA_WRAP and others default to true on SoftHSM.
class KeyTemplate {
 public:
  KeyTemplate(const Bytes& id, const std::string& label)
      : attributes_{{CKA_CLASS, &class_, sizeof class_},
                    {CKA_KEY_TYPE, &keyType_, sizeof keyType_},
                    {CKA_VALUE_LEN, &length_, sizeof length_},
                    {CKA_LABEL, const_cast<char*>(label.data()), label.size()},
                    {CKA_ID, pointerFor(id), id.size()}} {
    for (const auto type : {CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_ENCRYPT, CKA_DECRYPT}) add(type, yes_);
    for (const auto type : {CKA_EXTRACTABLE, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE})
      add(type, no_);
    add(CKA_COPYABLE, no_);
    // Last: SoftHSM refuses whatever follows it as a change of an object that may not be modified.
    add(CKA_MODIFIABLE, no_);
  }
  KeyTemplate(const KeyTemplate&) = delete;
  KeyTemplate& operator=(const KeyTemplate&) = delete;

  KeyTemplate& withoutCopyable() {
    std::erase_if(attributes_, [](const CK_ATTRIBUTE& attribute) { return attribute.type == CKA_COPYABLE; });
    return *this;
  }

  CK_ATTRIBUTE* data() { return attributes_.data(); }
  CK_ULONG size() const { return attributes_.size(); }

 private:
  void add(CK_ATTRIBUTE_TYPE type, CK_BBOOL& value) { attributes_.push_back({type, &value, sizeof value}); }

  CK_OBJECT_CLASS class_ = CKO_SECRET_KEY;
  CK_KEY_TYPE keyType_ = CKK_AES;
  CK_ULONG length_ = 32;
  CK_BBOOL yes_ = CK_TRUE;
  CK_BBOOL no_ = CK_FALSE;
  std::vector<CK_ATTRIBUTE> attributes_;
};

/// C_GenerateKey (PKCS#11 v2.40 §5.13, CKM_AES_KEY_GEN), then the key is found by its id: exactly one.
class GenerateKey final : public Operation {
 public:
  GenerateKey(Bytes id, std::string label) : id_(std::move(id)), label_(std::move(label)) {}

  Value run(Workplace& workplace) override {
    const auto passage = enterExclusive(workplace, workplace.token.objects());
    requireTime(workplace, bool(passage));
    workplace.cache.drop(id_);
    KeyTemplate wanted(id_, label_);
    CK_RV rv = generate(workplace, wanted);
    if (mayMeanCopyable(workplace, rv)) rv = generate(workplace, wanted.withoutCopyable());
    check("C_GenerateKey", rv);
    findOneSecretKey(workplace, id_, Finding::kPassageHeld);
    return std::monostate{};
  }

 private:
  /// CKA_COPYABLE came with v2.40; a module of v2.20 does not know it, and cannot copy what is sensitive into
  /// what is not. NSS 3.87.1 fails by CKR_GENERAL_ERROR (measured); as anything may hide behind that, the
  /// token must answer that it has made nothing.
  bool mayMeanCopyable(Workplace& workplace, CK_RV rv) const {
    return rv == CKR_ATTRIBUTE_TYPE_INVALID ||
           (rv == CKR_GENERAL_ERROR && findSecretKeys(workplace, id_, 1).empty());
  }

  static CK_RV generate(Workplace& workplace, KeyTemplate& wanted) {
    CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    return workplace.functions().C_GenerateKey(workplace.session.handle(), &mechanism, wanted.data(),
                                               wanted.size(), &made);
  }

  Bytes id_;
  std::string label_;
};

}  // namespace

OperationPointer makeGenerateKey(Bytes id, std::string label) {
  return std::make_unique<GenerateKey>(std::move(id), std::move(label));
}

}  // namespace holdfast
