/// \file An attack, and the table of all of them.
#pragma once

#include <set>

#include "scene.h"

namespace extraction {

/// What an attack gained whose every call was answered CKR_OK.
enum class Gain {
  kNothing,
  /// A key did something that its attributes forbid.
  kMisuse,
  /// Bytes that were proved to be the key.
  kKey
};

struct Attack {
  const char* name;
  /// In one line, for the table.
  const char* about;
  /// \throws Refused, Invisible: a defence that held; NotTried
  Gain (*run)(const Scene& scene);
  std::set<Kind> kinds = {Kind::kAes};
  /// If it succeeds, it leaves the token changed in a way that cannot be undone.
  bool isHarmful = false;
  /// What the holder of the PIN may do by right.
  bool onlyWithoutPin = false;
};

const std::set<Kind>& allKinds();

inline Gain keyIf(bool found) { return found ? Gain::kKey : Gain::kNothing; }
inline Gain misuseIf(bool found) { return found ? Gain::kMisuse : Gain::kNothing; }

std::vector<Attack> copyingAttacks();
std::vector<Attack> derivingAttacks();
std::vector<Attack> forgingAttacks();
std::vector<Attack> otherAttacks();
std::vector<Attack> paddingOracleAttacks();
std::vector<Attack> trustPlantingAttacks();
std::vector<Attack> readingAttacks();
std::vector<Attack> settingAttacks();
std::vector<Attack> truncatingAttacks();
std::vector<Attack> unwrappingAttacks();
std::vector<Attack> wrappingAttacks();

std::vector<Attack> allAttacks();

}  // namespace extraction
