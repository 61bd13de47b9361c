/// The throughput of a token for one thread that does nothing else: C_EncryptInit and C_Encrypt (AES-GCM) in
/// a loop.
///
///     raw-ceiling <library> <token label> encrypt|random-encrypt <seconds> <plaintext bytes> <AAD bytes> <
///     PIN
///
/// Makes a key with the attributes of the service's keys, measures with a fixed nonce and with one that the
/// token draws for each encryption, destroys the key, and prints one JSON object on stdout.
#include <dlfcn.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kNonceLength = 12;
constexpr size_t kTagLength = 16;

void check(const char* function, CK_RV rv) {
  if (rv == CKR_OK) return;
  char text[64];
  static_cast<void>(std::snprintf(text, sizeof text, "%s: 0x%lx", function, rv));
  throw std::runtime_error(text);
}

CK_FUNCTION_LIST* load(const char* path) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  auto* const get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  if (get == nullptr) throw std::runtime_error("C_GetFunctionList is missing");
  CK_FUNCTION_LIST* functions = nullptr;
  check("C_GetFunctionList", get(&functions));
  return functions;
}

CK_SLOT_ID slotOf(CK_FUNCTION_LIST& functions, const std::string& label) {
  CK_ULONG count = 0;
  check("C_GetSlotList", functions.C_GetSlotList(CK_TRUE, nullptr, &count));
  std::vector<CK_SLOT_ID> slots(count);
  check("C_GetSlotList", functions.C_GetSlotList(CK_TRUE, slots.data(), &count));
  for (const auto slot : slots) {
    CK_TOKEN_INFO info{};
    check("C_GetTokenInfo", functions.C_GetTokenInfo(slot, &info));
    std::string found(reinterpret_cast<const char*>(info.label), sizeof info.label);
    found.erase(found.find_last_not_of(' ') + 1);
    if (found == label) return slot;
  }
  throw std::runtime_error("no token is labelled " + label);
}

template <typename T>
CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, T& value) {
  return {type, &value, sizeof value};
}

/// Makes a key with the attributes that native/src/operations/generate_key.cc sets.
CK_OBJECT_HANDLE generateKey(CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session) {
  CK_BBOOL yes = CK_TRUE;
  CK_BBOOL no = CK_FALSE;
  CK_ULONG length = 32;
  char label[] = "raw ceiling";
  CK_ATTRIBUTE attributes[] = {
      attribute(CKA_TOKEN, yes),        attribute(CKA_PRIVATE, yes),          attribute(CKA_SENSITIVE, yes),
      attribute(CKA_EXTRACTABLE, no),   attribute(CKA_ENCRYPT, yes),          attribute(CKA_DECRYPT, yes),
      attribute(CKA_VALUE_LEN, length), {CKA_LABEL, label, sizeof label - 1},
  };
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  CK_OBJECT_HANDLE key = 0;
  check("C_GenerateKey",
        functions.C_GenerateKey(session, &mechanism, attributes, std::size(attributes), &key));
  return key;
}

double cpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Loop {
  CK_FUNCTION_LIST& functions;
  CK_SESSION_HANDLE session;
  CK_OBJECT_HANDLE key;
  std::vector<CK_BYTE> plaintext;
  std::vector<CK_BYTE> additionalData;
  CK_BYTE nonce[kNonceLength] = {};

  void encryptOnce(bool drawNonce) {
    if (drawNonce) check("C_GenerateRandom", functions.C_GenerateRandom(session, nonce, sizeof nonce));
    CK_GCM_PARAMS parameters{};
    parameters.pIv = nonce;
    parameters.ulIvLen = sizeof nonce;
    parameters.ulIvBits = sizeof nonce * 8;
    parameters.pAAD = additionalData.data();
    parameters.ulAADLen = additionalData.size();
    parameters.ulTagBits = kTagLength * 8;
    CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof parameters};
    check("C_EncryptInit", functions.C_EncryptInit(session, &mechanism, key));
    std::vector<CK_BYTE> ciphertext(plaintext.size() + kTagLength);
    CK_ULONG length = ciphertext.size();
    check("C_Encrypt",
          functions.C_Encrypt(session, plaintext.data(), plaintext.size(), ciphertext.data(), &length));
  }

  void measure(bool drawNonce, double seconds) {
    const auto warm = SteadyClock::now() + std::chrono::duration<double>(seconds / 10);
    while (SteadyClock::now() < warm) encryptOnce(drawNonce);
    std::vector<double> latenciesMs;
    const double cpuBefore = cpuSeconds();
    const auto start = SteadyClock::now();
    const auto end = start + std::chrono::duration<double>(seconds);
    auto before = start;
    while (before < end) {
      encryptOnce(drawNonce);
      const auto after = SteadyClock::now();
      latenciesMs.push_back(std::chrono::duration<double, std::milli>(after - before).count());
      before = after;
    }
    const double elapsed = std::chrono::duration<double>(before - start).count();
    const double cpu = cpuSeconds() - cpuBefore;
    const auto count = latenciesMs.size();
    std::ranges::sort(latenciesMs);
    const auto percentile = [&](double share) {
      return latenciesMs[std::min(count - 1, static_cast<size_t>(share * static_cast<double>(count)))];
    };
    std::printf(R"({"rps":%.1f,"cpuMicrosPerRequest":%.3f,"latencyMs":{"p50":%.5f,"p99":%.5f}})",
                static_cast<double>(count) / elapsed, cpu * 1e6 / static_cast<double>(count), percentile(0.5),
                percentile(0.99));
  }
};

void run(char** arguments) {
  auto& functions = *load(arguments[1]);
  const std::string mode = arguments[3];
  if (mode != "encrypt" && mode != "random-encrypt") throw std::runtime_error("no such mode: " + mode);
  const double seconds = std::stod(arguments[4]);
  std::string pin;
  std::getline(std::cin, pin);
  CK_C_INITIALIZE_ARGS initialize{};
  initialize.flags = CKF_OS_LOCKING_OK;
  check("C_Initialize", functions.C_Initialize(&initialize));
  const CK_SLOT_ID slot = slotOf(functions, arguments[2]);
  CK_SESSION_HANDLE session = 0;
  check("C_OpenSession",
        functions.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session));
  check("C_Login", functions.C_Login(session, CKU_USER, reinterpret_cast<CK_BYTE*>(pin.data()), pin.size()));
  const CK_OBJECT_HANDLE key = generateKey(functions, session);
  Loop loop{functions, session, key, std::vector<CK_BYTE>(std::stoul(arguments[5]), 0x61),
            std::vector<CK_BYTE>(std::stoul(arguments[6]), 0x62)};
  loop.measure(mode == "random-encrypt", seconds);
  check("C_DestroyObject", functions.C_DestroyObject(session, key));
  check("C_Finalize", functions.C_Finalize(nullptr));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 7) {
    static_cast<void>(std::fprintf(
        stderr,
        "usage: raw-ceiling <library> <token label> encrypt|random-encrypt <seconds> <plaintext bytes> "
        "<AAD bytes> < PIN\n"));
    return 2;
  }
  try {
    run(arguments);
    return 0;
  } catch (const std::exception& error) {
    static_cast<void>(std::fprintf(stderr, "raw-ceiling: %s\n", error.what()));
    return 1;
  }
}
