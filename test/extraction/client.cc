#include "client.h"

#include <dlfcn.h>

#include <array>

namespace extraction {
namespace {

void check(const char* function, CK_RV rv) {
  if (rv != CKR_OK) throw Refused(function, rv);
}

CK_BYTE* writable(const Bytes& bytes) { return const_cast<CK_BYTE*>(bytes.data()); }

/// Room for every output of a single call here: keys, blobs, signatures.
constexpr size_t kRoom = 8192;

/// Calls `call(buffer, &length)`. @returns what it wrote
template <typename Call>
Bytes output(const char* function, Call call) {
  Bytes room(kRoom);
  CK_ULONG length = room.size();
  check(function, call(room.data(), &length));
  if (length > room.size()) throw Refused(function, CKR_BUFFER_TOO_SMALL);
  room.resize(length);
  return room;
}

}  // namespace

Refused::Refused(std::string functionName, CK_RV answer)
    : std::runtime_error(functionName + " answered " + std::to_string(answer)),
      function(std::move(functionName)),
      rv(answer) {}

Module::Module(const std::string& library, const std::string& initialization) {
  void* const module = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): this program has one thread.
  if (module == nullptr) throw std::runtime_error(dlerror());
  const auto get = reinterpret_cast<CK_RV (*)(CK_FUNCTION_LIST**)>(dlsym(module, "C_GetFunctionList"));
  if (get == nullptr) throw std::runtime_error("no C_GetFunctionList in " + library);
  check("C_GetFunctionList", get(&functions_));
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  std::string reserved = initialization;
  if (!reserved.empty()) arguments.pReserved = reserved.data();
  check("C_Initialize", functions_->C_Initialize(&arguments));
}

Module::~Module() { functions_->C_Finalize(nullptr); }

CK_SLOT_ID Module::slotOf(const std::string& tokenLabel) const {
  std::array<CK_SLOT_ID, 256> slots{};
  CK_ULONG count = slots.size();
  check("C_GetSlotList", functions_->C_GetSlotList(CK_TRUE, slots.data(), &count));
  std::string padded = tokenLabel;
  padded.resize(sizeof(CK_TOKEN_INFO::label), ' ');
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info{};
    check("C_GetTokenInfo", functions_->C_GetTokenInfo(slots[i], &info));
    if (std::string(reinterpret_cast<char*>(info.label), sizeof info.label) == padded) return slots[i];
  }
  throw std::runtime_error("no token has the label " + tokenLabel);
}

Session::Session(const Module& module, CK_SLOT_ID slot) : functions_(module.functions()) {
  const CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
  check("C_OpenSession", functions_.C_OpenSession(slot, flags, nullptr, nullptr, &handle_));
}

Session::~Session() { functions_.C_CloseSession(handle_); }

void Session::login(CK_USER_TYPE user, const std::string& pin) const {
  auto* const bytes = reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(pin.data()));
  check("C_Login", functions_.C_Login(handle_, user, bytes, pin.size()));
}

void Session::logout() const { check("C_Logout", functions_.C_Logout(handle_)); }

