#include "binding_ceremony.h"

#include <utility>
#include <vector>

#include "binding_arguments.h"
#include "binding_state.h"
#include "control_task.h"
#include "trust_check.h"

namespace holdfast {
namespace {

using Held = std::shared_ptr<CeremonyThread>;

/// Opens a promise and starts the call that settles it.
template <typename Start>
Napi::Value start(const Napi::CallbackInfo& info, const Start& with) {
  const auto pending = AddonState::of(info.Env()).completions->open(info.Env(), Shape::kPlain);
  with(pending.completion);
  return pending.promise;
}

TokenGenerations readGenerationsOf(const CeremonyMemberOptions& options, const std::string& cluster,
                                   Threads& threads, Deadline deadline) {
  const auto member = openCeremonyMember(options, threads, deadline);
  Session session(*member.token);
  auto generations = readMarks(session, cluster);
  // A token that has gone shows no marks either.
  return {member.token->infoAs(options.token), std::move(generations)};
}

}  // namespace

Napi::Function CeremonyBinding::define(Napi::Env env) {
  return DefineClass(
      env, "NativeCeremony",
      {InstanceMethod<&CeremonyBinding::logIn>("logIn"), InstanceMethod<&CeremonyBinding::prepare>("prepare"),
       InstanceMethod<&CeremonyBinding::complete>("complete"),
       InstanceMethod<&CeremonyBinding::close>("close")});
}

CeremonyBinding::CeremonyBinding(const Info& info)
    : Napi::ObjectWrap<CeremonyBinding>(info), ceremony_(*info[0].As<Napi::External<Held>>().Data()) {}

Napi::Value CeremonyBinding::wrap(Napi::Env env, Held ceremony) {
  // The constructor copies it before this returns.
  return AddonState::of(env).ceremonyConstructor.New({Napi::External<Held>::New(env, &ceremony)});
}

Napi::Value CeremonyBinding::logIn(const Info& info) {
  return start(info,
               [&](const auto& answer) { ceremony_->logIn(answer, sizeOf(info[0]), secretOf(info[1])); });
}

Napi::Value CeremonyBinding::prepare(const Info& info) {
  return start(info,
               [&](const auto& answer) { ceremony_->prepare(answer, info[0].As<Napi::Boolean>().Value()); });
}

Napi::Value CeremonyBinding::complete(const Info& info) {
  return start(info, [&](const auto& answer) { ceremony_->complete(answer); });
}

Napi::Value CeremonyBinding::close(const Info& info) {
  return start(info, [&](const auto& answer) { ceremony_->close(answer); });
}

Napi::Value openCeremony(const Napi::CallbackInfo& info) {
  std::vector<CeremonyMemberOptions> members;
  const auto given = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < given.Length(); ++i) members.push_back(ceremonyMemberOf(given[i]));
  auto& state = AddonState::of(info.Env());
  std::erase_if(state.ceremonies, [](const auto& ceremony) { return ceremony->hasEnded(); });
  const auto ceremony = std::make_shared<CeremonyThread>(state.watchdog);
  state.ceremonies.push_back(ceremony);
  return start(info, [&](const auto& answer) {
    ceremony->open(answer, generationOf(info[0], info[1]), std::move(members),
                   info[3].As<Napi::Boolean>().Value());
  });
}

Napi::Value readGenerations(const Napi::CallbackInfo& info) {
  const auto watchdog = AddonState::of(info.Env()).watchdog;
  const Deadline deadline = deadlineOf(info[2]);
  return start(info, [&](const auto& answer) {
    const auto work = [options = ceremonyMemberOf(info[0]), cluster = stringOf(info[1]), watchdog,
                       deadline](Completion& completion) {
      completion.complete(Success{-1, 0, readGenerationsOf(options, cluster, watchdog->threads(), deadline)});
    };
    ControlTask::start(watchdog, answer, deadline, work);
  });
}

Napi::Value checkTrust(const Napi::CallbackInfo& info) {
  const auto watchdog = AddonState::of(info.Env()).watchdog;
  const Deadline deadline = deadlineOf(info[4]);
  // Shared, because std::function copies what it captures: there is one block with the PIN.
  const auto pin = info[3].IsNull() ? nullptr : std::make_shared<const Secret>(secretOf(info[3]));
  return start(info, [&](const auto& answer) {
    const auto work = [options = ceremonyMemberOf(info[0]), generation = generationOf(info[1], info[2]), pin,
                       watchdog, deadline](Completion& completion) {
      const auto member = openCeremonyMember(options, watchdog->threads(), deadline);
      completion.complete(Success{-1, 0, checkTrust(member, generation, pin.get(), deadline)});
    };
    ControlTask::start(watchdog, answer, deadline, work);
  });
}

}  // namespace holdfast
