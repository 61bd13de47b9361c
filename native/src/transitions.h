/// \file A table of transitions: state × event → the next state, or a refusal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace holdfast {

/// Rows and columns are in the order of the enumerations, and so are the names.
template <typename State, typename Event, size_t kStates, size_t kEvents>
struct TransitionTable {
  /// Names what has these states: a lane or a member.
  const char* subject;
  std::array<const char*, kStates> states;
  std::array<const char*, kEvents> events;
  std::array<std::array<std::optional<State>, kEvents>, kStates> rows;

  /// The state afterwards; nothing if the state does not allow the event.
  [[nodiscard]] std::optional<State> next(State state, Event event) const {
    return rows.at(static_cast<size_t>(state)).at(static_cast<size_t>(event));
  }

  /// Changes the state. An event that the state does not allow is a defect in Holdfast and ends the process,
  /// in a release too (native/README.md says why).
  void advance(State& state, Event event) const {
    const auto after = next(state, event);
    if (!after) {
      (void)std::fprintf(stderr, "holdfast: a %s that is %s does not allow the event \"%s\"\n", subject,
                         states.at(static_cast<size_t>(state)), events.at(static_cast<size_t>(event)));
      std::abort();
    }
    state = *after;
  }
};

}  // namespace holdfast
