#include "core_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>
#include <thread>

namespace holdfast {
namespace {

void initialiseToken(const std::string& configuration, const std::string& label) {
  const std::string command = "SOFTHSM2_CONF=" + configuration +
                              " softhsm2-util --init-token --free --label " + label + " --pin " +
                              TestToken::kPin + " --so-pin 12345678 >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("softhsm2-util failed");
}

}  // namespace

std::string softHsmLibrary() {
  for (const char* const path :
       {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"}) {
    if (std::filesystem::exists(path)) return path;
  }
  throw std::runtime_error("libsofthsm2.so was not found: install the package softhsm2");
}

TestToken::TestToken() {
  std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-core-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  folder_ = pattern;
  std::filesystem::create_directory(folder_ / "tokens");
  std::ofstream(folder_ / "softhsm2.conf") << "directories.tokendir = " << (folder_ / "tokens").string()
                                           << "\nobjectstore.backend = file\nlog.level = ERROR\n";
  addToken(kLabel);
  std::filesystem::create_directory(folder_ / "control");
  controls_ = &faulthsm::mapControlPage((folder_ / "control").string());
}

void TestToken::addToken(const std::string& label) const {
  initialiseToken((folder_ / "softhsm2.conf").string(), label);
}

TestToken::~TestToken() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

ModuleOptions TestToken::module(bool privateInstance) const {
  ModuleOptions options;
  options.libraryPath = softHsmLibrary();
  options.privateInstance = privateInstance;
  options.environment["SOFTHSM2_CONF"] = (folder_ / "softhsm2.conf").string();
  return options;
}

ModuleOptions TestToken::faultyModule() const {
  auto options = module();
  options.environment["HOLDFAST_FAULT_MODULE"] = options.libraryPath;
  options.environment["HOLDFAST_FAULT_CONTROL"] = (folder_ / "control").string();
  options.libraryPath = FAULT_HSM;
  return options;
}

void TestToken::obey(const std::string& script) const {
  auto& number = controls_->settings[faulthsm::kScript];
  std::ofstream(folder_ / "control" / ("script." + std::to_string(number + 1))) << script << "\n";
  ++number;
}

const faulthsm::Counts& TestToken::counts(const std::string& functionName) const {
  for (const auto& counts : controls_->counts)
    if (functionName == counts.name) return counts;
  throw std::runtime_error("there is no function " + functionName);
}

int TestToken::calls(const std::string& functionName) const {
  return static_cast<int>(counts(functionName).entered.load());
}

int TestToken::inside(const std::string& functionName) const {
  return static_cast<int>(counts(functionName).entered.load() - counts(functionName).returned.load());
}

Deadline after(int milliseconds) { return Clock::now() + std::chrono::milliseconds(milliseconds); }

Bytes bytesOf(const std::string& text) { return {text.begin(), text.end()}; }

TestPool::TestPool(size_t queueLimit)
    : watchdog_(std::make_shared<Watchdog>()), pool_(std::make_shared<Pool>(queueLimit, watchdog_)) {}

TestPool::~TestPool() {
  const Deadline deadline = after(5'000);
  pool_->beginAbandoning(deadline);
  watchdog_->threads().join(deadline);
}

TestPool::Pending TestPool::post(Members members, OperationPointer operation, Deadline deadline,
                                 uint64_t ticket) {
  const auto sink = std::make_shared<FutureSink>();
  auto pending = sink->future();
  pool_->post(std::make_shared<Completion>(sink, ticket), members, std::move(operation), deadline);
  return pending;
}

Outcome TestPool::run(int member, OperationPointer operation, Deadline deadline) {
  return post(member, std::move(operation), deadline).get();
}

int TestPool::connect(const ModuleOptions& module, LaneLimits limits) {
  const MemberOptions options{module, {TestToken::kLabel, std::nullopt}, limits};
  auto opening = start([&](const auto& answer) { pool_->openMember(answer, options, after(20'000)); });
  const int member = valueOf<MemberOpened>(opening.get()).member;
  valueOf<uint64_t>(logIn(member));
  admit(member);
  return member;
}

void TestPool::admit(int member) {
  auto inventory = start([&](const auto& answer) { pool_->inventory(answer, member, after(20'000)); });
  valueOf<std::vector<ObjectSummary>>(inventory.get());
  pool_->resume(member);
}

Outcome TestPool::reopen(int member, Deadline deadline) {
  return start([&](const auto& answer) { pool_->reopenMember(answer, member, deadline); }).get();
}

Outcome TestPool::logIn(int member, Deadline deadline) {
  return start([&](const auto& answer) {
           pool_->loginMember(answer, member, Secret(bytesOf(TestToken::kPin)), deadline);
         })
      .get();
}

MaterialPointer TestPool::makeKey(int member) {
  Material material;
  const auto id = valueOf<Secret>(run(member, makeRandom(32)));
  material.identity = {CKO_SECRET_KEY, {id.view().begin(), id.view().end()}};
  material.label = "key";
  DecryptionCanary canary;
  canary.plaintext = bytesOf("a known answer");
  auto encrypted = valueOf<EncryptedData>(
      run(member, makeGenerateKey(material.identity.id, material.label, canary.plaintext, {})));
  canary.nonce.assign(encrypted.nonce.begin(), encrypted.nonce.end());
  canary.ciphertext = std::move(encrypted.ciphertext);
  material.knownAnswer = std::move(canary);
  return std::make_shared<const Material>(std::move(material));
}

uint64_t TestPool::close(Deadline deadline) {
  return valueOf<uint64_t>(start([&](const auto& answer) { pool_->close(answer, deadline); }).get());
}

MemberStatistics TestPool::statistics(int member) const {
  for (const auto& row : pool_->statistics()) {
    if (row.member == member) return row;
  }
  return {};
}

Failure failureOf(Outcome outcome) {
  if (auto* const failed = std::get_if<Failure>(&outcome)) return std::move(*failed);
  throw std::runtime_error("a failure was expected");
}

bool eventually(const std::function<bool()>& condition) {
  // Only a failing test waits this long; machines are slow, and sanitizers slower.
  const Deadline end = after(60'000);
  while (!condition()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace holdfast
