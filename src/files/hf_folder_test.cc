// Folders in Hugging Face's format: valid ones, and every kind of damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "files/json.h"
#include "files/safetensors.h"
#include "files/tensor_file.h"
#include "files/vocab_reader.h"

namespace ogas {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string with_header(const std::string& header, size_t n_data, std::optional<uint64_t> length = {}) {
  const uint64_t n = length.value_or(header.size());
  std::string bytes(reinterpret_cast<const char*>(&n), sizeof n);
  bytes += header;
  for (size_t i = 0; i < n_data; ++i) bytes += static_cast<char>(i);
  return bytes;
}

Result<std::vector<SafetensorsEntry>> parse(const std::string& bytes) {
  return parse_safetensors(std::as_bytes(std::span(bytes.data(), bytes.size())),
                           [](std::string_view name) { return name != "unwanted"; });
}

std::string message_of(const std::string& header, size_t n_data = 64) {
  const auto parsed = parse(with_header(header, n_data));
  EXPECT_FALSE(parsed) << header;
  return parsed ? "no error" : parsed.error().message;
}

TEST(Safetensors, TensorsPointIntoTheFile) {
  const std::string bytes = with_header(
      R"({"__metadata__": {"format": "pt"}, "b": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [4, 16]},
          "ids": {"dtype": "I64", "shape": [], "data_offsets": [16, 24]}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})",
      24);
  const auto parsed = parse(bytes);
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->size(), 2U);  // integers are not weights
  EXPECT_EQ((*parsed)[0].name, "b");
  EXPECT_EQ((*parsed)[0].info.shape.to_string(), "[2, 3]");
  EXPECT_EQ((*parsed)[0].info.format, Format::bf16);
  EXPECT_EQ(reinterpret_cast<const char*>((*parsed)[0].info.data.data()), bytes.data() + bytes.size() - 20);
  EXPECT_EQ((*parsed)[1].info.data.size(), 4U);
}

