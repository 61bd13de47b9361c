#include <utility>

#include "key_finding.h"
#include "operations/operations.h"

namespace holdfast {
namespace {

/// Every attribute is explicit: CKA_SIGN, CKA_WRAP and others default to true on SoftHSM.
class KeyTemplate {
 public:
  KeyTemplate(const Bytes& id, const std::string& label, bool withCopyable)
      : attributes_{{CKA_CLASS, &class_, sizeof class_},
                    {CKA_KEY_TYPE, &keyType_, sizeof keyType_},
                    {CKA_VALUE_LEN, &length_, sizeof length_},
                    {CKA_LABEL, const_cast<char*>(label.data()), label.size()},
                    {CKA_ID, pointerFor(id), id.size()}} {
    for (const auto type : {CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_ENCRYPT, CKA_DECRYPT}) add(type, yes_);
    for (const auto type : {CKA_EXTRACTABLE, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE})
      add(type, no_);
    if (withCopyable) add(CKA_COPYABLE, no_);
    // Last: SoftHSM refuses whatever follows it as a change of an object that may not be modified.
    add(CKA_MODIFIABLE, no_);
  }
  KeyTemplate(const KeyTemplate&) = delete;
  KeyTemplate& operator=(const KeyTemplate&) = delete;

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
    const bool withCopyable = workplace.profile.knowsCopyable;
    CK_RV rv = generate(workplace, withCopyable);
    // The standard's answer of a v2.20 module that no profile knows: it has made nothing.
    if (withCopyable && rv == CKR_ATTRIBUTE_TYPE_INVALID) rv = generate(workplace, false);
    check("C_GenerateKey", rv);
    findOneSecretKey(workplace, id_, Finding::kPassageHeld);
    return std::monostate{};
  }

 private:
  CK_RV generate(Workplace& workplace, bool withCopyable) const {
    KeyTemplate wanted(id_, label_, withCopyable);
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
