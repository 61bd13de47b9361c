/// \file From JavaScript: arguments are copied before the call returns. TypeScript has checked them; see
/// src/hsm/native.ts.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

#include "clock.h"
#include "material.h"
#include "pool.h"

namespace holdfast {

ByteView viewOf(const Napi::Value& value);
Bytes bytesOf(const Napi::Value& value);
Secret secretOf(const Napi::Value& value);
std::string stringOf(const Napi::Value& value);
std::optional<std::string> stringOrNull(const Napi::Value& value);
int intOf(const Napi::Value& value);
size_t sizeOf(const Napi::Value& value);
std::optional<int> memberOrNull(const Napi::Value& value);
Deadline deadlineOf(const Napi::Value& value);
/// Of a `NativeLock`; nothing for null, and for one that was released.
std::shared_ptr<FileLock> lockOf(const Napi::Value& value);
ModuleOptions moduleOptionsOf(const Napi::Value& value);
MemberOptions memberOptionsOf(const Napi::Value& value);
Profile profileOf(const Napi::Value& value);
Material materialOf(const Napi::Value& value);

}  // namespace holdfast
