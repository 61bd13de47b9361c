#include "cluster_key_check.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "failure.h"
#include "key_wrapping.h"
#include "published_private_key.h"

namespace holdfast {
namespace {

/// Published on purpose, and never used for anything else.
constexpr std::string_view kPublishedKey = "holdfast cluster key check value";
static_assert(kPublishedKey.size() == kClusterKeyLength);

ByteView viewOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

ObjectTemplate publishedKey(WrappingKeyKind kind, const Profile& profile) {
  const bool isPrivateKey = kind == WrappingKeyKind::kPrivateKey;
  ObjectTemplate wanted = isPrivateKey ? publishedPrivateKey() : wrapTemplate(kind);
  if (!isPrivateKey) wanted.bytes(CKA_VALUE, viewOf(kPublishedKey));
  wanted.flags({CKA_TOKEN, CKA_SENSITIVE}, false).flag(CKA_PRIVATE, profile.clusterKeysArePrivate);
  return std::move(wanted.flag(CKA_EXTRACTABLE, true));
}

/// A session object that is destroyed at the end of the scope.
class PublishedKey {
 public:
  PublishedKey(Session& session, WrappingKeyKind kind, const Profile& profile) : session_(session) {
    auto wanted = publishedKey(kind, profile);
    check(Function::C_CreateObject,
          session.functions().C_CreateObject(session.handle(), wanted.data(), wanted.size(), &handle_));
    if (handle_ == CK_INVALID_HANDLE) throw badOutput(Function::C_CreateObject, "the key has no handle");
  }
  PublishedKey(const PublishedKey&) = delete;
  PublishedKey& operator=(const PublishedKey&) = delete;
  ~PublishedKey() { session_.functions().C_DestroyObject(session_.handle(), handle_); }

  CK_OBJECT_HANDLE handle() const { return handle_; }

 private:
  Session& session_;
  CK_OBJECT_HANDLE handle_ = CK_INVALID_HANDLE;
};

Bytes macOf(Session& session, CK_OBJECT_HANDLE key) {
  CK_MECHANISM mechanism{CKM_SHA256_HMAC, nullptr, 0};
  auto& functions = session.functions();
  session.begin(Function::C_SignInit,
                [&](CK_SESSION_HANDLE handle) { return functions.C_SignInit(handle, &mechanism, key); });
  Bytes mac(sizeof(Sha256));
  CK_ULONG length = mac.size();
  const ByteView message = viewOf(kPublishedKey);
  check(Function::C_Sign,
        functions.C_Sign(session.handle(), pointerFor(message), message.size(), mac.data(), &length));
  if (length != mac.size()) throw badOutput(Function::C_Sign, "the MAC has an impossible length");
  if (std::ranges::all_of(mac, [](uint8_t byte) { return byte == 0; }))
    throw badOutput(Function::C_Sign, "the MAC was not written");
  return mac;
}

}  // namespace

Sha256 checkValueOf(Session& session, CK_OBJECT_HANDLE object, const ClusterKey& key,
                    const Profile& profile) {
  if (!key.wraps) return sha256(macOf(session, object));
  const PublishedKey published(session, *key.wraps, profile);
  return sha256(wrapKey(session, {object, profile.keyWrapWithPadding}, published.handle()));
}

}  // namespace holdfast
