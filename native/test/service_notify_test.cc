#include "service_notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>

namespace holdfast {
namespace {

/// A datagram socket such as a service manager opens.
class Receiver {
 public:
  explicit Receiver(const std::string& name) : descriptor_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(static_cast<char*>(address.sun_path), name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
    if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), length) != 0) ADD_FAILURE() << errno;
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  Receiver(Receiver&&) = delete;
  Receiver& operator=(Receiver&&) = delete;
  ~Receiver() { ::close(descriptor_); }

  [[nodiscard]] std::string receive() const {
    std::array<char, 256> buffer{};
    const ssize_t length = ::recv(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return length < 0 ? "nothing" : std::string(buffer.data(), static_cast<size_t>(length));
  }

 private:
  int descriptor_;
};

std::string pathFor(const char* name) {
  return std::filesystem::temp_directory_path() / (std::string(name) + std::to_string(::getpid()));
}

TEST(ServiceNotify, ReachesASocketByItsPath) {
  const std::string path = pathFor("holdfast-notify-");
  const Receiver receiver(path);
  EXPECT_EQ(notifyService(path, "READY=1\nSTATUS=serving"), 0);
  EXPECT_EQ(notifyService(path, "WATCHDOG=1"), 0);
  EXPECT_EQ(receiver.receive(), "READY=1\nSTATUS=serving");
  EXPECT_EQ(receiver.receive(), "WATCHDOG=1");
  std::filesystem::remove(path);
}

TEST(ServiceNotify, ReachesASocketOfTheAbstractNamespace) {
  const std::string name = "@holdfast-notify-" + std::to_string(::getpid());
  const Receiver receiver(name);
  EXPECT_EQ(notifyService(name, "STOPPING=1"), 0);
  EXPECT_EQ(receiver.receive(), "STOPPING=1");
}

TEST(ServiceNotify, SaysWhatFailed) {
  EXPECT_EQ(notifyService(pathFor("holdfast-nobody-"), "READY=1"), ENOENT);
  EXPECT_EQ(notifyService("", "READY=1"), ENAMETOOLONG);
  EXPECT_EQ(notifyService(std::string(500, 'x'), "READY=1"), ENAMETOOLONG);
}

TEST(ServiceNotify, DoesNotWaitForAReceiverThatReadsNothing) {
  const std::string path = pathFor("holdfast-full-");
  const Receiver receiver(path);
  int answer = 0;
  for (int sent = 0; sent < 100'000 && answer == 0; ++sent) answer = notifyService(path, "WATCHDOG=1");
  EXPECT_EQ(answer, EAGAIN);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace holdfast