TEST(Safetensors, DamagedHeadersAreRefusedByName) {
  const auto tensor = [](const std::string& fields) { return R"({"w.x": {)" + fields + "}}"; };
  const std::string good = R"("dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16])";
  ASSERT_TRUE(parse(with_header(tensor(good), 16)));
  const std::pair<std::string, std::string> wrong[] = {
      {R"("shape": [4], "data_offsets": [0, 16])", "'dtype'"},
      {R"("dtype": "F31", "shape": [4], "data_offsets": [0, 16])", "'F31'"},
      {R"("dtype": 3, "shape": [4], "data_offsets": [0, 16])", "'dtype'"},
      {R"("dtype": "F32", "data_offsets": [0, 16])", "'shape'"},
      {R"("dtype": "F32", "shape": [2, -2], "data_offsets": [0, 16])", "'-2'"},
      {R"("dtype": "F32", "shape": [2, 2.5], "data_offsets": [0, 16])", "'2.5'"},
      {R"("dtype": "F32", "shape": [1, 1, 1, 2, 2], "data_offsets": [0, 16])", "at most 4"},
      {R"("dtype": "F32", "shape": [0, 4], "data_offsets": [0, 0])", "dimension 0 is 0"},
      {R"("dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 16])", "2^61"},
      {R"("dtype": "F32", "shape": [18446744073709551615, 2], "data_offsets": [0, 16])", "2^61"},
      {R"("dtype": "F32", "shape": [4], "data_offsets": [16, 0])", "data_offsets"},
      {R"("dtype": "F32", "shape": [4], "data_offsets": [0, 65])", "within 64 bytes"},
      {R"("dtype": "F32", "shape": [4], "data_offsets": [56, 18446744073709551615])", "within 64 bytes"},
      {R"("dtype": "F32", "shape": [4], "data_offsets": [0, 15])", "span 15 bytes"},
      {R"("dtype": "F32", "shape": [4], "data_offsets": [0])", "data_offsets"},
      {R"("dtype": "F32", "shape": [4])", "'data_offsets'"},
  };
  for (const auto& [fields, expected] : wrong)
    EXPECT_THAT(message_of(tensor(fields)), AllOf(HasSubstr(expected), HasSubstr("w.x")));
  EXPECT_THAT(message_of("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(message_of(R"({"a": 1})"), HasSubstr("'a'"));
  EXPECT_THAT(message_of(R"({"a")"), HasSubstr("not JSON"));
  EXPECT_THAT(message_of(R"({"a\u001b[2J": 1})"), ::testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(message_of("{\"a\": {" + good + "}, \"a\": {" + good + "}}"), HasSubstr("'a' appears twice"));
  EXPECT_THAT(message_of(R"({"a": {)" + good + R"(}, "b": {"dtype": "F32", "shape": [2], "data_offsets": [12, 20]}})"),
              AllOf(HasSubstr("'b'"), HasSubstr("overlaps"), HasSubstr("'a'")));
  EXPECT_THAT(message_of(std::string(100'000, '[')), HasSubstr("nested deeper"));
}

TEST(Safetensors, OfWhatIsNotWantedNothingIsRead) {
  const auto parsed = parse(
      with_header(R"({"unwanted": {"dtype": "?"}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})", 4));
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->size(), 1U);
  EXPECT_EQ(parsed->front().name, "a");
}

TEST(Safetensors, LengthsAreChecked) {
  for (const uint64_t length : {uint64_t{3}, uint64_t{100}, uint64_t{1} << 32, UINT64_MAX - 7, UINT64_MAX}) {
    EXPECT_FALSE(parse(with_header("{}", 10, length))) << length;
  }
  EXPECT_FALSE(parse(""));
  EXPECT_FALSE(parse("1234567"));
  const std::string whole = with_header(R"({"a": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]}})", 8);
  for (size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(parse(whole.substr(0, n))) << n;
}

class HfFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("ogas_hf_folder_{}", ::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  std::string error() const {
    const auto file = TensorFile::open(folder_);
    EXPECT_FALSE(file);
    return file ? "no error" : file.error().message;
  }

  std::filesystem::path folder_;
  const std::string a_ = with_header(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})", 4);
  const std::string b_ = with_header(R"({"b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})", 4);
};

TEST_F(HfFolder, ShardsAndConfig) {
  write("config.json",
        R"({"model_type": "x", "n": 3, "f": 2.5, "i": -1, "yes": true, "none": null, "deep": {"er": {"k": 7}},
                           "ints": [1, 2], "mixed": [1, 2.5], "names": ["a", "bc"], "odd": [1, "a"]})");
  write("model-1.safetensors", a_);
  write("model-2.safetensors", b_);
  write("model.safetensors.index.json", R"({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})");
  for (const auto& path : {folder_, folder_ / "config.json", folder_ / "model-1.safetensors"}) {
    auto file = TensorFile::open(path);
    ASSERT_TRUE(file) << file.error().message;
    const TensorFile moved = *std::move(file);  // views survive
    EXPECT_EQ(moved.naming(), Naming::hf);
    EXPECT_NE(moved.find("a"), nullptr);
    EXPECT_EQ(moved.find("b")->shard, 1U);
    const Metadata& m = moved.metadata();
    EXPECT_EQ(m.get_string("model_type").value(), "x");
    EXPECT_EQ(m.get_uint("n").value(), 3U);
    EXPECT_EQ(m.get_float("n").value(), 3.0);
    EXPECT_EQ(m.get_float("f").value(), 2.5);
    EXPECT_EQ(m.get_float("i").value(), -1.0);
    EXPECT_TRUE(m.get_bool("yes").value());
    EXPECT_FALSE(m.contains("none"));
    EXPECT_EQ(m.get_uint("deep.er.k").value(), 7U);
    EXPECT_THAT(m.get_ints("ints", 9).value(), ::testing::ElementsAre(1, 2));
    EXPECT_THAT(m.get_floats("mixed", 9).value(), ::testing::ElementsAre(1.0F, 2.5F));
    EXPECT_THAT(m.get_strings("names", 9).value(), ::testing::ElementsAre("a", "bc"));
    EXPECT_FALSE(m.contains("odd"));
  }
}

// Two ways of publishing a model that sees, too.
TEST_F(HfFolder, TheLanguageModelOfOneThatSeesIsReadAsIfItWereAlone) {
  write("config.json", R"({"model_type": "seer", "eos_token_id": 5, "n": 1, "vision_config": {"hidden_size": 7},
                           "text_config": {"model_type": "seer_text", "n": 2, "rope": {"base": 3}}})");
  const std::string of_one = R"("dtype": "F32", "shape": [1], "data_offsets": [0, 4])";
  const std::string of_five_axes = R"("dtype": "F32", "shape": [1, 1, 1, 1, 1], "data_offsets": [4, 8])";
  for (const auto& [layer, image] : {std::pair("model.language_model.layers.0.x", "model.visual.patch"),
                                     std::pair("language_model.model.layers.0.x", "vision_tower.patch")}) {
    write("model.safetensors",
          with_header(fmt::format(R"({{"{}": {{{}}}, "{}": {{{}}}}})", layer, of_one, image, of_five_axes), 8));
    const auto file = TensorFile::open(folder_);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->tensors().size(), 1U);
    EXPECT_NE(file->find("model.layers.0.x"), nullptr);
    EXPECT_EQ(file->metadata().get_string("model_type").value(), "seer");
    EXPECT_EQ(file->metadata().get_uint("n").value(), 2U);
    EXPECT_EQ(file->metadata().get_uint("rope.base").value(), 3U);
    EXPECT_EQ(file->metadata().get_uint("eos_token_id").value(), 5U);
    EXPECT_EQ(file->metadata().get_uint("vision_config.hidden_size").value(), 7U);
  }
}

TEST_F(HfFolder, GenerationConfigIsReadWhereThereIsOne) {
  write("config.json", R"({"eos_token_id": 0})");
  write("model.safetensors", a_);
  const std::string tokenizer = R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2}, "merges": []}})";
  write("tokenizer.json", tokenizer);
  const auto ends = [&] {
    const auto file = TensorFile::open(folder_);
    EXPECT_TRUE(file) << file.error().message;
    const auto vocab = read_vocab(*file);
    return vocab ? fmt::format("{}", fmt::join(vocab->ends, " ")) : vocab.error().message;
  };
  EXPECT_EQ(ends(), "0");
  write("generation_config.json", R"({"eos_token_id": [1, 2, 3, -1], "temperature": 1})");
  EXPECT_EQ(ends(), "1 2");  // of those in the vocabulary
  EXPECT_EQ(TensorFile::open(folder_)->metadata().get_float("generation_config.temperature").value(), 1.0);
  write("generation_config.json", R"({"eos_token_id": 2})");
  EXPECT_EQ(ends(), "2");
  write("generation_config.json", R"({"eos_token_id": "2"})");
  EXPECT_THAT(ends(), AllOf(HasSubstr("generation_config.eos_token_id"), HasSubstr("integer")));
  write("generation_config.json", "[");
  EXPECT_THAT(error(), HasSubstr("generation_config.json"));
}

