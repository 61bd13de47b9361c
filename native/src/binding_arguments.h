/// \file Arguments from JavaScript, copied before the call returns. TypeScript has checked them; see
/// src/hsm/native.ts.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

#include "ceremony_opening.h"
#include "clock.h"
#include "cluster_keys.h"
#include "key_kinds.h"
#include "material.h"
#include "members.h"
#include "pool.h"
#include "witness.h"

namespace holdfast {

/// The memory of a Uint8Array itself: valid until the call returns.
[[nodiscard]] ByteView viewOf(const Napi::Value& value);
/// A copy of a Uint8Array that is not secret.
[[nodiscard]] Bytes bytesOf(const Napi::Value& value);
/// A copy of a Uint8Array that is not secret, or nothing for null.
[[nodiscard]] std::optional<Bytes> bytesOrNull(const Napi::Value& value);
/// A copy that is zeroed when it is destroyed. JavaScript has to zero the array itself.
[[nodiscard]] Secret secretOf(const Napi::Value& value);
/// A string, as UTF-8.
[[nodiscard]] std::string stringOf(const Napi::Value& value);
/// A string, or nothing for null; `undefined` never crosses.
[[nodiscard]] std::optional<std::string> stringOrNull(const Napi::Value& value);
/// A whole number of 32 bits: indices and counts.
[[nodiscard]] int intOf(const Napi::Value& value);
/// A whole number that is not negative: lengths, limits, CK_RVs.
[[nodiscard]] size_t sizeOf(const Napi::Value& value);
/// Reads `NativeMembers`: null, an index, or an array of indices.
[[nodiscard]] Members membersOf(const Napi::Value& value);
/// A deadline given in absolute milliseconds of `process.hrtime`.
[[nodiscard]] Deadline deadlineOf(const Napi::Value& value);
/// The lock of a `NativeLock`; nothing for null, or for a lock that was released.
[[nodiscard]] std::shared_ptr<FileLock> lockOf(const Napi::Value& value);
/// Reads `NativeModuleOptions`.
[[nodiscard]] ModuleOptions moduleOptionsOf(const Napi::Value& value);
/// Reads `NativeMemberOptions`.
[[nodiscard]] MemberOptions memberOptionsOf(const Napi::Value& value);
/// Reads `NativeCeremonyMember`.
[[nodiscard]] CeremonyMemberOptions ceremonyMemberOf(const Napi::Value& value);
/// Reads `NativeProfile`; without a maximum the length is unlimited.
[[nodiscard]] Profile profileOf(const Napi::Value& value);
/// The identity made of CKA_CLASS and CKA_ID.
[[nodiscard]] ObjectIdentity identityOf(const Napi::Value& objectClass, const Napi::Value& id);
/// Whether a key may leave its token, wrapped: `extractable`.
[[nodiscard]] Custody custodyOf(const Napi::Value& extractable);
/// The generation made of the cluster's id and its number.
[[nodiscard]] Generation generationOf(const Napi::Value& clusterId, const Napi::Value& number);
/// Reads `NativeWitness`.
[[nodiscard]] Witness witnessOf(const Napi::Value& value);
/// Reads `NativeMaterial`.
[[nodiscard]] Material materialOf(const Napi::Value& value);

}  // namespace holdfast
