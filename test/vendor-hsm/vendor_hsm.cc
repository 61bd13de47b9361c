/// \file A PKCS#11 module in front of SoftHSM that behaves as AWS documents for CloudHSM: it gives CloudHSM's
/// name in C_GetInfo, makes the nonces of AES-GCM itself (and insists on zeroed ones), takes 16,224 bytes at
/// a time, and answers CKR_FUNCTION_FAILED for a wrong tag. It also limits sessions, as most devices do and
/// SoftHSM does not.
///
/// Environment, read at C_Initialize: HOLDFAST_VENDOR_MODULE (the real library), HOLDFAST_VENDOR_NONCE=none
/// (it forgets to make nonces), HOLDFAST_VENDOR_SESSIONS (a file with the maximum number of sessions, read at
/// each C_OpenSession), HOLDFAST_VENDOR_ANNOUNCES=1 (C_GetTokenInfo reports that number).
#include <dlfcn.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#define CRYPTOKI_COMPAT 1
#include "../fault-hsm/load_flags.h"
#include "pkcs11.h"

namespace {

constexpr CK_ULONG kNonceLength = 12;
constexpr CK_ULONG kMostPlaintext = 16'224;

using Nonce = std::array<CK_BYTE, kNonceLength>;

/// Where to write the nonce once a session's encryption is done.
struct PendingNonce {
  CK_BYTE* target = nullptr;
  Nonce nonce{};
};

struct Device {
  std::mutex mutex;
  CK_FUNCTION_LIST* real = nullptr;
  bool makesNonces = true;
  bool announces = false;
  std::string sessionsFile;
  CK_ULONG sessions = 0;
  std::map<CK_SESSION_HANDLE, PendingNonce> pending;
};

Device& device() {
  static Device instance;
  return instance;
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

CK_FUNCTION_LIST* load(const std::string& path) {
  void* const handle = dlopen(path.c_str(), faulthsm::loadFlags());
  if (handle == nullptr) return nullptr;
  const auto get = reinterpret_cast<CK_RV (*)(CK_FUNCTION_LIST**)>(dlsym(handle, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  return get != nullptr && get(&functions) == CKR_OK ? functions : nullptr;
}

CK_ULONG mostSessions(const Device& state) {
  CK_ULONG most = std::numeric_limits<CK_ULONG>::max();
  std::ifstream(state.sessionsFile) >> most;
  return most;
}

template <size_t N>
void fill(CK_UTF8CHAR (&field)[N], std::string_view text) {
  std::fill(std::begin(field), std::end(field), ' ');
  std::copy(text.begin(), text.end(), std::begin(field));
}

CK_FUNCTION_LIST& ownList() {
  static CK_FUNCTION_LIST instance{};
  return instance;
}

void forwardTo(const CK_FUNCTION_LIST& real, CK_FUNCTION_LIST& list);

CK_RV initialize(void* arguments) {
  auto& state = device();
  const std::lock_guard lock(state.mutex);
  if (state.real == nullptr) state.real = load(variable("HOLDFAST_VENDOR_MODULE"));
  state.makesNonces = variable("HOLDFAST_VENDOR_NONCE") != "none";
  state.announces = variable("HOLDFAST_VENDOR_ANNOUNCES") == "1";
  state.sessionsFile = variable("HOLDFAST_VENDOR_SESSIONS");
  state.sessions = 0;
  if (state.real == nullptr) return CKR_LIBRARY_LOAD_FAILED;
  forwardTo(*state.real, ownList());
  return state.real->C_Initialize(arguments);
}

CK_RV getInfo(CK_INFO* info) {
  const CK_RV rv = device().real->C_GetInfo(info);
  fill(info->manufacturerID, "CloudHSM stand-in");
  fill(info->libraryDescription, "SoftHSM behind a test module");
  return rv;
}

CK_RV getTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  auto& state = device();
  const CK_RV rv = state.real->C_GetTokenInfo(slot, info);
  fill(info->manufacturerID, "CloudHSM stand-in");
  const std::lock_guard lock(state.mutex);
  if (rv != CKR_OK || !state.announces) return rv;
  info->ulMaxSessionCount = mostSessions(state);
  info->ulSessionCount = state.sessions;
  return rv;
}

CK_RV openSession(CK_SLOT_ID slot, CK_FLAGS flags, void* application, CK_NOTIFY notify,
                  CK_SESSION_HANDLE* session) {
  auto& state = device();
  const std::lock_guard lock(state.mutex);
  if (state.sessions >= mostSessions(state)) return CKR_SESSION_COUNT;
  const CK_RV rv = state.real->C_OpenSession(slot, flags, application, notify, session);
  if (rv == CKR_OK) ++state.sessions;
  return rv;
}

CK_RV closeSession(CK_SESSION_HANDLE session) {
  auto& state = device();
  const std::lock_guard lock(state.mutex);
  const CK_RV rv = state.real->C_CloseSession(session);
  if (rv == CKR_OK) --state.sessions;
  return rv;
}

CK_RV encryptInit(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key) {
  auto& state = device();
  if (mechanism->mechanism != CKM_AES_GCM) return state.real->C_EncryptInit(session, mechanism, key);
  auto parameters = *static_cast<CK_GCM_PARAMS*>(mechanism->pParameter);
  const bool zeroed =
      parameters.ulIvLen == kNonceLength &&
      std::all_of(parameters.pIv, parameters.pIv + kNonceLength, [](CK_BYTE byte) { return byte == 0; });
  if (!zeroed) return CKR_MECHANISM_PARAM_INVALID;
  PendingNonce pending{parameters.pIv, {}};
  if (state.makesNonces && getrandom(pending.nonce.data(), kNonceLength, 0) != kNonceLength)
    return CKR_DEVICE_ERROR;
  parameters.pIv = pending.nonce.data();
  CK_MECHANISM own{CKM_AES_GCM, &parameters, sizeof parameters};
  const CK_RV rv = state.real->C_EncryptInit(session, &own, key);
  const std::lock_guard lock(state.mutex);
  if (rv == CKR_OK) state.pending[session] = pending;
  return rv;
}

CK_RV encrypt(CK_SESSION_HANDLE session, CK_BYTE* data, CK_ULONG length, CK_BYTE* encrypted,
              CK_ULONG* encryptedLength) {
  auto& state = device();
  if (length > kMostPlaintext) return CKR_DATA_LEN_RANGE;
  const CK_RV rv = state.real->C_Encrypt(session, data, length, encrypted, encryptedLength);
  const std::lock_guard lock(state.mutex);
  const auto found = state.pending.find(session);
  if (rv != CKR_OK || found == state.pending.end()) return rv;
  std::memcpy(found->second.target, found->second.nonce.data(), kNonceLength);
  state.pending.erase(found);
  return rv;
}

CK_RV decrypt(CK_SESSION_HANDLE session, CK_BYTE* encrypted, CK_ULONG length, CK_BYTE* data,
              CK_ULONG* dataLength) {
  const CK_RV rv = device().real->C_Decrypt(session, encrypted, length, data, dataLength);
  return rv == CKR_GENERAL_ERROR ? CKR_FUNCTION_FAILED : rv;
}

/// Functions not overridden go straight to SoftHSM, from C_Initialize on: only then is its path known.
void forwardTo(const CK_FUNCTION_LIST& real, CK_FUNCTION_LIST& list) {
  list = real;
  list.C_GetFunctionList = C_GetFunctionList;
  list.C_Initialize = initialize;
  list.C_GetInfo = getInfo;
  list.C_GetTokenInfo = getTokenInfo;
  list.C_OpenSession = openSession;
  list.C_CloseSession = closeSession;
  list.C_EncryptInit = encryptInit;
  list.C_Encrypt = encrypt;
  list.C_Decrypt = decrypt;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  ownList().C_Initialize = initialize;
  *list = &ownList();
  return CKR_OK;
}
