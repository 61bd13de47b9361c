#include "preparation.h"

#include <algorithm>
#include <stdexcept>

namespace extraction {

const std::vector<std::string>& switches() {
  static const std::vector<std::string> names{
      "key.CKA_PRIVATE",
      "key.CKA_SENSITIVE",
      "key.CKA_WRAP_WITH_TRUSTED",
      "key.CKA_WRAP",
      "key.CKA_SIGN",
      "key.CKA_DERIVE",
      "key.CKA_ALLOWED_MECHANISMS",
      "key.CKA_COPYABLE",
      "key.CKA_MODIFIABLE",
      "wrapping.CKA_SENSITIVE",
      "wrapping.CKA_EXTRACTABLE",
      "wrapping.CKA_ENCRYPT",
      "wrapping.CKA_DECRYPT",
      "wrapping.CKA_SIGN",
      "wrapping.CKA_DERIVE",
      "wrapping.CKA_COPYABLE",
      "wrapping.CKA_MODIFIABLE",
      "wrapping.CKA_ALLOWED_MECHANISMS",
      "wrapping.CKA_WRAP_TEMPLATE",
      "wrapping.CKA_UNWRAP_TEMPLATE",
      "unwrap.CKA_CLASS",
      "unwrap.CKA_KEY_TYPE",
      "unwrap.CKA_PRIVATE",
      "unwrap.CKA_SENSITIVE",
      "unwrap.CKA_WRAP_WITH_TRUSTED",
      "unwrap.CKA_WRAP",
      "unwrap.CKA_UNWRAP",
      "unwrap.CKA_DERIVE",
      "carry.CKA_TOKEN",
      "carry.CKA_DECRYPT",
  };
  return names;
}

Preparation::Preparation(std::set<std::string> without, std::set<std::string> unsupported)
    : without_(std::move(without)), unsupported_(std::move(unsupported)) {
  for (const auto& names : {without_, unsupported_}) {
    for (const auto& name : names) {
      if (std::find(switches().begin(), switches().end(), name) != switches().end()) continue;
      throw std::runtime_error("there is no attribute " + name + ": see --list");
    }
  }
}

void Preparation::flag(Template& values, const std::string& name, CK_ATTRIBUTE_TYPE type, bool value) const {
  if (!unsupported_.contains(name)) values.flag(type, without_.contains(name) ? !value : value);
}

}  // namespace extraction
