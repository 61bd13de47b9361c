#pragma once

#include <string>

namespace holdfast {

/// Sends a message of sd_notify(3) to the datagram socket that NOTIFY_SOCKET names: a path, or '@' and a
/// name in the abstract namespace. Node has no datagram sockets of that kind. Never blocks: if the
/// receiver's buffer is full the message is lost.
/// @returns 0, or the errno of the call that failed.
[[nodiscard]] int notifyService(const std::string& address, const std::string& message) noexcept;

}  // namespace holdfast
