#include "fault_module_fixture.h"

#include <array>
#include <stdexcept>

#include "failure.h"

namespace holdfast {
namespace {

constexpr const char* kPlaintext = "a plaintext of a test";

/// CKM_AES_GCM with a nonce of zeros.
struct Gcm {
  std::array<unsigned char, 12> nonce{};
  CK_GCM_PARAMS parameters{nonce.data(), nonce.size(), 8 * nonce.size(), nullptr, 0, 128};
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof parameters};
};

}  // namespace

FaultyHsm::FaultyHsm(const TestToken& token) : token_(token), module_(Module::open(token.faultyModule())) {}

void FaultyHsm::restart() {
  module_.reset();
  module_ = Module::open(token_.faultyModule());
}

CK_SLOT_ID FaultyHsm::slot() const {
  std::array<CK_SLOT_ID, 8> slots{};
  CK_ULONG count = slots.size();
  check(Function::C_GetSlotList, call().C_GetSlotList(CK_TRUE, slots.data(), &count));
  if (count == 0) throw std::runtime_error("no slot has a token");
  return slots[0];
}

CK_SESSION_HANDLE FaultyHsm::open(CK_FLAGS flags) const {
  CK_SESSION_HANDLE session = 0;
  check(Function::C_OpenSession,
        call().C_OpenSession(slot(), CKF_SERIAL_SESSION | flags, nullptr, nullptr, &session));
  return session;
}

CK_RV FaultyHsm::login(CK_SESSION_HANDLE session, const std::string& pin) const {
  Bytes bytes = bytesOf(pin);
  return call().C_Login(session, CKU_USER, bytes.data(), bytes.size());
}

CK_SESSION_HANDLE FaultyHsm::openLoggedIn() const {
  const CK_SESSION_HANDLE session = open();
  check(Function::C_Login, login(session));
  return session;
}

CK_OBJECT_HANDLE FaultyHsm::makeKey(CK_SESSION_HANDLE session, const std::string& id) const {
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  CK_BBOOL yes = CK_TRUE;
  CK_ULONG length = 32;
  Bytes name = bytesOf(id);
  std::array<CK_ATTRIBUTE, 5> attributes{{{CKA_TOKEN, &yes, sizeof yes},
                                          {CKA_VALUE_LEN, &length, sizeof length},
                                          {CKA_ID, name.data(), name.size()},
                                          {CKA_ENCRYPT, &yes, sizeof yes},
                                          {CKA_DECRYPT, &yes, sizeof yes}}};
  CK_OBJECT_HANDLE key = 0;
  check(Function::C_GenerateKey,
        call().C_GenerateKey(session, &mechanism, attributes.data(), attributes.size(), &key));
  return key;
}

std::vector<CK_OBJECT_HANDLE> FaultyHsm::find(CK_SESSION_HANDLE session, const std::string& id) const {
  Bytes name = bytesOf(id);
  CK_ATTRIBUTE wanted{CKA_ID, name.data(), name.size()};
  std::vector<CK_OBJECT_HANDLE> found(8);
  CK_ULONG count = 0;
  check(Function::C_FindObjectsInit, call().C_FindObjectsInit(session, &wanted, 1));
  check(Function::C_FindObjects, call().C_FindObjects(session, found.data(), found.size(), &count));
  check(Function::C_FindObjectsFinal, call().C_FindObjectsFinal(session));
  found.resize(count);
  return found;
}

std::string FaultyHsm::idOf(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) const {
  std::array<char, 64> id{};
  CK_ATTRIBUTE wanted{CKA_ID, id.data(), id.size()};
  const CK_RV rv = call().C_GetAttributeValue(session, object, &wanted, 1);
  return rv == CKR_OK ? std::string(id.data(), wanted.ulValueLen) : std::to_string(rv);
}

CK_RV FaultyHsm::encrypt(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, Bytes& output) const {
  Gcm gcm;
  Bytes plaintext = bytesOf(kPlaintext);
  output.resize(plaintext.size() + 16);
  CK_ULONG length = output.size();
  const CK_RV rv = call().C_EncryptInit(session, &gcm.mechanism, key);
  return rv != CKR_OK ? rv
                      : call().C_Encrypt(session, plaintext.data(), plaintext.size(), output.data(), &length);
}

CK_RV FaultyHsm::decrypt(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, const Bytes& input,
                         Bytes& output) const {
  Gcm gcm;
  Bytes ciphertext = input;
  output.resize(ciphertext.size());
  CK_ULONG length = output.size();
  CK_RV rv = call().C_DecryptInit(session, &gcm.mechanism, key);
  if (rv == CKR_OK)
    rv = call().C_Decrypt(session, ciphertext.data(), ciphertext.size(), output.data(), &length);
  output.resize(rv == CKR_OK ? length : 0);
  return rv;
}

CK_RV FaultyHsm::random(CK_SESSION_HANDLE session) const {
  std::array<unsigned char, 8> bytes{};
  return call().C_GenerateRandom(session, bytes.data(), bytes.size());
}

CK_TOKEN_INFO FaultyHsm::tokenInfo() const {
  CK_TOKEN_INFO info{};
  check(Function::C_GetTokenInfo, call().C_GetTokenInfo(slot(), &info));
  return info;
}

}  // namespace holdfast
