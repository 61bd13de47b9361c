#include "signing.h"

#include <algorithm>

#include "failure.h"

namespace holdfast {
namespace {

/// Room for an RSA signature of 4,096 bits, and more.
constexpr size_t kRoomForSignature = 1024;

bool isZero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

}  // namespace

Bytes sign(Session& session, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type, ByteView data) {
  CK_MECHANISM mechanism{type, nullptr, 0};
  auto& functions = session.functions();
  session.begin(Function::C_SignInit,
                [&](CK_SESSION_HANDLE handle) { return functions.C_SignInit(handle, &mechanism, key); });
  Bytes signature(kRoomForSignature);
  CK_ULONG length = signature.size();
  check(Function::C_Sign,
        functions.C_Sign(session.handle(), pointerFor(data), data.size(), signature.data(), &length));
  if (length == 0 || length > signature.size())
    throw badOutput(Function::C_Sign, "the signature has an impossible length");
  signature.resize(length);
  // Two tokens that wrote nothing would seem to have one key.
  if (isZero(signature)) throw badOutput(Function::C_Sign, "the signature was not written");
  return signature;
}

bool verifies(Session& session, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type, ByteView data,
              ByteView signature) {
  CK_MECHANISM mechanism{type, nullptr, 0};
  auto& functions = session.functions();
  session.begin(Function::C_VerifyInit,
                [&](CK_SESSION_HANDLE handle) { return functions.C_VerifyInit(handle, &mechanism, key); });
  return functions.C_Verify(session.handle(), pointerFor(data), data.size(), pointerFor(signature),
                            signature.size()) == CKR_OK;
}

}  // namespace holdfast
