/// \file Modules that call `exit`.
#pragma once

namespace holdfast {

/// A module that calls `exit(0)` would end the process as if its work were done: `doctor` would have found
/// nothing, and a service manager would see a service that stopped by itself. After this call such an end has
/// the exit code 70 and a line on stderr. Node calls `exit` only on the main thread, and no module is called
/// there.
///
/// Exit handlers run in reverse order. If this is called after a library was loaded, its handler runs before
/// the library's own, which may crash while other threads go on.
void failWhereModulesExit();

}  // namespace holdfast
