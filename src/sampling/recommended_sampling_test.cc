// Sampling as publishers recommend it, from either kind of file.
#include "sampling/recommended_sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ogas {
namespace {

using ::testing::HasSubstr;

class RecommendedSampling : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "config.json") << "{}";
    std::ofstream(folder_ / "model.safetensors", std::ios::binary) << std::string("\2\0\0\0\0\0\0\0{}", 10);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Result<SamplingOptions> read(const std::string& generation_config) const {
    std::ofstream(folder_ / "generation_config.json") << generation_config;
    const auto file = TensorFile::open(folder_);
    EXPECT_TRUE(file) << file.error().message;
    return recommended_sampling(*file);
  }

  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / fmt::format("ogas_sampling_{}", ::getpid());
};

TEST_F(RecommendedSampling, WhatThePublisherSaysReplacesTheUsual) {
  const auto found = read(R"({"temperature": 0.7, "top_k": 20, "top_p": 1, "repetition_penalty": 1.05})");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->temperature, 0.7F);
  EXPECT_EQ(found->top_k, 20U);
  EXPECT_EQ(found->top_p, 1.0F);
  EXPECT_EQ(found->min_p, SamplingOptions{}.min_p);
  EXPECT_EQ(found->repetition_penalty, 1.05F);
  EXPECT_EQ(read("{}")->temperature, SamplingOptions{}.temperature);
  EXPECT_EQ(read(R"({"do_sample": false})")->temperature, 0);
}

TEST_F(RecommendedSampling, WhatMakesNoSenseIsNamed) {
  EXPECT_THAT(read(R"({"temperature": "hot"})").error().message, HasSubstr("generation_config.temperature"));
  EXPECT_THAT(read(R"({"top_p": 7})").error().message, HasSubstr("top_p"));
  EXPECT_THAT(read(R"({"top_k": -1})").error().message, HasSubstr("generation_config.top_k"));
}

}  // namespace
}  // namespace ogas
