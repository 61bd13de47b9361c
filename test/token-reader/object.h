/// \file Objects of a token as JSON, and how to plant keys beside or in place of existing ones.
#pragma once

#include <string>

#include "session.h"

namespace reader {

/// Every attribute that an AES key has, by name; texts and bytes in hex, flags as true or false, numbers as
/// they are. An attribute that the token does not reveal is {"rv": …}.
std::string describeObject(const Session& session, CK_OBJECT_HANDLE object);

/// C_CreateObject of a private AES token key with a known value.
CK_RV plantKey(const Session& session, const std::string& id, const std::string& label,
               const std::string& value);

/// C_GenerateKey: its value is unknown, and all its attributes are like those of one of our keys.
CK_RV generateKey(const Session& session, const std::string& id, const std::string& label);

/// C_SetAttributeValue of one flag.
CK_RV changeFlag(const Session& session, CK_OBJECT_HANDLE object, const std::string& name, bool value);

/// C_CopyObject with one flag of the copy changed.
CK_RV copyWithFlag(const Session& session, CK_OBJECT_HANDLE object, const std::string& name, bool value);

}  // namespace reader
