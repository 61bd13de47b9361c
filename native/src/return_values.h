/// \file THE table of CK_RVs (PKCS#11 v2.40 §5.1 and §5.1.6): nothing else in the product interprets a
/// CK_RV's meaning.
#pragma once

#include <span>

#include "cryptoki.h"

namespace holdfast {

/// One return value and what follows from it.
struct ReturnValue {
  const char* name;
  CK_RV value;
  /// The `ErrorCode` that a caller gets, unless the operation knows better.
  const char* code;
  /// Trying again, on another member, may succeed.
  bool transient;
  /// The session is of no more use: the lane opens another before its next operation.
  bool poisonsSession;
  /// The member is of no more use until it is opened again.
  bool poisonsMember;
  /// Counts for the member's breaker: it says something about the HSM and not about the request.
  bool countsAgainstBreaker;
};

/// Every `CKR_` name of the header, in the header's order, then those of PKCS#11 v3.
std::span<const ReturnValue> returnValues();

/// The row of a value; for one that no row has (vendor-defined), the row of CKR_VENDOR_DEFINED.
const ReturnValue& returnValue(CK_RV value);

/// For messages: the name of its row, CKR_VENDOR_DEFINED for vendors' own codes, or that no standard names
/// it.
const char* nameOf(CK_RV value);

/// May it say that more was asked for at a time than the token gives? The standard has no code for that.
bool maySpeakOfLength(CK_RV value);

/// Does it say that a cached object handle no longer names an object?
bool speaksOfHandle(CK_RV value);

}  // namespace holdfast
