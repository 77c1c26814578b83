#include "files/tensor_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "files/gguf_test_writer.h"

namespace ogas {
namespace {

using nlohmann::json;
using test::TestGguf;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kGoldens = "tests/data/gguf/";  // made by tools/make_gguf_goldens.py
constexpr uint64_t kMany = 1000;

json expected_of(const std::string& name) {
  const auto text = read_file(kGoldens + "expected.json");
  return json::parse(text.value()).at(name);
}

void expect_array(const Metadata& metadata, const std::string& key, const MetaArray& array, const json& expected) {
  const std::string element = expected.at("types").at(1);
  EXPECT_EQ(name_of(array.element), element);
  const json& value = expected.at("value");
  if (element == "string") {
    EXPECT_EQ(metadata.get_strings(key, kMany).value(), value.get<std::vector<std::string>>());
  } else if (element == "f32" || element == "f64") {
    EXPECT_EQ(metadata.get_floats(key, kMany).value(), value.get<std::vector<float>>());
  } else if (element == "bool") {
    ASSERT_EQ(array.raw.size(), value.size());
    for (size_t idx = 0; idx < value.size(); ++idx) EXPECT_EQ(array.raw[idx] == std::byte{1}, value[idx].get<bool>());
  } else {
    EXPECT_EQ(metadata.get_ints(key, kMany).value(), value.get<std::vector<int64_t>>());
  }
}

void expect_key(const Metadata& metadata, const std::string& key, const json& expected) {
  SCOPED_TRACE(key);
  ASSERT_TRUE(metadata.contains(key));
  const MetaValue& found = metadata.all().at(key);
  const std::string type = expected.at("types").at(0);
  EXPECT_EQ(name_of(found.type), type);
  const json& value = expected.at("value");
  if (const auto* array = std::get_if<MetaArray>(&found.value)) {
    expect_array(metadata, key, *array, expected);
  } else if (type == "string") {
    EXPECT_EQ(metadata.get_string(key).value(), value.get<std::string>());
  } else if (type == "bool") {
    EXPECT_EQ(metadata.get_bool(key).value(), value.get<bool>());
  } else if (type == "f32" || type == "f64") {
    EXPECT_EQ(metadata.get_float(key).value(), value.get<double>());
  } else if (type[0] == 'u') {
    EXPECT_EQ(metadata.get_uint(key, 0, UINT64_MAX).value(), value.get<uint64_t>());
  } else {
    EXPECT_EQ(std::get<int64_t>(found.value), value.get<int64_t>());
  }
}

std::string hex_of(Bytes bytes) {
  std::string hex;
  for (const std::byte b : bytes) hex += fmt::format("{:02x}", static_cast<int>(b));
  return hex;
}

void expect_tensor(const TensorInfo& tensor, const json& expected) {
  SCOPED_TRACE(std::string(tensor.name));
  const FormatFacts& facts = facts_of(tensor.format);
  EXPECT_EQ(facts.name, expected.at("format").get<std::string>());
  const auto shape = expected.at("shape").get<std::vector<uint64_t>>();
  ASSERT_EQ(tensor.shape.n_dims, shape.size());
  for (size_t axis = 0; axis < shape.size(); ++axis) EXPECT_EQ(tensor.shape[axis], shape[axis]);
  EXPECT_EQ(hex_of(tensor.data), expected.at("bytes").get<std::string>());
  std::vector<float> values(tensor.shape.n_values());
  facts.decode(tensor.data.data(), values.data(), values.size() / facts.block_values);
  EXPECT_EQ(values.front(), expected.at("first").get<float>());
  EXPECT_EQ(values.back(), expected.at("last").get<float>());
}

class Goldens : public ::testing::TestWithParam<const char*> {};

TEST_P(Goldens, EveryKeyAndTensorIsWhatTheWriterSays) {
  const json expected = expected_of(GetParam());
  const auto opened = TensorFile::open(kGoldens + GetParam());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->metadata().all().size(), expected.at("keys").size());
  for (const auto& [key, value] : expected.at("keys").items()) expect_key(opened->metadata(), key, value);
  EXPECT_EQ(opened->tensors().size(), expected.at("tensors").size());
  for (const auto& [name, tensor] : expected.at("tensors").items()) {
    const TensorInfo* found = opened->find(name);
    ASSERT_NE(found, nullptr) << name;
    EXPECT_EQ(found->name, name);
    expect_tensor(*found, tensor);
  }
}

INSTANTIATE_TEST_SUITE_P(Gguf, Goldens, ::testing::Values("single.gguf", "split-00001-of-00003.gguf"));

TEST(TensorFile, HoldsEveryPartOfASplitModel) {
  const auto opened = TensorFile::open(kGoldens + "split-00001-of-00003.gguf");
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_EQ(opened->shards().size(), 3);
  EXPECT_EQ(opened->path(), kGoldens + "split-00001-of-00003.gguf");
  uint64_t total = 0;
  for (const MappedFile& shard : opened->shards()) total += std::filesystem::file_size(shard.path());
  EXPECT_EQ(opened->total_bytes(), total);
  std::array<int, 3> n_tensors{};
  for (const auto& [name, tensor] : opened->tensors()) {
    ASSERT_LT(tensor.shard, 3);
    ++n_tensors[tensor.shard];
    const Bytes shard = opened->shards()[tensor.shard].bytes();
    EXPECT_GE(tensor.data.data(), shard.data());
    EXPECT_LE(tensor.data.data() + tensor.data.size(), shard.data() + shard.size());
  }
  EXPECT_EQ(n_tensors, (std::array<int, 3>{2, 2, 2}));
}

TEST(TensorFile, CanBeStoppedBeforeEachPart) {
  for (int n_opened = 0; n_opened < 3; ++n_opened) {
    int n_calls = 0;
    const auto stopped = TensorFile::open(kGoldens + "split-00001-of-00003.gguf", [&]() -> Result<> {
      if (n_calls++ == n_opened) return fail(ErrorCode::cancelled, "enough");
      return {};
    });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);
    EXPECT_EQ(n_calls, n_opened + 1);
  }
  int n_calls = 0;
  EXPECT_TRUE(TensorFile::open(kGoldens + "split-00001-of-00003.gguf", [&] { return ++n_calls, Result<>(); }));
  EXPECT_EQ(n_calls, 3);
}

