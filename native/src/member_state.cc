#include "member_state.h"

namespace holdfast {
namespace {

using Next = std::optional<MemberState>;

constexpr Next kRefused = std::nullopt;
constexpr Next kSuspended = MemberState::kSuspended;
constexpr Next kAdmitted = MemberState::kAdmitted;
constexpr Next kSuspected = MemberState::kSuspected;
constexpr Next kClosing = MemberState::kClosing;
constexpr Next kDraining = MemberState::kDraining;

}  // namespace

// A closing member is not resumed, suspended or closed again: the caller gets `closed` first. A pool may
// close twice.
// test/docs/drawings.test.ts reads the rows.
// clang-format off
constexpr MemberTransitions memberTransitions{
    "member",
    {"suspended", "admitted", "suspected", "closing", "draining"},
    {"resume", "suspend", "hang", "succeed", "close", "close pool"},
    {{
        //              resume     suspend     hang        succeed     close     close pool
        /* suspended */ {kAdmitted, kSuspended, kSuspended, kSuspended, kClosing, kClosing},
        /* admitted  */ {kAdmitted, kSuspended, kSuspected, kAdmitted,  kClosing, kDraining},
        /* suspected */ {kAdmitted, kSuspended, kSuspected, kAdmitted,  kClosing, kDraining},
        /* closing   */ {kRefused,  kRefused,   kClosing,   kClosing,   kRefused, kClosing},
        /* draining  */ {kRefused,  kRefused,   kDraining,  kDraining,  kRefused, kDraining},
    }}};
// clang-format on

}  // namespace holdfast
