#!/bin/sh
# Builds and runs the tests of the core: run.sh [asan|tsan] [arguments of GoogleTest, e.g. --gtest_filter=Pool*]
set -eu
cd "$(dirname "$0")/.."
build=build-test
sanitizer=
case "${1:-}" in
  asan) sanitizer=address,undefined; build=build-asan; shift ;;
  tsan) sanitizer=thread; build=build-tsan; shift ;;
esac
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHOLDFAST_TESTS=ON -DHOLDFAST_SANITIZER="$sanitizer" >/dev/null
cmake --build "$build" --parallel 2
# Modules are never unloaded and hold memory until exit, so leak detection is off.
export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"
export TSAN_OPTIONS="halt_on_error=0:exitcode=66:suppressions=$PWD/test/tsan.suppressions:${TSAN_OPTIONS:-}"
exec "$build/test/holdfast-tests" "$@"
