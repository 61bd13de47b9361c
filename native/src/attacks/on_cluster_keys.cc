#include <algorithm>
#include <optional>

#include "attacks/attack.h"
#include "attacks/attacker_keys.h"
#include "attributes.h"
#include "return_values.h"

namespace holdfast {
namespace {

constexpr size_t kBlock = 16;

bool read(const Scene& scene) { return showsValue(scene, scene.clusterKey()); }

bool copyWithDecrypt(const Scene& scene) {
  return readKeyAttributes(scene.session, copyWith(scene, scene.clusterKey(), {{CKA_DECRYPT, true}})).decrypt;
}

/// If it can be turned on, it can be turned off again: the token stays as it was.
bool turnDecryptOn(const Scene& scene) {
  setFlag(scene, scene.clusterKey(), CKA_DECRYPT, true);
  const bool isOn = readKeyAttributes(scene.session, scene.clusterKey()).decrypt;
  setFlag(scene, scene.clusterKey(), CKA_DECRYPT, false);
  return isOn;
}

bool wrapUnderOwn(const Scene& scene) {
  const auto own = prepared([&] { return generateOwnKey(scene); });
  tryWrap(scene, {scene.profile.keyWrapWithPadding, nullptr, 0}, own, scene.clusterKey());
  return true;
}

/// Tries all; the failure that says least about a rule of the token is thrown.
template <typename Range, typename Try>
bool anySucceeds(const Range& range, const Try& attempt) {
  std::optional<Failure> failed;
  for (const auto& one : range) {
    try {
      attempt(one);
      return true;
    } catch (const Failure& failure) {
      if (!failed || returnValue(failed->rv).forbids) failed = failure;
    }
  }
  if (failed) throw Failure(*failed);
  return false;
}

bool wrapClusterKeys(const Scene& scene) {
  std::vector<CK_OBJECT_HANDLE> keys(scene.clusterKeys.begin(), scene.clusterKeys.end());
  std::erase(keys, CK_INVALID_HANDLE);
  return anySucceeds(keys, [&](CK_OBJECT_HANDLE key) {
    tryWrap(scene, {scene.profile.keyWrapWithPadding, nullptr, 0}, scene.clusterKey(), key);
  });
}

bool wrapOtherKinds(const Scene& scene) {
  std::vector<CK_OBJECT_HANDLE> victims;
  for (const auto kind : kWrappingKeyKinds) {
    if (kind != scene.kind()) victims.push_back(prepared([&] { return makeVictim(scene, kind); }));
  }
  return anySucceeds(victims, [&](CK_OBJECT_HANDLE key) {
    tryWrap(scene, {scene.profile.keyWrapWithPadding, nullptr, 0}, scene.clusterKey(), key);
  });
}

/// CBC is a padding oracle on some tokens, the others have no integrity.
bool wrapByOtherMechanisms(const Scene& scene) {
  const auto key = prepared([&] { return makeVictim(scene, scene.kind()); });
  std::array<uint8_t, kBlock> vector{};
  const std::array mechanisms{CK_MECHANISM{CKM_AES_CBC_PAD, vector.data(), vector.size()},
                              CK_MECHANISM{CKM_AES_CBC, vector.data(), vector.size()},
                              CK_MECHANISM{CKM_AES_ECB, nullptr, 0},
                              CK_MECHANISM{CKM_AES_KEY_WRAP, nullptr, 0}};
  return anySucceeds(mechanisms,
                     [&](const CK_MECHANISM& one) { tryWrap(scene, one, scene.clusterKey(), key); });
}

using Begin = CK_RV (*)(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key);
using Work = CK_RV (*)(CK_SESSION_HANDLE session, CK_BYTE* input, CK_ULONG length, CK_BYTE* output,
                       CK_ULONG* outputLength);

/// The two calls of an operation, which make one block of output out of one block.
struct BlockOperation {
  Function beginning;
  Begin begin;
  Function working;
  Work work;
};

bool works(const Scene& scene, CK_MECHANISM_TYPE type, const BlockOperation& operation) {
  CK_MECHANISM mechanism{type, nullptr, 0};
  check(operation.beginning, operation.begin(scene.session.handle(), &mechanism, scene.clusterKey()));
  std::array<uint8_t, kBlock> input{};
  std::array<uint8_t, 2 * kBlock> output{};
  CK_ULONG length = output.size();
  check(operation.working,
        operation.work(scene.session.handle(), input.data(), input.size(), output.data(), &length));
  return length > 0;
}

bool encrypts(const Scene& scene) {
  const auto& calls = scene.functions();
  return works(scene, CKM_AES_ECB,
               {Function::C_EncryptInit, calls.C_EncryptInit, Function::C_Encrypt, calls.C_Encrypt});
}

bool decrypts(const Scene& scene) {
  const auto& calls = scene.functions();
  return works(scene, CKM_AES_ECB,
               {Function::C_DecryptInit, calls.C_DecryptInit, Function::C_Decrypt, calls.C_Decrypt});
}

bool signs(const Scene& scene) {
  const auto& calls = scene.functions();
  return works(scene, CKM_AES_CMAC, {Function::C_SignInit, calls.C_SignInit, Function::C_Sign, calls.C_Sign});
}

constexpr auto kEachKey = Target::kEachClusterKey;
constexpr auto kEachWrappingKey = Target::kEachWrappingKey;
constexpr std::array kOnClusterKeys{
    Attack{"read-cluster-key", read, kEachKey},
    Attack{"copy-cluster-key-to-decrypt", copyWithDecrypt, kEachKey},
    Attack{"set-cluster-key-to-decrypt", turnDecryptOn, kEachKey},
    Attack{"wrap-cluster-key-under-own-key", wrapUnderOwn, kEachKey},
    Attack{"wrap-cluster-keys", wrapClusterKeys, kEachWrappingKey},
    Attack{"wrap-another-kind", wrapOtherKinds, kEachWrappingKey},
    Attack{"wrap-by-another-mechanism", wrapByOtherMechanisms, kEachWrappingKey},
    Attack{"encrypt-with-cluster-key", encrypts, kEachWrappingKey},
    Attack{"decrypt-with-cluster-key", decrypts, kEachWrappingKey},
    Attack{"sign-with-cluster-key", signs, kEachWrappingKey}};

}  // namespace

std::span<const Attack> attacksOnClusterKeys() { return kOnClusterKeys; }

}  // namespace holdfast