TEST_F(HfFolder, WhatIsMissingOrWrongIsNamed) {
  EXPECT_THAT(error(), HasSubstr("config.json"));
  write("config.json", "{");
  EXPECT_THAT(error(), AllOf(HasSubstr("config.json"), HasSubstr("not JSON")));
  write("config.json", "[]");
  EXPECT_THAT(error(), HasSubstr("object"));
  write("config.json", R"({"model_type": "x"})");
  EXPECT_THAT(error(), HasSubstr("neither model.safetensors"));
  write("model.safetensors.index.json", R"({"weight_map": {"a": "../model.safetensors"}})");
  EXPECT_THAT(error(), HasSubstr("../model.safetensors"));
  write("model.safetensors.index.json", R"({"weight_map": {"a": 3}})");
  EXPECT_THAT(error(), HasSubstr("'3'"));
  write("model.safetensors.index.json", R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
  write("1.safetensors", a_);
  EXPECT_THAT(error(), HasSubstr("2.safetensors"));
  write("2.safetensors", a_);
  EXPECT_THAT(error(), AllOf(HasSubstr("'a'"), HasSubstr("1.safetensors already")));
}

TEST_F(HfFolder, BlocksOfFp8HaveTheirFactors) {
  const auto model = [](const std::string& scale_dtype, const std::string& scale_shape, size_t n_scale) {
    return with_header(fmt::format(R"({{"w": {{"dtype": "F8_E4M3", "shape": [130, 3], "data_offsets": [0, 390]}},
      "w_scale_inv": {{"dtype": "{}", "shape": {}, "data_offsets": [390, {}]}}}})",
                                   scale_dtype, scale_shape, 390 + n_scale),
                       390 + n_scale);
  };
  write("config.json", "{}");
  write("model.safetensors", model("F32", "[2, 1]", 8));
  const auto file = TensorFile::open(folder_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->find("w")->block_scales.size(), 2U);
  EXPECT_EQ(file->find("w_scale_inv"), nullptr);
  write("model.safetensors", model("BF16", "[2, 1]", 4));
  EXPECT_TRUE(TensorFile::open(folder_));
  write("model.safetensors", model("F32", "[1, 2]", 8));
  EXPECT_THAT(error(), AllOf(HasSubstr("w_scale_inv"), HasSubstr("[2, 1]")));
  write("model.safetensors", with_header(R"({"w": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}})", 2));
  EXPECT_THAT(error(), HasSubstr("w_scale_inv"));
  write("config.json", R"({"quantization_config": {"weight_block_size": [64, 64]}})");
  write("model.safetensors", model("F32", "[2, 1]", 8));
  EXPECT_THAT(error(), HasSubstr("[64, 64]"));
}

