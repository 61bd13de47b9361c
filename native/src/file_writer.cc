#include "file_writer.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace holdfast {
namespace {

/// Writes until everything is written or the system refuses: a nearly full disk takes a part first.
FileWriter::Written writeAll(int fileDescriptor, const std::string& text) {
  FileWriter::Written all;
  while (all.bytes < text.size()) {
    const ssize_t once = ::write(fileDescriptor, text.data() + all.bytes, text.size() - all.bytes);
    if (once > 0) {
      all.bytes += static_cast<size_t>(once);
    } else if (once == 0 || errno != EINTR) {
      // A device that takes nothing and names no error would be asked for ever.
      all.error = once == 0 ? EIO : errno;
      break;
    }
  }
  return all;
}

}  // namespace

FileWriter::FileWriter(Threads& threads, Listener listener)
    : state_(std::make_shared<State>(std::move(listener))) {
  threads.start("hf-writer", [state = state_] { run(*state); });
}

void FileWriter::write(int fileDescriptor, std::string text) {
  {
    const MutexLock lock(state_->mutex);
    state_->fileDescriptor = fileDescriptor;
    state_->text = std::move(text);
    state_->isWaiting = true;
  }
  // Notified without the mutex, which the woken thread wants at once.
  state_->changed.notifyOne();
}

FileWriter::Written FileWriter::written() const {
  const MutexLock lock(state_->mutex);
  return state_->written;
}

void FileWriter::stop() {
  {
    const MutexLock lock(state_->mutex);
    state_->isStopping = true;
  }
  state_->changed.notifyOne();
}

void FileWriter::run(State& state) {
  MutexLock lock(state.mutex);
  for (;;) {
    state.changed.wait(lock, [&]() REQUIRES(state.mutex) { return state.isWaiting || state.isStopping; });
    if (!state.isWaiting) return;
    state.isWaiting = false;
    const int fileDescriptor = state.fileDescriptor;
    const std::string text = std::move(state.text);
    lock.unlock();
    const Written written = writeAll(fileDescriptor, text);
    lock.lock();
    state.written = written;
    lock.unlock();
    state.listener();
    lock.lock();
  }
}

}  // namespace holdfast
