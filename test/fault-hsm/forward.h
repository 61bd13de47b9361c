/// \file The path of a call: it is counted, delayed and perhaps refused; then its handles are translated, and
/// it is forwarded.
#pragma once

#include <string>
#include <tuple>
#include <utility>

#include "device.h"
#include "real_module.h"

namespace faulthsm {

inline std::string noKey() { return ""; }

/// The CKA_ID of the object behind a handle.
inline std::string keyBehind(CK_OBJECT_HANDLE handle, CK_SESSION_HANDLE session) {
  const std::string identity = device().objects().identity(handle, session);
  return identity.size() > sizeof(CK_OBJECT_CLASS) ? identity.substr(sizeof(CK_OBJECT_CLASS)) : "";
}

/// The CKA_ID of a template.
inline std::string keyIn(const CK_ATTRIBUTE* attributes, CK_ULONG count) {
  for (CK_ULONG i = 0; i < count; ++i) {
    if (attributes[i].type == CKA_ID && attributes[i].pValue != nullptr)
      return {static_cast<const char*>(attributes[i].pValue), attributes[i].ulValueLen};
  }
  return "";
}

/// Asks the script and the device, then calls `work` with the script's decision (or none), unless one of them
/// gave an answer. A function that ends an operation is always called, or the session would be left
/// inside it.
template <typename Work>
CK_RV guarded(FunctionNumber function, CK_ULONG first, const Work& work, const KeyOfCall& key = noKey) {
  TracedCall call(function, has(function, kSession) ? first : 0);
  const auto decision = instance().meet(function, call.released(), key);
  if (decision) device().obey(*decision);
  if (decision && decision->action == Action::kDie) dieIn(decision->value);
  const bool pretends = decision && decision->action == Action::kPretend;
  if (pretends && !has(function, kPutsOut)) return call.answer(CKR_OK);
  if (decision && decision->action == Action::kLeaveOpen) return call.answer(*decision->value);
  const bool told = decision && decision->action == Action::kAnswer;
  const auto answer = told ? std::optional<CK_RV>(decision->value) : device().refuse(function, first);
  if (answer && !has(function, kEndsOperation)) return call.answer(*answer);
  const CK_RV rv = work(decision);
  if (decision && decision->action == Action::kDieAfter) dieNow();
  return call.answer(answer.value_or(rv));
}

constexpr bool bit(unsigned mask, size_t index) { return ((mask >> index) & 1U) != 0; }

inline CK_RV invalidHandle(FunctionNumber function) {
  return has(function, kUsesKey) ? CKR_KEY_HANDLE_INVALID : CKR_OBJECT_HANDLE_INVALID;
}

/// Puts the real handle in place of the one that was given out. False if that is no longer valid.
inline bool translate(CK_OBJECT_HANDLE& handle, CK_SESSION_HANDLE session,
                      const std::optional<Decision>& decision) {
  if (decision && decision->action == Action::kStaleHandle) device().objects().makeStale(handle);
  const auto real = device().objects().real(handle, session);
  if (real) handle = *real;
  return real.has_value();
}

/// Carries out a function that needs nothing but its row in the table. `Member` is its place in the list of
/// functions.
template <FunctionNumber Number, auto Member, typename Function>
struct Forward;

template <FunctionNumber Number, auto Member, typename... Parameters>
struct Forward<Number, Member, CK_RV (*)(Parameters...)> {
  static constexpr Function kRow = kFunctions[Number];
  using Arguments = std::tuple<Parameters...>;

  static CK_RV call(Parameters... parameters) {
    const Arguments arguments(parameters...);
    return guarded(
        Number, firstOf(arguments),
        [&arguments](const auto& decision) { return forward(arguments, decision); },
        [&arguments] { return keyOf(arguments, std::index_sequence_for<Parameters...>{}); });
  }

  static CK_RV forward(Arguments arguments, const std::optional<Decision>& decision) {
    CK_FUNCTION_LIST* const real = loadRealModule();
    if (real == nullptr) return CKR_CRYPTOKI_NOT_INITIALIZED;
    constexpr auto all = std::index_sequence_for<Parameters...>{};
    if (!translateAll(arguments, decision, all)) return invalidHandle(Number);
    if constexpr (has(Number, kSlot)) std::get<0>(arguments) = device().realSlot(std::get<0>(arguments));
    const CK_RV rv = std::apply([real](auto... given) { return (real->*Member)(given...); }, arguments);
    if (rv == CKR_OK) showAll(arguments, all);
    return rv;
  }

 private:
  /// The CKA_ID behind the first parameter that is an object's handle.
  template <size_t... Index>
  static std::string keyOf(const Arguments& arguments, std::index_sequence<Index...> /*indices*/) {
    std::string key;
    const auto look = [&]<size_t At>() {
      if constexpr (bit(kRow.handles, At)) {
        if (key.empty()) key = keyBehind(std::get<At>(arguments), firstOf(arguments));
      }
    };
    (look.template operator()<Index>(), ...);
    return key;
  }

  static CK_ULONG firstOf(const Arguments& arguments) {
    if constexpr (has(Number, kSession | kSlot)) return std::get<0>(arguments);
    return 0;
  }

  template <size_t... Index>
  static bool translateAll(Arguments& arguments, const std::optional<Decision>& decision,
                           std::index_sequence<Index...> /*indices*/) {
    return (translateOne<Index>(arguments, decision) && ...);
  }

  template <size_t Index>
  static bool translateOne(Arguments& arguments, const std::optional<Decision>& decision) {
    if constexpr (bit(kRow.handles, Index))
      return translate(std::get<Index>(arguments), firstOf(arguments), decision);
    return true;
  }

  template <size_t... Index>
  static void showAll(const Arguments& arguments, std::index_sequence<Index...> /*indices*/) {
    (showOne<Index>(arguments), ...);
  }

  template <size_t Index>
  static void showOne(const Arguments& arguments) {
    if constexpr (bit(kRow.made, Index)) {
      CK_OBJECT_HANDLE* const made = std::get<Index>(arguments);
      *made = device().objects().shown(*made, firstOf(arguments), device().identifies());
    }
  }
};

#define FAULT_HSM_FORWARD(name) Forward<k##name, &CK_FUNCTION_LIST::name, decltype(CK_FUNCTION_LIST::name)>

}  // namespace faulthsm
