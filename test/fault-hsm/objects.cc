#include "objects.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "real_module.h"

namespace faulthsm {
namespace {

/// Class, then CKA_ID.
std::string readIdentity(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  CK_OBJECT_CLASS type = 0;
  std::array<char, 256> id{};
  std::array<CK_ATTRIBUTE, 2> wanted{{{CKA_CLASS, &type, sizeof type}, {CKA_ID, id.data(), id.size()}}};
  CK_FUNCTION_LIST* const real = loadRealModule();
  if (real == nullptr || real->C_GetAttributeValue(session, object, wanted.data(), wanted.size()) != CKR_OK)
    return "";
  std::string identity(sizeof type, '\0');
  std::memcpy(identity.data(), &type, sizeof type);
  return identity.append(id.data(), wanted[1].ulValueLen);
}

CK_OBJECT_HANDLE find(CK_SESSION_HANDLE session, const std::string& identity) {
  CK_OBJECT_CLASS type = 0;
  std::memcpy(&type, identity.data(), sizeof type);
  std::string id = identity.substr(sizeof type);
  std::array<CK_ATTRIBUTE, 2> wanted{{{CKA_CLASS, &type, sizeof type}, {CKA_ID, id.data(), id.size()}}};
  CK_FUNCTION_LIST* const real = loadRealModule();
  if (real == nullptr || real->C_FindObjectsInit(session, wanted.data(), wanted.size()) != CKR_OK) return 0;
  CK_OBJECT_HANDLE found = 0;
  CK_ULONG count = 0;
  real->C_FindObjects(session, &found, 1, &count);
  real->C_FindObjectsFinal(session);
  return count == 1 ? found : 0;
}

}  // namespace

void Objects::begin(bool renumber) {
  const std::lock_guard lock(mutex_);
  shownByReal_.clear();
  stale_.clear();
  for (auto& [shown, object] : objects_) object.real = 0;
  std::erase_if(objects_,
                [renumber](const auto& entry) { return !renumber || entry.second.identity.empty(); });
  rotateLocked();
}

CK_OBJECT_HANDLE Objects::shown(CK_OBJECT_HANDLE real, CK_SESSION_HANDLE session, bool identify) {
  const std::lock_guard lock(mutex_);
  const auto known = shownByReal_.find(real);
  if (known != shownByReal_.end()) return known->second;
  const std::string identity = identify ? readIdentity(session, real) : "";
  const auto remembered = std::ranges::find_if(objects_, [&identity](const auto& entry) {
    return !identity.empty() && entry.second.real == 0 && entry.second.identity == identity;
  });
  const CK_OBJECT_HANDLE shown = remembered == objects_.end() ? freeHandle(real) : remembered->first;
  objects_[shown] = {real, identity};
  shownByReal_[real] = shown;
  return shown;
}

CK_OBJECT_HANDLE Objects::freeHandle(CK_OBJECT_HANDLE real) {
  return objects_.contains(real) || stale_.contains(real) ? ++lastFree_ : real;
}

std::optional<CK_OBJECT_HANDLE> Objects::real(CK_OBJECT_HANDLE shown, CK_SESSION_HANDLE session) {
  const std::lock_guard lock(mutex_);
  if (stale_.contains(shown)) return std::nullopt;
  const auto known = objects_.find(shown);
  if (known == objects_.end()) return shown;
  Object& object = known->second;
  if (object.real != 0) return object.real;
  object.real = find(session, object.identity);
  if (object.real == 0) return std::nullopt;
  shownByReal_[object.real] = shown;
  return object.real;
}

std::string Objects::identity(CK_OBJECT_HANDLE shown, CK_SESSION_HANDLE session) {
  const auto behind = real(shown, session);
  if (!behind) return "";
  const std::lock_guard lock(mutex_);
  // Another thread has made the handle stale meanwhile. If it were valid again, every later search would
  // return it.
  if (stale_.contains(shown)) return "";
  Object& object = objects_[shown];
  if (object.real == 0) {
    object.real = *behind;
    shownByReal_[*behind] = shown;
  }
  if (object.identity.empty()) object.identity = readIdentity(session, *behind);
  return object.identity;
}

void Objects::forget(CK_OBJECT_HANDLE shown) {
  const auto known = objects_.find(shown);
  if (known == objects_.end()) return;
  shownByReal_.erase(known->second.real);
  objects_.erase(known);
}

void Objects::destroyed(CK_OBJECT_HANDLE shown) {
  const std::lock_guard lock(mutex_);
  forget(shown);
}

void Objects::makeStale(CK_OBJECT_HANDLE shown) {
  const std::lock_guard lock(mutex_);
  forget(shown);
  stale_.insert(shown);
}

void Objects::rotate() {
  const std::lock_guard lock(mutex_);
  rotateLocked();
}

void Objects::rotateLocked() {
  std::vector<Object> behind;
  for (auto& [shown, object] : objects_) behind.push_back(std::move(object));
  if (behind.empty()) return;
  // Not std::ranges::rotate: clang-tidy 14 cannot parse GCC's return type.
  std::rotate(behind.begin(), behind.begin() + 1, behind.end());
  shownByReal_.clear();
  auto next = behind.begin();
  for (auto& [shown, object] : objects_) {
    object = std::move(*next++);
    if (object.real != 0) shownByReal_[object.real] = shown;
  }
}

CK_OBJECT_HANDLE Objects::another(CK_OBJECT_HANDLE shown) const {
  const std::lock_guard lock(mutex_);
  const auto invalid = shown ^ 0x20000000;
  if (objects_.size() < 2) return invalid;
  auto next = objects_.upper_bound(shown);
  if (next == objects_.end()) next = objects_.begin();
  return next->first;
}

}  // namespace faulthsm
