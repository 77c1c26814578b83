#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <tuple>

namespace ogas {
namespace {

using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  FileTest() { std::filesystem::create_directories(folder_); }
  ~FileTest() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("ogas_file_test_" + std::to_string(::getpid()));
};

std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

TEST_F(FileTest, MapsWhatWasWritten) {
  const auto path = folder_ / "a";
  ASSERT_TRUE(write_file_atomically(path, "hello"));
  auto mapped = MappedFile::open(path);
  ASSERT_TRUE(mapped) << mapped.error().message;
  EXPECT_EQ(as_text(mapped->bytes()), "hello");
  EXPECT_TRUE(mapped->populate(mapped->bytes().subspan(1)));
  EXPECT_EQ(as_text(mapped->bytes()), "hello");
  MappedFile moved = *std::move(mapped);
  EXPECT_EQ(as_text(moved.bytes()), "hello");
  EXPECT_EQ(read_file(path).value(), "hello");
}

TEST_F(FileTest, ReadsAPartByItsOffset) {
  const auto path = folder_ / "a";
  ASSERT_TRUE(write_file_atomically(path, "hello there"));
  auto opened = MappedFile::open(path);
  ASSERT_TRUE(opened) << opened.error().message;
  const MappedFile mapped = *std::move(opened);
  std::array<std::byte, 5> some;
  ASSERT_TRUE(mapped.read(mapped.bytes().subspan(6), some));
  EXPECT_EQ(as_text(some), "there");
  EXPECT_TRUE(mapped.check_unchanged());
  EXPECT_DEATH(std::ignore = mapped.read(mapped.bytes(), some), "does not hold");

  std::filesystem::resize_file(path, 8);
  const auto cut = mapped.read(mapped.bytes().subspan(6), some);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::io);
  EXPECT_THAT(cut.error().message, HasSubstr("a': ends at byte 8; 5 bytes at 6 were expected"));
  const auto changed = mapped.check_unchanged();
  ASSERT_FALSE(changed);
  EXPECT_THAT(changed.error().message, HasSubstr("a' was changed while it was in use: it has 8 bytes, and had 11"));
}

TEST_F(FileTest, EmptyFileMapsToNothing) {
  ASSERT_TRUE(write_file_atomically(folder_ / "empty", ""));
  EXPECT_TRUE(MappedFile::open(folder_ / "empty").value().bytes().empty());
}

TEST_F(FileTest, ErrorsNameTheFile) {
  const auto missing = MappedFile::open(folder_ / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr("missing"));
  const auto directory = MappedFile::open(folder_);
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::io);
  EXPECT_THAT(directory.error().message, HasSubstr("a directory"));
  EXPECT_EQ(read_file("/dev/null").error().code, ErrorCode::io);
}

TEST_F(FileTest, ReadsNoMoreThanAllowed) {
  ASSERT_TRUE(write_file_atomically(folder_ / "long", std::string(100, 'x')));
  EXPECT_EQ(read_file(folder_ / "long", 99).error().code, ErrorCode::bad_file);
  EXPECT_TRUE(read_file(folder_ / "long", 100));
}

TEST_F(FileTest, AFailedWriteLeavesNoFile) {
  std::filesystem::create_directory(folder_ / "taken");
  EXPECT_FALSE(write_file_atomically(folder_ / "taken", "x"));  // a folder cannot be renamed over
  EXPECT_FALSE(write_file_atomically(folder_ / "nowhere" / "x", "x"));
  size_t n_entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++n_entries;
  EXPECT_EQ(n_entries, 1U);
}

}  // namespace
}  // namespace ogas
