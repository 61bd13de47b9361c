/// \file Signatures and MACs of a token's key (PKCS#11 v2.40 §5.11, §5.12): for proofs of what a key is.
#pragma once

#include "bytes.h"
#include "session.h"

namespace holdfast {

/// C_SignInit and C_Sign: a signature, or a MAC. The mechanism has no parameter. Throws `bad-output` for an
/// output that is none.
[[nodiscard]] Bytes sign(Session& session, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type, ByteView data);

/// Whether C_Verify accepts the signature. Throws for a failure of C_VerifyInit, which says nothing of the
/// signature.
[[nodiscard]] bool verifies(Session& session, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type, ByteView data,
                            ByteView signature);

}  // namespace holdfast