TEST_F(HfFolder, BlocksOfMxfp4HaveTheirScales) {
  const auto model = [](const std::string& blocks_shape, const std::string& scales_name,
                        const std::string& scales_shape) {
    return with_header(fmt::format(R"({{"w_blocks": {{"dtype": "U8", "shape": {}, "data_offsets": [0, 192]}},
      "{}": {{"dtype": "U8", "shape": {}, "data_offsets": [192, 204]}}}})",
                                   blocks_shape, scales_name, scales_shape),
                       204);
  };
  write("config.json", "{}");
  write("model.safetensors", model("[2, 3, 2, 16]", "w_scales", "[2, 3, 2]"));
  const auto file = TensorFile::open(folder_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->tensors().size(), 1U);
  const TensorInfo* tensor = file->find("w_blocks");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->format, Format::mxfp4_split);
  EXPECT_EQ(tensor->shape.to_string(), "[2, 3, 64]");
  EXPECT_EQ(tensor->n_bytes(), 204U);
  EXPECT_EQ(tensor->scales.data(), tensor->data.data() + 192);
  write("model.safetensors", model("[2, 3, 2, 16]", "w_scales", "[3, 2, 2]"));
  EXPECT_THAT(error(), AllOf(HasSubstr("w_scales"), HasSubstr("[2, 3, 2]")));
  write("model.safetensors", model("[2, 3, 2, 16]", "w_other", "[2, 3, 2]"));
  EXPECT_THAT(error(), HasSubstr("w_scales"));
  write("model.safetensors", model("[24, 8]", "w_scales", "[12]"));  // other bytes are not weights
  EXPECT_EQ(TensorFile::open(folder_)->tensors().size(), 0U);
}

}  // namespace
}  // namespace ogas
