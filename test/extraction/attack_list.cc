#include "attack.h"

namespace extraction {

const std::set<Kind>& allKinds() {
  static const std::set<Kind> kinds{Kind::kAes, Kind::kGenericSecret, Kind::kPrivate};
  return kinds;
}

std::vector<Attack> allAttacks() {
  std::vector<Attack> all;
  for (const auto& group : {readingAttacks(), settingAttacks(), copyingAttacks(), wrappingAttacks(),
                            trustPlantingAttacks(), unwrappingAttacks(), truncatingAttacks(),
                            forgingAttacks(), derivingAttacks(), paddingOracleAttacks(), otherAttacks()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

}  // namespace extraction
