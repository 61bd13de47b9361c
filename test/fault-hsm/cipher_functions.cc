#include <algorithm>
#include <vector>

#include "builtin_cipher.h"
#include "forward.h"
#include "lies.h"
#include "special.h"

namespace faulthsm {
namespace {

using Direction = BuiltinCipher::Direction;

/// Flips one bit if the script says so.
CK_RV flipped(CK_RV rv, const std::optional<Decision>& decision, unsigned char* output, CK_ULONG length) {
  const bool told = decision && decision->action == Action::kFlip;
  if (told && rv == CKR_OK && output != nullptr && length > 0) output[length / 2] ^= 1;
  return rv;
}

/// The key of the operation that this thread began last: each session belongs to one thread.
CK_OBJECT_HANDLE& begunHandle() {
  static thread_local CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  return key;
}

bool isBuiltin(const CK_MECHANISM* mechanism) {
  return instance().setting(kBuiltinCipher) != 0 && mechanism != nullptr &&
         mechanism->mechanism == CKM_AES_GCM;
}

template <FunctionNumber Number, auto Member, Direction direction>
CK_RV begin(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key) {
  using Forwarded = Forward<Number, Member, CK_C_EncryptInit>;
  begunHandle() = key;
  return guarded(
      Number, session,
      [&](const auto& decision) {
        if (Lie(decision).is(Action::kGarbage) && mechanism->mechanism == CKM_AES_GCM) {
          const auto& parameters = *static_cast<CK_GCM_PARAMS*>(mechanism->pParameter);
          Lie(decision).aboutBytes(parameters.pIv, parameters.ulIvLen);
        }
        if (Lie(decision).is(Action::kNoContext) && mechanism->mechanism == CKM_AES_GCM)
          static_cast<CK_GCM_PARAMS*>(mechanism->pParameter)->ulAADLen = 0;
        if (!isBuiltin(mechanism)) return Forwarded::forward({session, mechanism, key}, decision);
        if (decision && decision->action == Action::kStaleHandle) device().objects().makeStale(key);
        return builtinCipher().begin(session, direction, *mechanism,
                                     device().objects().identity(key, session));
      },
      [&] { return keyBehind(key, session); });
}

/// Changes a cipher's output as a line of the script orders.
template <FunctionNumber Number>
void tellOfBytes(const std::optional<Decision>& decision, const unsigned char* input, CK_ULONG inputLength,
                 unsigned char* output, CK_ULONG outputLength) {
  static auto* const kept = new KeptOutput;
  const Lie lie(decision);
  if (lie.is(Action::kEcho)) std::copy_n(input, std::min(inputLength, outputLength), output);
  lie.aboutOrder(output, outputLength);
  lie.aboutTurn(output, outputLength, *kept);
}

template <FunctionNumber Number, auto Member, Direction direction>
CK_RV finish(CK_SESSION_HANDLE session, unsigned char* input, CK_ULONG inputLength, unsigned char* output,
             CK_ULONG* outputLength) {
  using Forwarded = Forward<Number, Member, CK_C_Encrypt>;
  return guarded(
      Number, session,
      [&](const auto& decision) {
        // The real output goes elsewhere.
        const bool pretends = Lie(decision).is(Action::kPretend);
        std::vector<unsigned char> elsewhere(pretends ? *outputLength : 0);
        unsigned char* const place = pretends ? elsewhere.data() : output;
        const auto answer =
            builtinCipher().finish(session, direction, input, inputLength, place, outputLength);
        const CK_RV truth =
            answer ? *answer
                   : Forwarded::forward({session, input, inputLength, place, outputLength}, decision);
        const CK_RV rv = Lie(decision).aboutTag(truth, input, inputLength, place, *outputLength);
        if (rv == CKR_OK && place != nullptr)
          tellOfBytes<Number>(decision, input, inputLength, place, *outputLength);
        if (rv == CKR_OK) Lie(decision).aboutLength(*outputLength);
        return flipped(rv, decision, place, *outputLength);
      },
      [&] { return keyBehind(begunHandle(), session); });
}

CK_RV sign(CK_SESSION_HANDLE session, unsigned char* data, CK_ULONG length, unsigned char* signature,
           CK_ULONG* signatureLength) {
  using Forwarded = FAULT_HSM_FORWARD(C_Sign);
  return guarded(kC_Sign, session, [&](const auto& decision) {
    const CK_RV rv = Forwarded::forward({session, data, length, signature, signatureLength}, decision);
    if (rv == CKR_OK) Lie(decision).aboutLength(*signatureLength);
    return flipped(rv, decision, signature, *signatureLength);
  });
}

CK_RV wrapKey(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE wrapping,
              CK_OBJECT_HANDLE key, unsigned char* wrapped, CK_ULONG* wrappedLength) {
  using Forwarded = FAULT_HSM_FORWARD(C_WrapKey);
  return guarded(kC_WrapKey, session, [&](const auto& decision) {
    const CK_RV rv =
        Forwarded::forward({session, mechanism, wrapping, key, wrapped, wrappedLength}, decision);
    if (rv != CKR_OK) return rv;
    Lie(decision).aboutBytes(wrapped, *wrappedLength);
    Lie(decision).aboutLength(*wrappedLength);
    return flipped(rv, decision, wrapped, *wrappedLength);
  });
}

CK_RV generateRandom(CK_SESSION_HANDLE session, unsigned char* output, CK_ULONG length) {
  using Forwarded = FAULT_HSM_FORWARD(C_GenerateRandom);
  return guarded(kC_GenerateRandom, session, [&](const auto& decision) {
    const bool builtin = instance().setting(kBuiltinCipher) != 0;
    const Lie lie(decision);
    if (lie.is(Action::kLimit) && length > lie.number()) return CK_RV(CKR_DATA_LEN_RANGE);
    if (lie.is(Action::kRepeat)) return drawRepeatedly(lie.number(), output, length);
    const CK_RV rv =
        builtin ? drawBuiltinRandom(output, length) : Forwarded::forward({session, output, length}, decision);
    if (lie.is(Action::kEcho)) {
      for (CK_ULONG i = lie.number(); i < length; ++i) output[i] = output[i - lie.number()];
    }
    return flipped(rv, decision, output, length);
  });
}

}  // namespace

void addCipherFunctions(CK_FUNCTION_LIST& list) {
  list.C_EncryptInit = begin<kC_EncryptInit, &CK_FUNCTION_LIST::C_EncryptInit, Direction::kEncrypt>;
  list.C_Encrypt = finish<kC_Encrypt, &CK_FUNCTION_LIST::C_Encrypt, Direction::kEncrypt>;
  list.C_DecryptInit = begin<kC_DecryptInit, &CK_FUNCTION_LIST::C_DecryptInit, Direction::kDecrypt>;
  list.C_Decrypt = finish<kC_Decrypt, &CK_FUNCTION_LIST::C_Decrypt, Direction::kDecrypt>;
  list.C_Sign = sign;
  list.C_WrapKey = wrapKey;
  list.C_GenerateRandom = generateRandom;
}

}  // namespace faulthsm
