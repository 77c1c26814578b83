// Damaged files: each gives a clean error or something consistent, in memory bounded by the file's size.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "base/allocation_test_counter.h"
#include "base/file.h"
#include "files/gguf.h"
#include "files/gguf_test_damage.h"
#include "files/gguf_test_reader.h"

namespace ogas {
namespace {

using test::Damage;
using test::Outcome;
using test::TestGguf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr size_t kMiB = size_t{1} << 20;

// Bytes in a block of exactly their size, so that a sanitizer sees a read past the end.
class ExactBytes {
 public:
  explicit ExactBytes(std::string_view text) : size_(text.size()), data_(new std::byte[text.size()]) {
    std::memcpy(data_.get(), text.data(), text.size());
  }
  Bytes get() const { return {data_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<std::byte[]> data_;
};

bool lies_within(const void* begin, size_t size, Bytes file) {
  const auto* p = static_cast<const std::byte*>(begin);
  return size == 0 || (p >= file.data() && p + size <= file.data() + file.size());
}

// What may be relied on whatever the file says.
void expect_consistent(Bytes file, const GgufContents& contents) {
  for (const auto& [key, value] : contents.metadata.all()) {
    EXPECT_FALSE(key.empty());
    EXPECT_TRUE(lies_within(key.data(), key.size(), file)) << key;
    if (const auto* text = std::get_if<std::string_view>(&value.value)) {
      EXPECT_TRUE(lies_within(text->data(), text->size(), file)) << key;
    }
    if (const auto* array = std::get_if<MetaArray>(&value.value)) {
      EXPECT_TRUE(lies_within(array->raw.data(), array->raw.size(), file)) << key;
      EXPECT_GE(array->raw.size(), array->count * size_of(array->element)) << key;
    }
  }
  std::map<const std::byte*, const TensorInfo*> by_place;
  std::set<std::string_view> names;
  for (const TensorInfo& tensor : contents.tensors) {
    EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
    EXPECT_TRUE(lies_within(tensor.data.data(), tensor.data.size(), file)) << tensor.name;
    EXPECT_EQ((tensor.data.data() - file.data()) % 8, 0) << tensor.name;
    EXPECT_GT(tensor.shape.n_values(), 0) << tensor.name;
    EXPECT_EQ(tensor.data.size(), facts_of(tensor.format).bytes_for(tensor.shape.n_values())) << tensor.name;
    EXPECT_TRUE(by_place.emplace(tensor.data.data(), &tensor).second) << tensor.name;
  }
  const std::byte* end = file.data();
  for (const auto& [begin, tensor] : by_place) {
    EXPECT_GE(begin, end) << tensor->name << " overlaps";
    end = begin + tensor->data.size();
  }
}

void check(const Damage& damage) {
  SCOPED_TRACE(damage.label);
  const ExactBytes file(damage.bytes);
  const test::PeakAllocation peak;
  const auto used = test::use_gguf(file.get());
  const size_t taken = peak.bytes();
  // A file of some kilobytes has no use for a megabyte.
  EXPECT_LE(taken, damage.bytes.size() + (damage.bytes.size() < kMiB / 16 ? kMiB : 64 * kMiB));
  if (used) {
    EXPECT_NE(damage.outcome, Outcome::fails) << "no error with: " << fmt::format("{}", fmt::join(damage.words, ", "));
    expect_consistent(file.get(), parse_gguf(file.get()).value());
    return;
  }
  const Error& error = used.error();
  EXPECT_NE(damage.outcome, Outcome::parses) << error.message;
  EXPECT_TRUE(error.code == ErrorCode::bad_file || error.code == ErrorCode::unsupported) << error.message;
  EXPECT_THAT(error.message, ContainsRegex("(key|tensor) ([0-9]|')|the (number of|version|magic)|"
                                           "the header claims [0-9]|the file (starts with '|is .*GGUF)"));
  EXPECT_LE(error.message.size(), 1000);
  if (damage.outcome != Outcome::fails) return;
  for (const std::string& word : damage.words) EXPECT_THAT(error.message, HasSubstr(word));
}

TEST(GgufDamage, IsReportedByNameOrHarmless) {
  const std::vector<Damage> damages = test::all_damages();
  std::set<std::string_view> different;
  size_t n_failing = 0;
  for (const Damage& damage : damages) {
    different.insert(damage.bytes);
    n_failing += damage.outcome == Outcome::fails;
    check(damage);
    if (HasFailure()) break;  // one is enough to read
  }
  EXPECT_GE(different.size(), 200);
  EXPECT_GE(n_failing, 200);
}

TEST(GgufDamage, TheUndamagedFileParses) {
  const std::string bytes = test::small_model().write();
  check({"undamaged", bytes, Outcome::parses, {}});
  EXPECT_EQ(parse_gguf(test::as_bytes(bytes)).value().tensors.size(), 3);
}

// A file of another writer, cut off everywhere.
TEST(GgufDamage, TruncatedGoldenFilesFail) {
  for (const std::string name : {"single.gguf", "split-00001-of-00003.gguf"}) {
    const auto bytes = read_file("tests/data/gguf/" + name);
    ASSERT_TRUE(bytes) << bytes.error().message;
    const GgufContents contents = parse_gguf(test::as_bytes(*bytes)).value();
    size_t end = 0;  // of the last tensor; padding may follow
    for (const TensorInfo& tensor : contents.tensors)
      end = std::max<size_t>(end, tensor.data.data() + tensor.data.size() - test::as_bytes(*bytes).data());
    for (size_t cut = 0; cut < end && !HasFailure(); ++cut)
      check({fmt::format("{} cut to {}", name, cut), bytes->substr(0, cut), Outcome::fails, {"the file"}});
  }
}

TestGguf numbered_tensors(size_t n) {
  TestGguf file;
  for (size_t idx = 0; idx < n; ++idx)
    file.tensors.push_back({.name = std::to_string(idx), .dims = {1}, .data = {}, .offset = 32 * idx});
  return file;
}

// The files that take the most memory for their size.
TEST(GgufMemory, AsManyTensorsAsMayBe) {
  std::string bytes = numbered_tensors(131'072).write();
  bytes.resize((bytes.size() + 31) / 32 * 32 + size_t{131'072} * 32);
  check({"131072 tensors", bytes, Outcome::parses, {}});
}

TEST(GgufMemory, AsManyKeysAsMayBe) {
  TestGguf file;
  for (size_t idx = 0; idx < 65'536; ++idx) file.keys.push_back({std::to_string(idx), test::boolean(1)});
  check({"65536 keys", file.write(), Outcome::parses, {}});
}

TEST(GgufMemory, AsManyTokensAndMergesAsMayBe) {
  constexpr size_t kMax = size_t{1} << 20;
  const std::string empty_strings(8 * kMax, '\0');
  TestGguf file{.keys = {{"tokenizer.ggml.model", test::string("gpt2")},
                         {"tokenizer.ggml.tokens", test::raw_array(8, kMax, empty_strings)},
                         {"tokenizer.ggml.merges", test::raw_array(8, kMax, empty_strings)}}};
  check({"tokens and merges", file.write(), Outcome::parses, {}});
  file.keys.push_back({"tokenizer.ggml.token_type", test::numbers(MetaType::u8, std::vector<uint8_t>(kMax, 1))});
  file.keys.push_back({"tokenizer.ggml.scores", test::numbers(MetaType::f32, std::vector<float>(kMax))});
  check({"tokens, merges, kinds and scores", file.write(), Outcome::parses, {}});
}

TEST(GgufMemory, AMillionArraysInAnArray) {
  std::string arrays;
  for (size_t idx = 0; idx < kMiB; ++idx) arrays += std::string(12, '\0');
  check({"arrays", TestGguf{.keys = {{"a", test::raw_array(9, kMiB, arrays)}}}.write(), Outcome::parses, {}});
}

TEST(AllocationCounter, SeesWhatIsTaken) {
  const test::PeakAllocation peak;
  {
    const std::vector<char> block(3 * kMiB);
  }
  {
    const std::vector<char> block(2 * kMiB);
  }
  EXPECT_GE(peak.bytes(), 3 * kMiB);
  EXPECT_LT(peak.bytes(), 4 * kMiB);
}

}  // namespace
}  // namespace ogas
