/// \file From JavaScript: arguments are copied before the call returns. TypeScript has checked them; see
/// src/hsm/native.ts.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

#include "clock.h"
#include "material.h"
#include "members.h"
#include "pool.h"

namespace holdfast {

/// The memory of a Uint8Array as it is: good until the call returns.
[[nodiscard]] ByteView viewOf(const Napi::Value& value);
/// A copy of a Uint8Array that is not secret.
[[nodiscard]] Bytes bytesOf(const Napi::Value& value);
/// A copy that is zeroed when it goes; the array itself stays JavaScript's to zero.
[[nodiscard]] Secret secretOf(const Napi::Value& value);
/// As UTF-8.
[[nodiscard]] std::string stringOf(const Napi::Value& value);
/// Nothing for null; `undefined` never crosses.
[[nodiscard]] std::optional<std::string> stringOrNull(const Napi::Value& value);
/// A whole number of 32 bits: indices and counts.
[[nodiscard]] int intOf(const Napi::Value& value);
/// A whole number that is not negative: lengths, limits, CK_RVs.
[[nodiscard]] size_t sizeOf(const Napi::Value& value);
/// From `NativeMembers`: null, an index, or an array of indices.
[[nodiscard]] Members membersOf(const Napi::Value& value);
/// From absolute milliseconds of `process.hrtime`.
[[nodiscard]] Deadline deadlineOf(const Napi::Value& value);
/// Of a `NativeLock`; nothing for null, and for one that was released.
[[nodiscard]] std::shared_ptr<FileLock> lockOf(const Napi::Value& value);
/// From `NativeModuleOptions`.
[[nodiscard]] ModuleOptions moduleOptionsOf(const Napi::Value& value);
/// From `NativeMemberOptions`.
[[nodiscard]] MemberOptions memberOptionsOf(const Napi::Value& value);
/// From `NativeProfile`; without a maximum the length is unlimited.
[[nodiscard]] Profile profileOf(const Napi::Value& value);
/// CKA_CLASS and CKA_ID.
[[nodiscard]] ObjectIdentity identityOf(const Napi::Value& objectClass, const Napi::Value& id);
/// From `NativeMaterial`.
[[nodiscard]] Material materialOf(const Napi::Value& value);

}  // namespace holdfast
