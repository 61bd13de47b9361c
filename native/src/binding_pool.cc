#include "binding_pool.h"

#include <vector>

#include "binding_arguments.h"
#include "binding_state.h"
#include "operations/operations.h"

namespace holdfast {

Napi::Function MaterialBinding::define(Napi::Env env) {
  return DefineClass(env, "NativeMaterialReference", {});
}

MaterialBinding::MaterialBinding(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<MaterialBinding>(info),
      material_(std::make_shared<const Material>(materialOf(info[0]))) {}

MaterialPointer MaterialBinding::of(const Napi::Value& value) {
  return Unwrap(value.As<Napi::Object>())->material_;
}

namespace {

/// An operation of lanes: its name in JavaScript, and the function that makes it from the arguments.
struct LaneOperation {
  const char* name;
  OperationPointer (*make)(const Napi::CallbackInfo& info);
};

Novelty noveltyOf(const Napi::Value& isNew) {
  return isNew.As<Napi::Boolean>().Value() ? Novelty::kNew : Novelty::kMayExist;
}

/// Rare operations, which give a promise. The first argument says which members may run it, the last is the
/// deadline.
constexpr LaneOperation kControlOperations[] = {
    {"generateKey",
     [](const auto& info) {
       return makeGenerateKey(bytesOf(info[1]), stringOf(info[2]), bytesOf(info[3]), bytesOf(info[4]),
                              custodyOf(info[5]));
     }},
    {"generateMacKey",
     [](const auto& info) {
       return makeGenerateMacKey(bytesOf(info[1]), stringOf(info[2]), sizeOf(info[3]), custodyOf(info[4]));
     }},
    {"destroyKey", [](const auto& info) { return makeDestroyKey(identityOf(info[1], info[2])); }},
    {"readAttributes", [](const auto& info) { return makeReadAttributes(identityOf(info[1], info[2])); }},
    {"generations", [](const auto& info) { return makeReadGenerations(stringOf(info[1])); }},
    {"probe", [](const auto& info) { return makeProbe(MaterialBinding::of(info[1])); }},
    {"wrapKey",
     [](const auto& info) {
       return makeWrapKey(MaterialBinding::of(info[1]), generationOf(info[2], info[3]));
     }},
    {"unwrapKey",
     [](const auto& info) {
       return makeUnwrapKey(MaterialBinding::of(info[1]), generationOf(info[2], info[3]), bytesOf(info[4]),
                            noveltyOf(info[5]));
     }},
    {"resolveDuplicates",
     [](const auto& info) { return makeResolveDuplicates(MaterialBinding::of(info[1])); }},
    {"backupMac",
     [](const auto& info) { return makeBackupMac(generationOf(info[1], info[2]), bytesOf(info[3])); }},
    {"proveBlob",
     [](const auto& info) {
       return makeProveBlob(MaterialBinding::of(info[1]), generationOf(info[2], info[3]), bytesOf(info[4]));
     }},
    {"rewrapBlob",
     [](const auto& info) {
       return makeRewrapBlob(MaterialBinding::of(info[1]), generationOf(info[2], info[3]), bytesOf(info[4]),
                             generationOf(info[2], info[5]));
     }},
    {"witnesses", [](const auto& info) { return makeReadWitnesses(stringOf(info[1])); }},
    {"writeWitness",
     [](const auto& info) { return makeWriteWitness(stringOf(info[1]), witnessOf(info[2])); }},
};

/// Operations of callers, whose answers are packed. The ticket comes before the members.
constexpr LaneOperation kDataOperations[] = {
    {"encrypt",
     [](const auto& info) {
       return makeEncrypt(MaterialBinding::of(info[2]), secretOf(info[3]), bytesOf(info[4]));
     }},
    {"decrypt",
     [](const auto& info) {
       return makeDecrypt(MaterialBinding::of(info[2]), bytesOf(info[3]), bytesOf(info[4]), bytesOf(info[5]));
     }},
    {"generateDataKey",
     [](const auto& info) {
       return makeGenerateDataKey(MaterialBinding::of(info[2]), sizeOf(info[3]), bytesOf(info[4]));
     }},
    {"mac",
     [](const auto& info) {
       return makeMac(MaterialBinding::of(info[2]), secretOf(info[3]), bytesOrNull(info[4]));
     }},
    {"random", [](const auto& info) { return makeRandom(sizeOf(info[2])); }},
};

/// node-addon-api takes no pointer to const; the row is only read.
void* dataOf(const LaneOperation& row) { return const_cast<LaneOperation*>(&row); }

OperationPointer makeOperation(const Napi::CallbackInfo& info) {
  return static_cast<const LaneOperation*>(info.Data())->make(info);
}

Deadline lastOf(const Napi::CallbackInfo& info) { return deadlineOf(info[info.Length() - 1]); }

}  // namespace

Napi::Function PoolBinding::define(Napi::Env env) {
  std::vector<Napi::ClassPropertyDescriptor<PoolBinding>> methods = {
      InstanceMethod<&PoolBinding::setOperationTimeout>("setOperationTimeout"),
      InstanceMethod<&PoolBinding::addMember>("addMember"),
      InstanceMethod<&PoolBinding::openMember>("openMember"),
      InstanceMethod<&PoolBinding::reopenMember>("reopenMember"),
      InstanceMethod<&PoolBinding::setProfile>("setProfile"),
      InstanceMethod<&PoolBinding::loginMember>("loginMember"),
      InstanceMethod<&PoolBinding::inventory>("inventory"),
      InstanceMethod<&PoolBinding::tokenInfo>("tokenInfo"),
      InstanceMethod<&PoolBinding::suspend>("suspend"),
      InstanceMethod<&PoolBinding::resume>("resume"),
      InstanceMethod<&PoolBinding::closeMember>("closeMember"),
      InstanceMethod<&PoolBinding::detachMember>("detachMember"),
      InstanceMethod<&PoolBinding::close>("close"),
      InstanceMethod<&PoolBinding::cancel>("cancel"),
      InstanceMethod<&PoolBinding::statistics>("statistics")};
  for (const LaneOperation& row : kControlOperations)
    methods.push_back(InstanceMethod<&PoolBinding::postControl>(row.name, napi_default, dataOf(row)));
  for (const LaneOperation& row : kDataOperations)
    methods.push_back(InstanceMethod<&PoolBinding::postData>(row.name, napi_default, dataOf(row)));
  return DefineClass(env, "NativePool", methods);
}

PoolBinding::PoolBinding(const Info& info) : Napi::ObjectWrap<PoolBinding>(info) {
  auto& state = AddonState::of(info.Env());
  pool_ = std::make_shared<Pool>(sizeOf(info[0]), state.watchdog);
  std::erase_if(state.pools, [](const auto& pool) { return pool->isClosed(); });
  state.pools.push_back(pool_);
}

Napi::Value PoolBinding::start(Napi::Env env, Shape shape, const Start& with) {
  const auto pending = AddonState::of(env).completions->open(env, shape);
  with(pending.completion);
  return pending.promise;
}

Napi::Value PoolBinding::postControl(const Info& info) {
  OperationPointer operation = makeOperation(info);
  return start(info.Env(), Shape::kResult, [&](const auto& answer) {
    pool_->post(answer, membersOf(info[0]), std::move(operation), lastOf(info));
  });
}

Napi::Value PoolBinding::postData(const Info& info) {
  OperationPointer operation = makeOperation(info);
  const auto answer = AddonState::of(info.Env()).completions->openPacked(info.Env(), sizeOf(info[0]));
  pool_->post(answer, membersOf(info[1]), std::move(operation), lastOf(info));
  return info.Env().Undefined();
}

// ---- control ----

Napi::Value PoolBinding::setOperationTimeout(const Info& info) {
  const auto completions = AddonState::of(info.Env()).completions;
  const auto ticket = completions->listen(info[1].As<Napi::Function>());
  try {
    pool_->setOperationTimeout(std::chrono::milliseconds(sizeOf(info[0])),
                               [completions, ticket](Failure failure) {
                                 completions->complete(ticket, std::move(failure), Urgency::kNow);
                               });
  } catch (const Failure& failure) {
    completions->forget(ticket);
    throw Napi::Error(info.Env(), toJavaScript(info.Env(), failure));
  }
  if (listener_) completions->forget(*listener_);
  listener_ = ticket;
  return info.Env().Undefined();
}

Napi::Value PoolBinding::addMember(const Info& info) {
  try {
    return Napi::Number::New(info.Env(), pool_->addMember(memberOptionsOf(info[0])));
  } catch (const Failure& failure) {
    throw Napi::Error(info.Env(), toJavaScript(info.Env(), failure));
  }
}

Napi::Value PoolBinding::openMember(const Info& info) {
  return start(info.Env(), Shape::kPlain, [&](const auto& answer) {
    pool_->openMember(answer, memberOptionsOf(info[0]), deadlineOf(info[1]));
  });
}

Napi::Value PoolBinding::setProfile(const Info& info) {
  try {
    pool_->setProfile(intOf(info[0]), profileOf(info[1]), intOf(info[2]));
  } catch (const Failure& failure) {
    throw Napi::Error(info.Env(), toJavaScript(info.Env(), failure));
  }
  return info.Env().Undefined();
}

Napi::Value PoolBinding::reopenMember(const Info& info) {
  return start(info.Env(), Shape::kPlain,
               [&](const auto& answer) { pool_->reopenMember(answer, intOf(info[0]), deadlineOf(info[1])); });
}

Napi::Value PoolBinding::loginMember(const Info& info) {
  return start(info.Env(), Shape::kEpoch, [&](const auto& answer) {
    pool_->loginMember(answer, intOf(info[0]), secretOf(info[1]), deadlineOf(info[2]), lockOf(info[3]));
  });
}

Napi::Value PoolBinding::inventory(const Info& info) {
  return start(info.Env(), Shape::kPlain,
               [&](const auto& answer) { pool_->inventory(answer, intOf(info[0]), deadlineOf(info[1])); });
}

Napi::Value PoolBinding::tokenInfo(const Info& info) {
  return start(info.Env(), Shape::kPlain,
               [&](const auto& answer) { pool_->tokenInfo(answer, intOf(info[0]), deadlineOf(info[1])); });
}

Napi::Value PoolBinding::closeMember(const Info& info) {
  return start(info.Env(), Shape::kPlain,
               [&](const auto& answer) { pool_->closeMember(answer, intOf(info[0]), deadlineOf(info[1])); });
}

Napi::Value PoolBinding::detachMember(const Info& info) {
  return start(info.Env(), Shape::kPlain,
               [&](const auto& answer) { pool_->detachMember(answer, intOf(info[0]), deadlineOf(info[1])); });
}

Napi::Value PoolBinding::close(const Info& info) {
  if (listener_) AddonState::of(info.Env()).completions->forget(*listener_);
  listener_.reset();
  return start(info.Env(), Shape::kPlain,
               [&](const auto& answer) { pool_->close(answer, deadlineOf(info[0])); });
}

Napi::Value PoolBinding::suspend(const Info& info) {
  try {
    pool_->suspend(intOf(info[0]));
  } catch (const Failure& failure) {
    throw Napi::Error(info.Env(), toJavaScript(info.Env(), failure));
  }
  return info.Env().Undefined();
}

Napi::Value PoolBinding::resume(const Info& info) {
  try {
    pool_->resume(intOf(info[0]));
  } catch (const Failure& failure) {
    throw Napi::Error(info.Env(), toJavaScript(info.Env(), failure));
  }
  return info.Env().Undefined();
}

Napi::Value PoolBinding::statistics(const Info& info) {
  return toJavaScript(info.Env(), pool_->statistics());
}

Napi::Value PoolBinding::cancel(const Info& info) {
  pool_->cancel(CompletionQueue::packedTicket(sizeOf(info[0])));
  return info.Env().Undefined();
}

}  // namespace holdfast
