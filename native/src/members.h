/// \file The members that may run a request.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace holdfast {

/// The most members that a pool may have: `Members` has a bit for each.
inline constexpr int kMaxMembers = 64;

/// Selects all admitted members, the admitted members of a set, or one member by name.
class Members {
 public:
  /// Any admitted member, even one that is added later.
  static constexpr Members all() { return {~uint64_t{0}, kNoName}; }
  /// Any admitted member of this set. An index that no member can have counts for nothing.
  static constexpr Members anyOf(std::initializer_list<int> members) {
    Members set{0, kNoName};
    for (const int member : members) set.add(member);
    return set;
  }
  /// This member, even if it is suspended: for probes and other work that no other member can do.
  static constexpr Members only(int member) { return {bitOf(member), member}; }

  /// Adds a member to a set. Must not be called on a member by name.
  constexpr void add(int member) { bits_ |= bitOf(member); }

  [[nodiscard]] constexpr bool has(int member) const { return (bits_ & bitOf(member)) != 0; }
  [[nodiscard]] constexpr bool overlaps(const Members& others) const { return (bits_ & others.bits_) != 0; }
  [[nodiscard]] constexpr bool areAll() const { return *this == all(); }
  [[nodiscard]] constexpr bool isNamed() const { return name_ != kNoName; }
  /// The index of the named member; -1 if none is named, as in `Failure::member`.
  [[nodiscard]] constexpr int name() const { return name_; }

  constexpr bool operator==(const Members&) const = default;

 private:
  static constexpr int kNoName = -1;

  constexpr Members(uint64_t bits, int name) : bits_(bits), name_(name) {}

  static constexpr uint64_t bitOf(int member) {
    return member >= 0 && member < kMaxMembers ? uint64_t{1} << member : 0;
  }

  uint64_t bits_;
  int name_;
};

}  // namespace holdfast
