#include "engine/model_identity.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "kernels/dispatch.h"

namespace ogas {
namespace {

namespace fs = std::filesystem;

class ModelIdentityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    fs::copy_file("tests/data/arch/llama/model.gguf", path());
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path path() const { return folder_ / "model.gguf"; }
  std::string identity() const {
    const auto file = TensorFile::open(path());
    EXPECT_TRUE(file) << file.error().message;
    return identity_of(*file).value();
  }
  // The last byte of the last tensor.
  void change_a_weight() const {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-1, std::ios::end);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(-1, std::ios::end);
    file.put(byte);
  }

  const fs::path folder_ = fs::temp_directory_path() / fmt::format("ogas_identity_{}", ::getpid());
};

TEST_F(ModelIdentityTest, IsOfTheContentNotOfTheName) {
  const std::string before = identity();
  fs::rename(path(), folder_ / "other.gguf");
  fs::copy_file(folder_ / "other.gguf", path());
  EXPECT_EQ(identity(), before);
  change_a_weight();
  EXPECT_NE(identity(), before);
}

TEST_F(ModelIdentityTest, OfPagesDependsOnAllThatChangesTheirBits) {
  const auto file = TensorFile::open(path()).value();
  CpuKernels kernels = **choose_kernels();
  KvLayout layout;
  layout.add({.k_dim = 32, .v_dim = 32});
  const auto identity = [&](bool has_panels, ModelOverrides overrides) {
    return identity_of_pages(file,
                             {.kernels = kernels, .layout = layout, .has_panels = has_panels, .overrides = overrides})
        .value();
  };
  const std::string own = identity(true, {});
  EXPECT_EQ(identity(true, {}), own);
  EXPECT_NE(identity(false, {}), own);
  EXPECT_NE(identity(true, {.n_expert_used = 1}), own);
  EXPECT_NE(identity(true, {.min_expert_weight = 0.5F}), own);
  ASSERT_TRUE(layout.set_format(Format::q8_0));
  EXPECT_NE(identity(true, {}), own);
  ASSERT_TRUE(layout.set_format(Format::f16));
  kernels.name = "another";
  EXPECT_NE(identity(true, {}), own);
}

}  // namespace
}  // namespace ogas
