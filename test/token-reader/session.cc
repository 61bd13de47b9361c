#include "session.h"

#include <dlfcn.h>

#include <array>

namespace reader {
namespace {

std::string describe(const std::string& function, CK_RV rv) {
  return function + " answered " + std::to_string(rv);
}

CK_UTF8CHAR* bytesOf(const std::string& text) {
  return reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(text.data()));
}

}  // namespace

Refused::Refused(const std::string& function, CK_RV answer)
    : std::runtime_error(describe(function, answer)), rv(answer) {}

void check(const char* function, CK_RV rv) {
  if (rv != CKR_OK) throw Refused(function, rv);
}

Session::Session(const char* library, const std::string& label, const std::string& pin) {
  void* const module = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): this program has one thread.
  if (module == nullptr) throw std::runtime_error(dlerror());
  const auto get = reinterpret_cast<CK_RV (*)(CK_FUNCTION_LIST**)>(dlsym(module, "C_GetFunctionList"));
  if (get == nullptr) throw std::runtime_error("no C_GetFunctionList");
  check("C_GetFunctionList", get(&functions_));
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  check("C_Initialize", functions_->C_Initialize(&arguments));
  slot_ = slotOf(label);
  const CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
  check("C_OpenSession", functions_->C_OpenSession(slot_, flags, nullptr, nullptr, &handle_));
  if (!pin.empty()) check("C_Login", functions_->C_Login(handle_, CKU_USER, bytesOf(pin), pin.size()));
}

Session::~Session() { functions_->C_Finalize(nullptr); }

CK_SLOT_ID Session::slotOf(const std::string& label) const {
  std::array<CK_SLOT_ID, 64> slots{};
  CK_ULONG count = slots.size();
  check("C_GetSlotList", functions_->C_GetSlotList(CK_TRUE, slots.data(), &count));
  const std::string padded = label + std::string(sizeof(CK_TOKEN_INFO::label) - label.size(), ' ');
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info{};
    check("C_GetTokenInfo", functions_->C_GetTokenInfo(slots[i], &info));
    if (std::string(reinterpret_cast<char*>(info.label), sizeof info.label) == padded) return slots[i];
  }
  throw std::runtime_error("no token with this label");
}

CK_FLAGS Session::tokenFlags() const {
  CK_TOKEN_INFO info{};
  check("C_GetTokenInfo", functions_->C_GetTokenInfo(slot_, &info));
  return info.flags;
}

std::vector<CK_OBJECT_HANDLE> Session::find(std::vector<CK_ATTRIBUTE> wanted) const {
  check("C_FindObjectsInit", functions_->C_FindObjectsInit(handle_, wanted.data(), wanted.size()));
  std::vector<CK_OBJECT_HANDLE> found;
  for (;;) {
    std::array<CK_OBJECT_HANDLE, 64> some{};
    CK_ULONG count = 0;
    check("C_FindObjects", functions_->C_FindObjects(handle_, some.data(), some.size(), &count));
    if (count == 0) break;
    found.insert(found.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  }
  check("C_FindObjectsFinal", functions_->C_FindObjectsFinal(handle_));
  return found;
}

std::vector<CK_OBJECT_HANDLE> Session::findSecretKeys(std::string id) const {
  CK_OBJECT_CLASS secretKey = CKO_SECRET_KEY;
  return find({{CKA_CLASS, &secretKey, sizeof secretKey}, {CKA_ID, id.data(), id.size()}});
}

}  // namespace reader