TEST(TensorFile, FindsNothingUnderAnotherName) {
  const auto opened = TensorFile::open(kGoldens + "single.gguf");
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_NE(opened->find("output_norm.weight"), nullptr);
  EXPECT_EQ(opened->find("output_norm"), nullptr);
  EXPECT_EQ(opened->find(""), nullptr);
}

// What was found stays valid when the file is moved.
TEST(TensorFile, IsMovable) {
  auto opened = TensorFile::open(kGoldens + "split-00001-of-00003.gguf");
  ASSERT_TRUE(opened) << opened.error().message;
  const std::byte* data = opened->find("output_norm.weight")->data.data();
  const TensorFile moved = *std::move(opened);
  EXPECT_EQ(moved.find("output_norm.weight")->data.data(), data);
  EXPECT_EQ(moved.metadata().get_string("general.architecture").value(), "llama");
  EXPECT_EQ(moved.shards().size(), 3);
}

class TensorFileTest : public ::testing::Test {
 protected:
  TensorFileTest() { std::filesystem::create_directories(folder_); }
  ~TensorFileTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(write_file_atomically(folder_ / name, bytes));
  }
  // A model in three parts, m-0000N-of-00003.gguf, each changed by what is given for it (from 1).
  void write_parts(const std::map<int, std::function<void(TestGguf&)>>& changes = {}) {
    for (uint16_t number = 1; number <= 3; ++number) {
      TestGguf part{.keys = {{"split.no", test::scalar(MetaType::u16, static_cast<uint16_t>(number - 1))},
                             {"split.count", test::scalar<uint16_t>(MetaType::u16, 3)},
                             {"split.tensors.count", test::scalar<int32_t>(MetaType::i32, 3)}},
                    .tensors = {{fmt::format("blk.{}.weight", number), {3}, 0, std::string(12, 'x')}}};
      if (changes.contains(number)) changes.at(number)(part);
      write(part_name(number), part.write());
    }
  }
  static std::string part_name(int number) { return fmt::format("m-{:05}-of-00003.gguf", number); }
  std::string path_of(const std::string& name) const { return (folder_ / name).string(); }
  Result<TensorFile> open(const std::string& name) const { return TensorFile::open(folder_ / name); }
  void expect_error(const std::string& name, ErrorCode code, const std::vector<std::string>& words) const {
    const auto opened = open(name);
    ASSERT_FALSE(opened) << "no error with " << words.front();
    EXPECT_EQ(opened.error().code, code) << opened.error().message;
    for (const std::string& word : words) EXPECT_THAT(opened.error().message, HasSubstr(word));
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("ogas_tensor_file_test_" + std::to_string(::getpid()));
};

