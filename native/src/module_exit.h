/// \file Modules that call `exit`.
#pragma once

namespace holdfast {

/// A module that calls `exit(0)` would end the process as if its work were done: `doctor` would have found
/// nothing, and a service manager see a service that stopped by itself. From now on such an end has the exit
/// code 70 and a line on stderr. Node calls `exit` on the main thread alone, and no module is called there.
///
/// Exit handlers run in the opposite order: called after a library was loaded, this comes before the
/// library's own, which may crash beside the threads that go on.
void failWhereModulesExit();

}  // namespace holdfast
