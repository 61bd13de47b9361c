/// \file The command line.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "cryptoki.h"

namespace extraction {

struct Arguments {
  std::string library;
  std::string tokenLabel;
  /// CK_C_INITIALIZE_ARGS.pReserved.
  std::string initialization;
  CK_MECHANISM_TYPE keyWrap = CKM_AES_KEY_WRAP_PAD;
  /// CKA_IDs of existing keys; empty if the program prepares the token.
  std::vector<Bytes> keyIds;
  std::set<std::string> without;
  /// Attributes that the module cannot store.
  std::set<std::string> unsupported;
  bool prepares = false;
  /// The wrapping keys are made by the user and not by the officer.
  bool isUserMade = false;
  /// Also those attacks on an existing token that change it for good if they succeed.
  bool allowsHarm = false;
  /// Only print what attacks and attributes there are.
  bool lists = false;
};

/// \throws std::runtime_error with the usage
Arguments parseArguments(const std::vector<std::string>& words);

}  // namespace extraction
