/// \file The attributes of the ceremony that can be left out, to see that an attack then succeeds.
#pragma once

#include <set>
#include <string>

#include "template.h"

namespace extraction {

/// Every name that `without` takes. "key.CKA_SENSITIVE" and the like are attributes of the KMS keys,
/// "wrapping." of the wrapping keys, "unwrap." of their CKA_UNWRAP_TEMPLATE, "carry." of the pair that
/// carries them.
const std::vector<std::string>& switches();

class Preparation {
 public:
  /// \param unsupported attributes that the module cannot store: they are not in any template
  /// \throws std::runtime_error for a name that is not one of `switches()`
  Preparation(std::set<std::string> without, std::set<std::string> unsupported);

  bool has(const std::string& name) const { return !without_.contains(name) && !unsupported_.contains(name); }
  /// `value`, or its opposite if the attribute is to be left out: the modules' defaults differ.
  void flag(Template& values, const std::string& name, CK_ATTRIBUTE_TYPE type, bool value) const;

 private:
  std::set<std::string> without_;
  std::set<std::string> unsupported_;
};

}  // namespace extraction
