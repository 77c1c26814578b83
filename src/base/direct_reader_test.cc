#include "base/direct_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "base/file.h"
#include "base/memory.h"

namespace ogas {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Backend = DirectReader::Backend;
using Options = DirectReader::Options;
using Read = DirectReader::Read;
namespace fs = std::filesystem;

constexpr size_t kBlock = DirectReader::kBlock;

int64_t real_pread(int fd, void* buffer, size_t n, uint64_t offset) {
  return ::pread(fd, buffer, n, static_cast<off_t>(offset));
}

int64_t fail_with(int code) {
  errno = code;
  return -1;
}

ino_t inode_of(int fd) {
  struct stat status = {};
  ::fstat(fd, &status);
  return status.st_ino;
}

ino_t inode_of(const fs::path& path) {
  struct stat status = {};
  ::stat(path.c_str(), &status);
  return status.st_ino;
}

std::string random_bytes(size_t n) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::string bytes(n, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

class DirectReaderTest : public ::testing::Test {
 protected:
  DirectReaderTest() { fs::create_directories(folder_); }
  ~DirectReaderTest() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, std::string_view content) const {
    EXPECT_TRUE(write_file_atomically(folder_ / name, content));
    return folder_ / name;
  }
  static std::unique_ptr<DirectReader> make(const Options& options) {
    auto reader = DirectReader::create(options);
    EXPECT_TRUE(reader) << reader.error().message;
    return *std::move(reader);
  }
  // One read from end to end.
  static Result<std::string> read(DirectReader& reader, uint64_t offset, size_t n, uint32_t file = 0) {
    const PageBuffer buffer(DirectReader::buffer_bytes(offset, n) + kBlock);
    const Read read{file, offset, n, buffer.data(), 7};
    reader.submit(read);
    const auto done = reader.wait();
    EXPECT_EQ(done.tag, 7U);
    EXPECT_EQ(reader.n_pending(), 0U);
    OGAS_TRY(done.result);
    return std::string(reinterpret_cast<const char*>(DirectReader::begin_of(read)), n);
  }
  static std::string error_of(const Result<std::string>& result) { return result ? "" : result.error().message; }

  fs::path folder_ = fs::temp_directory_path() / ("ogas_direct_reader_test_" + std::to_string(::getpid()));
};

// What both backends must do.
class DirectReaderBackends : public DirectReaderTest, public ::testing::WithParamInterface<Backend> {
 protected:
  void SetUp() override {
    if (const auto reader = DirectReader::create({.backend = GetParam()}); !reader)
      GTEST_SKIP() << reader.error().message;
  }
  static std::unique_ptr<DirectReader> make(unsigned depth = 0, size_t piece_bytes = 0) {
    return DirectReaderTest::make({.backend = GetParam(), .depth = depth, .piece_bytes = piece_bytes});
  }
};

INSTANTIATE_TEST_SUITE_P(Both, DirectReaderBackends, ::testing::Values(Backend::io_uring, Backend::pread),
                         [](const auto& backend) { return backend.param == Backend::pread ? "pread" : "io_uring"; });

struct RandomRead {
  uint32_t file;
  uint64_t offset;
  size_t n;
};

// Of both files: from one byte to a third, many over the ends of pieces and up to the end of the file.
std::vector<RandomRead> random_reads(size_t n, size_t size) {
  std::mt19937 random(1);
  std::vector<RandomRead> reads;
  for (size_t i = 0; i < n; ++i) {
    const size_t longest = i % 3 == 0 ? 3 : i % 3 == 1 ? 3 * kBlock : size / 3;
    const size_t n_bytes = 1 + random() % longest;
    const uint64_t offset = i % 5 == 0 ? size - n_bytes : random() % (size - n_bytes + 1);
    reads.push_back({static_cast<uint32_t>(random() % 2), offset, n_bytes});
  }
  return reads;
}

TEST_P(DirectReaderBackends, RandomReadsManyAtATime) {
  constexpr size_t kSize = 300'001, kReads = 400;
  const std::string contents[] = {random_bytes(kSize), random_bytes(kSize + 1).substr(1)};
  const fs::path paths[] = {write("a", contents[0]), write("b", contents[1])};
  struct Case {
    unsigned depth, piece_blocks;
    bool registers;
  };
  for (const Case& test : {Case{1, 1, false}, {4, 2, false}, {32, 3, true}, {256, 64, true}}) {
    const auto reader = make(test.depth, test.piece_blocks * kBlock);
    for (const auto& path : paths) ASSERT_TRUE(reader->open(path));
    const auto random = random_reads(kReads, kSize);
    size_t n_bytes = 0;
    for (const RandomRead& read : random) n_bytes += DirectReader::buffer_bytes(read.offset, read.n);
    const PageBuffer memory(n_bytes);
    if (test.registers) reader->register_memory({memory.data(), memory.size() / 2});  // and the rest as it is
    std::vector<Read> reads;
    size_t at = 0;
    for (const RandomRead& read : random) {
      reads.push_back({read.file, read.offset, read.n, memory.data() + at, reads.size()});
      at += DirectReader::buffer_bytes(read.offset, read.n);
    }
    std::vector<int> n_done(kReads);
    const auto check = [&](const DirectReader::Done& done) {
      ASSERT_TRUE(done.result) << done.result.error().message;
      ++n_done[done.tag];
      const Read& read = reads[done.tag];
      EXPECT_EQ(std::memcmp(DirectReader::begin_of(read), contents[read.file].data() + read.offset, read.n_bytes), 0)
          << read.n_bytes << " bytes at " << read.offset << ", depth " << test.depth;
    };
    reader->submit(std::span(reads).first(kReads / 2));
    for (const Read& read : std::span(reads).subspan(kReads / 2)) {
      reader->submit(read);
      if (const auto done = reader->poll()) check(*done);
    }
    while (reader->n_pending() > 0) check(reader->wait());
    EXPECT_THAT(n_done, ::testing::Each(1));
    EXPECT_FALSE(reader->poll());
    EXPECT_EQ(reader->stats().n_reads, kReads);
    EXPECT_GT(reader->stats().busy_seconds, 0);
    EXPECT_GE(reader->stats().n_bytes, n_bytes - kReads * kBlock);
    EXPECT_LE(reader->stats().n_bytes, n_bytes);
  }
}

TEST_P(DirectReaderBackends, FilesOfAnyLength) {
  const auto reader = make();
  for (const size_t size : {size_t{1}, kBlock - 1, kBlock, kBlock + 1, size_t{1} << 20, (size_t{1} << 20) + 1}) {
    const std::string content = random_bytes(size);
    const auto file = reader->open(write("file", content));
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(reader->size(*file), size);
    EXPECT_EQ(read(*reader, 0, size, *file).value(), content);
    EXPECT_EQ(read(*reader, size - 1, 1, *file).value(), content.substr(size - 1));
    EXPECT_EQ(read(*reader, size, 0, *file).value(), "");
    EXPECT_THAT(error_of(read(*reader, size, 1, *file)),
                HasSubstr(fmt::format("ends at byte {0}; 1 bytes at {0} were expected", size)));
    EXPECT_THAT(error_of(read(*reader, UINT64_MAX, 2, *file)), HasSubstr("ends at byte"));
  }
  const auto empty = reader->open(write("empty", ""));
  ASSERT_TRUE(empty);
  EXPECT_EQ(read(*reader, 0, 0, *empty).value(), "");
}

TEST_P(DirectReaderBackends, ReadsMoreFilesThanCanBeRegistered) {
  const auto reader = make();
  for (size_t i = 0; i < 70; ++i) ASSERT_EQ(reader->open(write("file", std::to_string(i))).value(), i);
  for (uint32_t i = 0; i < 70; ++i) EXPECT_EQ(read(*reader, 0, std::to_string(i).size(), i).value(), std::to_string(i));
}

TEST_P(DirectReaderBackends, LeavesThePageCacheAlone) {
  const size_t size = 64 * kBlock;
  const auto path = write("file", random_bytes(size));
  const auto reader = make();
  ASSERT_TRUE(reader->open(path));
  if (!reader->is_direct(0)) GTEST_SKIP() << "no direct reads in " << folder_;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
  const auto mapped = MappedFile::open(path).value();
  std::vector<unsigned char> is_cached(size / kBlock);
  const auto n_cached = [&] {
    ::mincore(const_cast<std::byte*>(mapped.bytes().data()), size, is_cached.data());
    return std::ranges::count_if(is_cached, [](unsigned char page) { return (page & 1) != 0; });
  };
  if (n_cached() > 0) GTEST_SKIP() << "no empty page cache in " << folder_;
  EXPECT_EQ(read(*reader, 1, size - 2).value().size(), size - 2);
  EXPECT_EQ(n_cached(), 0);
}

TEST_P(DirectReaderBackends, OpensFilesOnly) {
  const auto reader = make();
  EXPECT_EQ(reader->open(folder_ / "missing").error().code, ErrorCode::not_found);
  EXPECT_THAT(reader->open(folder_).error().message, HasSubstr("a directory"));
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(reader->open(folder_ / "fifo").error().message, HasSubstr("pipe"));
  const auto removed = write("removed", "still there");
  ASSERT_TRUE(reader->open(removed));
  fs::remove(removed);
  EXPECT_EQ(read(*reader, 6, 5).value(), "there");
  EXPECT_TRUE(reader->check_unchanged(0));
}

TEST_P(DirectReaderBackends, NoticesThatAFileChanges) {
  const size_t size = 10 * kBlock;
  const auto path = write("file", random_bytes(size));
  const auto reader = make(4, kBlock);
  ASSERT_TRUE(reader->open(path));
  EXPECT_TRUE(reader->check_unchanged(0));
  fs::last_write_time(path, fs::last_write_time(path) + std::chrono::microseconds(1));
  EXPECT_THAT(reader->check_unchanged(0).error().message, AllOf(HasSubstr("file'"), HasSubstr("changed")));
  fs::resize_file(path, 5 * kBlock + 100);
  EXPECT_THAT(error_of(read(*reader, 8, size - 8)),
              AllOf(HasSubstr("file'"), HasSubstr(fmt::format("ends at byte {}; {} bytes at 8 were expected",
                                                              5 * kBlock + 100, size - 8))));
  EXPECT_EQ(read(*reader, 0, 5 * kBlock + 100).value(), read_file(path).value());
  EXPECT_FALSE(reader->check_unchanged(0));
}

TEST_P(DirectReaderBackends, MirrorsGiveTheSameBytes) {
  const std::string content = random_bytes(100 * kBlock + 1);
  const fs::path mirrors[] = {write("b", content), write("c", content)};
  const auto reader = make(8, kBlock);
  ASSERT_TRUE(reader->open(write("a", content), mirrors));
  EXPECT_EQ(read(*reader, 1, content.size() - 1).value(), content.substr(1));
  // What one lacks the others have.
  fs::resize_file(mirrors[0], 50 * kBlock + 1);
  EXPECT_EQ(read(*reader, 0, content.size()).value(), content);
  EXPECT_THAT(reader->check_unchanged(0).error().message, HasSubstr("b'"));
  EXPECT_EQ(read(*reader, 0, content.size()).value(), content);
  const fs::path shorter[] = {write("d", content.substr(1))};
  EXPECT_THAT(reader->open(mirrors[1], shorter).error().message,
              AllOf(HasSubstr("d'"), HasSubstr(std::to_string(content.size() - 1)), HasSubstr("c'")));
}

TEST_P(DirectReaderBackends, NothingIsWrittenAfterItsEnd) {
  constexpr size_t kSize = size_t{4} << 20;
  const auto path = write("file", random_bytes(kSize));
  const PageBuffer buffer(kSize);
  const std::string mine(kSize, 'm');
  for (int i = 0; i < 10; ++i) {
    {
      const auto reader = make(32, 16 * kBlock);
      ASSERT_TRUE(reader->open(path));
      reader->submit({0, 0, kSize, buffer.data(), 1});
    }
    std::memcpy(buffer.data(), mine.data(), kSize);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_EQ(std::memcmp(buffer.data(), mine.data(), kSize), 0);
  }
}

TEST_F(DirectReaderTest, BuffersAreWholeBlocks) {
  EXPECT_EQ(DirectReader::buffer_bytes(5, 0), 0U);
  EXPECT_EQ(DirectReader::buffer_bytes(0, 1), kBlock);
  EXPECT_EQ(DirectReader::buffer_bytes(kBlock - 1, 1), kBlock);
  EXPECT_EQ(DirectReader::buffer_bytes(kBlock - 1, 2), 2 * kBlock);
  EXPECT_EQ(DirectReader::buffer_bytes(3 * kBlock, kBlock), kBlock);
}

// Interrupted, told to come again, and given less than was asked for, down to a byte; and no direct read past the end.
TEST_F(DirectReaderTest, ContinuesAfterShortReads) {
  const std::string content = random_bytes(20 * kBlock + 1);
  std::atomic<unsigned> n_calls = 0;
  const auto pread = [&](int fd, void* buffer, size_t n, uint64_t offset) -> int64_t {
    const bool is_direct = (::fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    EXPECT_TRUE(!is_direct || (offset % kBlock == 0 && n % kBlock == 0));
    if (is_direct && offset + n > content.size()) return fail_with(EINVAL);
    switch (n_calls++ % 5) {
      case 0: return fail_with(EINTR);
      case 1: return fail_with(EAGAIN);
      case 2: return std::min<int64_t>(real_pread(fd, buffer, n, offset), 1);
      case 3: return std::min<int64_t>(real_pread(fd, buffer, n, offset), kBlock);
      default: return real_pread(fd, buffer, n, offset);
    }
  };
  const auto reader =
      make({.backend = Backend::pread, .depth = 3, .piece_bytes = 4 * kBlock, .pread_for_tests = pread});
  ASSERT_TRUE(reader->open(write("file", content)));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(read(*reader, 1, content.size() - 1).value(), content.substr(1));
}

TEST_F(DirectReaderTest, AnErrorWaitsForTheRestOfItsRead) {
  const std::string content = random_bytes(64 * kBlock);
  std::atomic<int> n_calls = 0, n_within = 0;
  const auto pread = [&](int fd, void* buffer, size_t n, uint64_t offset) -> int64_t {
    ++n_calls;
    if (offset == 2 * kBlock) return fail_with(EIO);
    const bool is_first = offset < 10 * kBlock;
    n_within += is_first;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const int64_t n_read = real_pread(fd, buffer, n, offset);
    n_within -= is_first;
    return n_read;
  };
  const auto reader = make({.backend = Backend::pread, .depth = 4, .piece_bytes = kBlock, .pread_for_tests = pread});
  ASSERT_TRUE(reader->open(write("file", content)));
  const PageBuffer buffers(content.size() + kBlock);
  reader->submit({0, 0, content.size(), buffers.data(), 1});
  reader->submit({0, 10 * kBlock, 5, buffers.data() + content.size(), 2});
  while (reader->n_pending() > 0) {
    const auto done = reader->wait();
    if (done.tag == 2) {
      EXPECT_TRUE(done.result);
      continue;
    }
    EXPECT_EQ(n_within, 0);
    ASSERT_FALSE(done.result);
    EXPECT_EQ(done.result.error().code, ErrorCode::io);
    EXPECT_THAT(done.result.error().message,
                AllOf(HasSubstr("file'"), HasSubstr("at byte 8192"), HasSubstr("Input/output error")));
  }
  EXPECT_LE(n_calls, 10);  // not the 64 of what had failed
}

TEST_F(DirectReaderTest, KeepsItsDepthInOrder) {
  for (const int depth : {1, 5}) {
    std::atomic<int> n_within = 0, max = 0;
    std::mutex mutex;
    std::vector<uint64_t> blocks;
    const auto pread = [&](int fd, void* buffer, size_t n, uint64_t offset) -> int64_t {
      {
        const std::lock_guard lock(mutex);
        blocks.push_back(offset / kBlock);
        max = std::max<int>(max, ++n_within);
      }
      for (int ms = 0; ms < 2000 && max < depth; ++ms) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      --n_within;
      return real_pread(fd, buffer, n, offset);
    };
    const auto reader = make({.backend = Backend::pread,
                              .depth = static_cast<unsigned>(depth),
                              .piece_bytes = kBlock,
                              .pread_for_tests = pread});
    ASSERT_TRUE(reader->open(write("file", random_bytes(16 * kBlock))));
    const PageBuffer buffer(16 * kBlock);
    const Read reads[] = {{0, 9 * kBlock, 3 * kBlock, buffer.data(), 1},
                          {0, 2 * kBlock + 7, kBlock, buffer.data() + 4 * kBlock, 2},
                          {0, 5 * kBlock, 1, buffer.data() + 8 * kBlock, 3}};
    reader->submit(reads);
    while (reader->n_pending() > 0) EXPECT_TRUE(reader->wait().result);
    EXPECT_EQ(max, depth);
    if (depth == 1) {
      EXPECT_THAT(blocks, ElementsAre(9, 10, 11, 2, 3, 5));
    }
  }
}

TEST_F(DirectReaderTest, ReadsFromMirrorsWhatADiskRefuses) {
  const std::string content = random_bytes(100 * kBlock);
  const auto path = write("a", content);
  const fs::path mirrors[] = {write("b", content)};
  std::mutex mutex;
  std::map<ino_t, int> n_calls, n_failures;
  std::atomic<bool> fails_everywhere = false;
  const auto pread = [&](int fd, void* buffer, size_t n, uint64_t offset) -> int64_t {
    const ino_t inode = inode_of(fd);
    const bool fails = fails_everywhere || (inode == inode_of(path) && offset >= 50 * kBlock);
    const bool is_direct = (::fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    EXPECT_TRUE(!is_direct || offset % kBlock == 0);
    if (fails && is_direct) return std::min<int64_t>(real_pread(fd, buffer, n, offset), 1);  // and then no more
    {
      const std::lock_guard lock(mutex);
      ++(fails ? n_failures : n_calls)[inode];
    }
    return fails ? fail_with(EIO) : real_pread(fd, buffer, n, offset);
  };
  const auto reader = make({.backend = Backend::pread, .depth = 4, .piece_bytes = kBlock, .pread_for_tests = pread});
  ASSERT_TRUE(reader->open(path, mirrors));
  EXPECT_EQ(read(*reader, 0, content.size()).value(), content);
  // They alternated up to the first failure; from then on the other disk had all reads.
  EXPECT_THAT(n_calls[inode_of(path)], AllOf(::testing::Ge(20), ::testing::Le(25)));
  EXPECT_THAT(n_failures[inode_of(path)], AllOf(::testing::Ge(1), ::testing::Le(4)));
  EXPECT_EQ(n_calls[inode_of(path)] + n_calls[inode_of(mirrors[0])], 100);
  fails_everywhere = true;
  EXPECT_THAT(error_of(read(*reader, 0, content.size())), HasSubstr("Input/output error"));
}

// What a disk refused does not count as its work.
TEST_F(DirectReaderTest, ADiskThatFailedOneFileReadsOthers) {
  const std::string content = random_bytes(20 * kBlock);
  const fs::path paths[] = {write("a", content), write("b", content)};
  const fs::path other = fs::path("/dev/shm") / folder_.filename();
  if (!write_file_atomically(other, content)) GTEST_SKIP() << "no second file system";
  std::atomic<int> n_of_b = 0;
  const auto pread = [&](int fd, void* buffer, size_t n, uint64_t offset) -> int64_t {
    if (inode_of(fd) == inode_of(paths[0])) return fail_with(EIO);
    if (inode_of(fd) == inode_of(paths[1])) ++n_of_b;
    return real_pread(fd, buffer, n, offset);
  };
  const auto reader = make({.backend = Backend::pread, .depth = 1, .piece_bytes = kBlock, .pread_for_tests = pread});
  for (const auto& path : paths) ASSERT_TRUE(reader->open(path, {&other, 1}));
  EXPECT_EQ(read(*reader, 0, content.size(), 0).value(), content);
  EXPECT_EQ(read(*reader, 0, content.size(), 1).value(), content);
  fs::remove(other);
  EXPECT_EQ(n_of_b, 10);
}

TEST_F(DirectReaderTest, ASlowDiskGetsFewerReads) {
  const std::string content = random_bytes(100 * kBlock);
  const auto path = write("a", content);
  const fs::path other = fs::path("/dev/shm") / folder_.filename();
  if (!write_file_atomically(other, content)) GTEST_SKIP() << "no second file system";
  const ino_t slow = inode_of(path);
  std::atomic<int> n_slow = 0, n_quick = 0, n_within_quick = 0, max_quick = 0;
  const auto pread = [&](int fd, void* buffer, size_t n, uint64_t offset) -> int64_t {
    const bool is_slow = inode_of(fd) == slow;
    ++(is_slow ? n_slow : n_quick);
    if (!is_slow) max_quick = std::max<int>(max_quick, ++n_within_quick);
    std::this_thread::sleep_for(std::chrono::milliseconds(is_slow ? 20 : 2));
    if (!is_slow) --n_within_quick;
    return real_pread(fd, buffer, n, offset);
  };
  const auto reader = make({.backend = Backend::pread, .depth = 4, .piece_bytes = kBlock, .pread_for_tests = pread});
  ASSERT_TRUE(reader->open(path, {&other, 1}));
  EXPECT_EQ(read(*reader, 0, content.size()).value(), content);
  fs::remove(other);
  EXPECT_EQ(n_slow + n_quick, 100);
  EXPECT_LE(n_slow, 30);  // 9 at these speeds
  EXPECT_GE(n_slow, 2);
  EXPECT_LE(max_quick, 2);
}

// In this process, from here on: io_uring_setup fails as it does in containers.
bool forbid_io_uring() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = std::size(filter), .filter = filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(DirectReaderTest, FallsBackWhereIoUringIsForbidden) {
  enum Exit { fine, no_seccomp, wrong_error, wrong_backend, wrong_bytes };
  const std::string content = random_bytes(10 * kBlock + 5);
  const auto path = write("file", content);
  const pid_t child = ::fork();
  if (child == 0) {
    if (!forbid_io_uring()) ::_exit(no_seccomp);
    const auto refused = DirectReader::create({.backend = Backend::io_uring});
    if (refused || refused.error().code != ErrorCode::unsupported ||
        refused.error().message.find("Operation not permitted") == std::string::npos)
      ::_exit(wrong_error);
    const auto reader = DirectReader::create({.piece_bytes = kBlock});
    if (!reader || (*reader)->backend() != Backend::pread) ::_exit(wrong_backend);
    if (!(*reader)->open(path) || read(**reader, 3, content.size() - 3) != content.substr(3)) ::_exit(wrong_bytes);
    ::_exit(fine);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == no_seccomp) GTEST_SKIP() << "no seccomp";
  EXPECT_EQ(WEXITSTATUS(status), fine);
}

}  // namespace
}  // namespace ogas
