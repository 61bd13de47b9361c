#include "file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <string>

#include "core_fixture.h"

namespace holdfast {
namespace {

/// A writer, and a pipe that holds 64 KiB.
class FileWriterTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::pipe(pipe_.data()), 0); }
  void TearDown() override {
    drain();
    for (const int end : pipe_) ::close(end);
    EXPECT_TRUE(threads_.join(Clock::now() + std::chrono::seconds(10)));
  }

  FileWriter::Written write(FileWriter& writer, int fileDescriptor, std::string text) {
    const int before = answers_;
    writer.write(fileDescriptor, std::move(text));
    EXPECT_TRUE(eventually([&] { return answers_ > before; }));
    return writer.written();
  }

  /// Reads everything that the pipe holds.
  std::string drain() {
    ::fcntl(pipe_[0], F_SETFL, O_NONBLOCK);
    std::string all;
    std::array<char, 4096> piece{};
    for (ssize_t once = 1; once > 0;) {
      once = ::read(pipe_[0], piece.data(), piece.size());
      if (once > 0) all.append(piece.data(), static_cast<size_t>(once));
    }
    return all;
  }

  Threads threads_;
  std::atomic<int> answers_ = 0;
  const FileWriter::Listener listener_ = [this] { ++answers_; };
  std::array<int, 2> pipe_{};
};

TEST_F(FileWriterTest, WritesOneTextAfterTheOther) {
  FileWriter writer(threads_, listener_);
  for (const std::string text : {"one\n", "zwölf\n", ""}) {
    const auto [bytes, error] = write(writer, pipe_[1], text);
    EXPECT_EQ(bytes, text.size());
    EXPECT_EQ(error, 0);
  }
  EXPECT_EQ(drain(), "one\nzwölf\n");
}

TEST_F(FileWriterTest, SaysHowMuchWasWrittenBeforeTheSystemRefused) {
  FileWriter writer(threads_, listener_);
  ::fcntl(pipe_[1], F_SETFL, O_NONBLOCK);
  const auto [bytes, error] = write(writer, pipe_[1], std::string(1'000'000, 'x'));
  EXPECT_EQ(error, EAGAIN);
  EXPECT_EQ(bytes, drain().size());
  EXPECT_GT(bytes, 0U);
  const auto next = write(writer, pipe_[1], "next");
  EXPECT_EQ(next.bytes, 4U);
  EXPECT_EQ(next.error, 0);
}

TEST_F(FileWriterTest, AWriteThatBlocksHoldsUpNeitherItsCallerNorTheEnd) {
  {
    FileWriter writer(threads_, listener_);
    writer.write(pipe_[1], std::string(1'000'000, 'x'));
    EXPECT_FALSE(threads_.join(Clock::now() + std::chrono::milliseconds(100)));
    EXPECT_EQ(answers_, 0);
  }
  size_t drained = 0;
  EXPECT_TRUE(eventually([&] { return (drained += drain().size()) == 1'000'000U; }));
}

TEST_F(FileWriterTest, EndsAtOnceWithoutWork) {
  { const FileWriter writer(threads_, listener_); }
  EXPECT_TRUE(threads_.join(Clock::now() + std::chrono::seconds(10)));
  EXPECT_EQ(answers_, 0);
}

}  // namespace
}  // namespace holdfast
