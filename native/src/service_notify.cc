#include "service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>

namespace holdfast {

int notifyService(const std::string& address, const std::string& message) noexcept {
  sockaddr_un target{};
  target.sun_family = AF_UNIX;
  if (address.empty() || address.size() >= sizeof(target.sun_path)) return ENAMETOOLONG;
  address.copy(static_cast<char*>(target.sun_path), address.size());
  if (address.front() == '@') target.sun_path[0] = '\0';
  // One socket for the life of the process: the watchdog must be notified even when no file descriptor is
  // left.
  static const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return EMFILE;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the socket API takes every family by this
  // type.
  const auto* const to = reinterpret_cast<const sockaddr*>(&target);
  const ssize_t sent = ::sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL, to, length);
  return sent < 0 ? errno : 0;
}

}  // namespace holdfast