TEST_F(TensorFileTest, WhatIsNoFile) {
  expect_error("none.gguf", ErrorCode::not_found, {path_of("none.gguf")});
  std::filesystem::create_directory(folder_ / "folder.gguf");
  expect_error("folder.gguf", ErrorCode::io, {path_of("folder.gguf"), "a directory"});
}

TEST_F(TensorFileTest, WhatIsNoModel) {
  write("empty.gguf", "");
  expect_error("empty.gguf", ErrorCode::bad_file, {path_of("empty.gguf"), "the magic number", "the file has 0 left"});
  write("text.gguf", "# Read me\n");
  expect_error("text.gguf", ErrorCode::bad_file, {path_of("text.gguf"), "starts with '# Re'", "'GGUF'"});
  write("cut.gguf", test::TestGguf{}.write().substr(0, 10));
  expect_error("cut.gguf", ErrorCode::bad_file, {path_of("cut.gguf"), "the number of tensors at byte 8"});
}

TEST_F(TensorFileTest, PartsAreOpenedByTheFirst) {
  write_parts();
  const auto opened = open(part_name(1));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->tensors().size(), 3);
  for (const int number : {2, 3})
    expect_error(part_name(number), ErrorCode::bad_file,
                 {path_of(part_name(number)), fmt::format("part {} of a split model", number), part_name(1)});
  expect_error("m-00004-of-00003.gguf", ErrorCode::bad_file, {"part 4 of a split model", part_name(1)});
}

TEST_F(TensorFileTest, LaterPartUnderAnotherName) {
  write_parts();
  std::filesystem::rename(folder_ / part_name(2), folder_ / "model.gguf");
  expect_error("model.gguf", ErrorCode::bad_file,
               {path_of("model.gguf"), "'split.no' is 1; 0 is expected", "first part"});
}

TEST_F(TensorFileTest, FirstPartUnderAnotherName) {
  write_parts();
  for (const std::string name : {"model.gguf", "m-00001-of-00004.gguf", "m-00001-of-3.gguf", "m_00001-of-00003.gguf",
                                 "m-00001_of-00003.gguf", "m-0000x-of-00003.gguf", "-00001-of-00003.gguf"}) {
    std::filesystem::copy_file(folder_ / part_name(1), folder_ / name);
    expect_error(name, ErrorCode::bad_file, {path_of(name), "'split.count' is 3", "-00001-of-00003.gguf"});
  }
}

// Opening it alone would leave the tensors of the others out.
TEST_F(TensorFileTest, NameOfAPartWithoutTheKeys) {
  write_parts({{1, [](TestGguf& part) { part.keys.clear(); }}});
  expect_error(part_name(1), ErrorCode::bad_file,
               {path_of(part_name(1)), "'split.count' is 1", "-00001-of-00001.gguf"});
  write("one-00001-of-00001.gguf", TestGguf{}.write());
  EXPECT_TRUE(open("one-00001-of-00001.gguf"));
}