std::vector<CK_OBJECT_HANDLE> Session::find(const Template& wanted) const {
  RenderedTemplate rendered(wanted);
  check("C_FindObjectsInit", functions_.C_FindObjectsInit(handle_, rendered.data(), rendered.size()));
  std::vector<CK_OBJECT_HANDLE> found;
  for (;;) {
    std::array<CK_OBJECT_HANDLE, 64> some{};
    CK_ULONG count = 0;
    check("C_FindObjects", functions_.C_FindObjects(handle_, some.data(), some.size(), &count));
    if (count == 0) break;
    found.insert(found.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  }
  check("C_FindObjectsFinal", functions_.C_FindObjectsFinal(handle_));
  return found;
}

Bytes Session::get(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
  CK_ATTRIBUTE asked{type, nullptr, 0};
  check("C_GetAttributeValue", functions_.C_GetAttributeValue(handle_, object, &asked, 1));
  if (asked.ulValueLen > kRoom) throw Refused("C_GetAttributeValue", CKR_ATTRIBUTE_SENSITIVE);
  Bytes room(asked.ulValueLen);
  asked.pValue = room.data();
  check("C_GetAttributeValue", functions_.C_GetAttributeValue(handle_, object, &asked, 1));
  room.resize(asked.ulValueLen);
  return room;
}

void Session::set(CK_OBJECT_HANDLE object, const Template& values) const {
  RenderedTemplate rendered(values);
  check("C_SetAttributeValue",
        functions_.C_SetAttributeValue(handle_, object, rendered.data(), rendered.size()));
}

CK_OBJECT_HANDLE Session::copy(CK_OBJECT_HANDLE object, const Template& changes) const {
  RenderedTemplate rendered(changes);
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check("C_CopyObject", functions_.C_CopyObject(handle_, object, rendered.data(), rendered.size(), &made));
  return made;
}

CK_OBJECT_HANDLE Session::create(const Template& values) const {
  RenderedTemplate rendered(values);
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check("C_CreateObject", functions_.C_CreateObject(handle_, rendered.data(), rendered.size(), &made));
  return made;
}

void Session::destroy(CK_OBJECT_HANDLE object) const {
  check("C_DestroyObject", functions_.C_DestroyObject(handle_, object));
}

CK_OBJECT_HANDLE Session::generate(const Mechanism& mechanism, const Template& values) const {
  RenderedTemplate rendered(values);
  CK_MECHANISM raw = mechanism.raw();
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check("C_GenerateKey", functions_.C_GenerateKey(handle_, &raw, rendered.data(), rendered.size(), &made));
  return made;
}

std::pair<CK_OBJECT_HANDLE, CK_OBJECT_HANDLE> Session::generatePair(const Mechanism& mechanism,
                                                                    const Template& publicValues,
                                                                    const Template& privateValues) const {
  RenderedTemplate publicHalf(publicValues);
  RenderedTemplate privateHalf(privateValues);
  CK_MECHANISM raw = mechanism.raw();
  std::pair<CK_OBJECT_HANDLE, CK_OBJECT_HANDLE> made;
  check("C_GenerateKeyPair",
        functions_.C_GenerateKeyPair(handle_, &raw, publicHalf.data(), publicHalf.size(), privateHalf.data(),
                                     privateHalf.size(), &made.first, &made.second));
  return made;
}

std::pair<CK_OBJECT_HANDLE, CK_OBJECT_HANDLE> Session::generateRsaPair(Template publicValues,
                                                                       const Template& privateValues) const {
  const Mechanism mechanism(CKM_RSA_PKCS_KEY_PAIR_GEN);
  publicValues.bytes(CKA_PUBLIC_EXPONENT, {1, 0, 1});
  try {
    return generatePair(mechanism, publicValues.number(CKA_MODULUS_BITS, 1024), privateValues);
  } catch (const Refused& refused) {
    const bool isTooShort = refused.rv == CKR_KEY_SIZE_RANGE || refused.rv == CKR_ATTRIBUTE_VALUE_INVALID;
    if (!isTooShort) throw;
    return generatePair(mechanism, publicValues.number(CKA_MODULUS_BITS, 2048), privateValues);
  }
}

Bytes Session::wrap(const Mechanism& mechanism, CK_OBJECT_HANDLE wrappingKey, CK_OBJECT_HANDLE key) const {
  CK_MECHANISM raw = mechanism.raw();
  return output("C_WrapKey", [&](CK_BYTE* buffer, CK_ULONG* length) {
    return functions_.C_WrapKey(handle_, &raw, wrappingKey, key, buffer, length);
  });
}

CK_OBJECT_HANDLE Session::unwrap(const Mechanism& mechanism, CK_OBJECT_HANDLE unwrappingKey,
                                 const Bytes& blob, const Template& values) const {
  RenderedTemplate rendered(values);
  CK_MECHANISM raw = mechanism.raw();
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check("C_UnwrapKey", functions_.C_UnwrapKey(handle_, &raw, unwrappingKey, writable(blob), blob.size(),
                                              rendered.data(), rendered.size(), &made));
  return made;
}

CK_OBJECT_HANDLE Session::derive(const Mechanism& mechanism, CK_OBJECT_HANDLE base,
                                 const Template& values) const {
  RenderedTemplate rendered(values);
  CK_MECHANISM raw = mechanism.raw();
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check("C_DeriveKey", functions_.C_DeriveKey(handle_, &raw, base, rendered.data(), rendered.size(), &made));
  return made;
}

Bytes Session::encrypt(const Mechanism& mechanism, CK_OBJECT_HANDLE key, const Bytes& data) const {
  CK_MECHANISM raw = mechanism.raw();
  check("C_EncryptInit", functions_.C_EncryptInit(handle_, &raw, key));
  return output("C_Encrypt", [&](CK_BYTE* buffer, CK_ULONG* length) {
    return functions_.C_Encrypt(handle_, writable(data), data.size(), buffer, length);
  });
}

Bytes Session::decrypt(const Mechanism& mechanism, CK_OBJECT_HANDLE key, const Bytes& data) const {
  CK_MECHANISM raw = mechanism.raw();
  check("C_DecryptInit", functions_.C_DecryptInit(handle_, &raw, key));
  return output("C_Decrypt", [&](CK_BYTE* buffer, CK_ULONG* length) {
    return functions_.C_Decrypt(handle_, writable(data), data.size(), buffer, length);
  });
}

Bytes Session::sign(const Mechanism& mechanism, CK_OBJECT_HANDLE key, const Bytes& data) const {
  CK_MECHANISM raw = mechanism.raw();
  check("C_SignInit", functions_.C_SignInit(handle_, &raw, key));
  return output("C_Sign", [&](CK_BYTE* buffer, CK_ULONG* length) {
    return functions_.C_Sign(handle_, writable(data), data.size(), buffer, length);
  });
}

Bytes Session::digestKey(CK_OBJECT_HANDLE key) const {
  CK_MECHANISM raw{CKM_SHA256, nullptr, 0};
  check("C_DigestInit", functions_.C_DigestInit(handle_, &raw));
  check("C_DigestKey", functions_.C_DigestKey(handle_, key));
  return output("C_DigestFinal", [&](CK_BYTE* buffer, CK_ULONG* length) {
    return functions_.C_DigestFinal(handle_, buffer, length);
  });
}

Bytes Session::operationState(const Mechanism& mechanism, CK_OBJECT_HANDLE key) const {
  CK_MECHANISM raw = mechanism.raw();
  check("C_EncryptInit", functions_.C_EncryptInit(handle_, &raw, key));
  return output("C_GetOperationState", [&](CK_BYTE* buffer, CK_ULONG* length) {
    return functions_.C_GetOperationState(handle_, buffer, length);
  });
}

}  // namespace extraction
