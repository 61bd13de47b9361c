#include "ceremony_opening.h"

#include <utility>

#include "slot_scan.h"

namespace holdfast {

CeremonyMember openCeremonyMember(const CeremonyMemberOptions& options, Threads& threads, Deadline deadline) {
  const auto module = Module::open(options.module, nullptr, deadline);
  auto token = Token::find(module, options.token, SlotScan(threads), deadline);
  return {options.name, std::move(token), options.profile, options.maker};
}

}  // namespace holdfast