TEST_F(TensorFileTest, MissingPart) {
  for (const int number : {2, 3}) {
    write_parts();
    std::filesystem::remove(folder_ / part_name(number));
    expect_error(part_name(1), ErrorCode::not_found,
                 {path_of(part_name(1)), "3 parts", fmt::format("part {}", number), path_of(part_name(number))});
  }
}

TEST_F(TensorFileTest, DamagedPart) {
  write_parts();
  write(part_name(2), "");
  expect_error(part_name(1), ErrorCode::bad_file, {path_of(part_name(2)), "the magic number"});
}

TEST_F(TensorFileTest, PartsInTheWrongOrder) {
  write_parts();
  std::filesystem::rename(folder_ / part_name(2), folder_ / "other");
  std::filesystem::rename(folder_ / part_name(3), folder_ / part_name(2));
  std::filesystem::rename(folder_ / "other", folder_ / part_name(3));
  expect_error(part_name(1), ErrorCode::bad_file, {path_of(part_name(2)), "'split.no' is 2; 1 is expected"});
}

TEST_F(TensorFileTest, SameTensorInTwoParts) {
  write_parts({{3, [](TestGguf& part) { part.tensors[0].name = "blk.2.weight"; }}});
  expect_error(part_name(1), ErrorCode::bad_file,
               {path_of(part_name(3)), "tensor 'blk.2.weight' is in part 2 already"});
}

std::function<void(TestGguf&)> with_key(size_t idx, test::TestValue value) {
  return [=](TestGguf& part) { part.keys[idx].value = value; };
}

TEST_F(TensorFileTest, CountsThatDiffer) {
  write_parts({{2, with_key(1, test::u32(4))}});
  expect_error(part_name(1), ErrorCode::bad_file, {path_of(part_name(2)), "'split.count' is 4", "first part says 3"});
  for (const uint32_t count : {0U, 1U, 2U, 4U, 99'999U}) {
    write_parts({{1, with_key(1, test::u32(count))}});
    expect_error(part_name(1), ErrorCode::bad_file, {path_of(part_name(1)), fmt::format("'split.count' is {}", count)});
  }
  for (const uint32_t count : {0U, 2U, 4U, UINT32_MAX}) {
    write_parts({{1, with_key(2, test::u32(count))}});
    expect_error(part_name(1), ErrorCode::bad_file,
                 {path_of(part_name(1)), fmt::format("'split.tensors.count' is {}", count), "3 parts hold 3 tensors"});
  }
}

TEST_F(TensorFileTest, CountsThatAreNone) {
  write_parts({{1, with_key(1, test::u32(100'000))}});
  expect_error(part_name(1), ErrorCode::bad_file, {path_of(part_name(1)), "'split.count' is 100000", "at most 99999"});
  const std::pair<size_t, std::string> keys[] = {{0, "split.no"}, {1, "split.count"}, {2, "split.tensors.count"}};
  for (const auto& [idx, key] : keys) {
    write_parts({{1, with_key(idx, test::string("one"))}});
    expect_error(part_name(1), ErrorCode::bad_file, {path_of(part_name(1)), key, "string", "an integer"});
    write_parts({{1, with_key(idx, test::scalar<int32_t>(MetaType::i32, -1))}});
    expect_error(part_name(1), ErrorCode::bad_file, {path_of(part_name(1)), key, "is -1"});
  }
}

TEST_F(TensorFileTest, PartsMayHoldNoTensors) {
  write_parts({{1, [](TestGguf& part) { part.tensors.clear(), part.keys.pop_back(); }}});
  const auto opened = open(part_name(1));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->tensors().size(), 2);
}

}  // namespace
}  // namespace ogas
