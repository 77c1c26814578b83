// How models' tensors would be divided among ranks: what each architecture states must fit together.
#include "nn/shard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "arch/registry.h"
#include "engine/logits_test_tools.h"

namespace ogas {
namespace {

using Axis = Shard::Axis;

// "blk.3." of "blk.3.attn_q.weight"; empty outside of layers.
std::string block_of(const std::string& name) {
  static const std::regex kBlock(R"(^(.*?\.\d+\.).*)");
  std::smatch match;
  return std::regex_match(name, match, kBlock) ? match[1].str() : std::string();
}

class ShardsTest : public ::testing::TestWithParam<std::string> {
 protected:
  // Those of the model in this file or folder, and the length of its hidden states.
  void load(const std::filesystem::path& path) {
    file_ = TensorFile::open(path);
    ASSERT_TRUE(file_) << file_.error().message;
    auto model = create_model(*file_);
    ASSERT_TRUE(model) << model.error().message;
    shards_.assign((*model)->shards().begin(), (*model)->shards().end());
    n_embd_ = (*model)->facts().n_embd;
  }
  void expect_whole_units(const TensorShard& tensor) const {
    if (tensor.shard.axis == Axis::none) {
      EXPECT_EQ(tensor.shard.unit, ShardUnit::none) << tensor.name;
      return;
    }
    EXPECT_NE(tensor.shard.unit, ShardUnit::none) << tensor.name;
    const auto whole = share_of(tensor, Rank{});
    EXPECT_EQ(whole.front().begin, 0U) << tensor.name;
    EXPECT_EQ(whole.back().end, tensor.axis_length()) << tensor.name;
    for (size_t idx = 1; idx < whole.size(); ++idx) EXPECT_EQ(whole[idx].begin, whole[idx - 1].end) << tensor.name;
    // Each unit belongs to one rank, also where their number does not divide the units.
    const auto first = share_of(tensor, {0, 3}), second = share_of(tensor, {1, 3}), last = share_of(tensor, {2, 3});
    for (size_t idx = 0; idx < whole.size(); ++idx) {
      EXPECT_EQ(first[idx].begin, whole[idx].begin) << tensor.name;
      EXPECT_EQ(second[idx].begin, first[idx].end) << tensor.name;
      EXPECT_EQ(last[idx].begin, second[idx].end) << tensor.name;
      EXPECT_EQ(last[idx].end, whole[idx].end) << tensor.name;
    }
  }
  // Within a block: what is made by rows is summed over by columns, by the same number of units.
  void expect_pairs(const std::string& block, const std::vector<const TensorShard*>& tensors) const {
    std::map<ShardUnit, std::set<uint64_t>> n_units;
    std::map<ShardUnit, std::set<Axis>> axes;
    for (const TensorShard* tensor : tensors) {
      const Shard& shard = tensor->shard;
      if (shard.axis == Axis::none) continue;
      n_units[shard.unit].insert(shard.n_units);
      axes[shard.unit].insert(shard.axis);
      if (shard.axis == Axis::columns) {
        EXPECT_EQ(tensor->n_rows, n_embd_) << tensor->name << ": what is summed up";
      }
    }
    for (const auto& [unit, counts] : n_units) {
      EXPECT_EQ(counts.size(), 1U) << block << " has tensors of different units " << static_cast<int>(unit);
      const bool is_summed = unit != ShardUnit::kv_head && unit != ShardUnit::token;
      EXPECT_EQ(axes[unit].contains(Axis::columns), is_summed) << block << " " << static_cast<int>(unit);
      EXPECT_TRUE(axes[unit].contains(Axis::rows)) << block << " " << static_cast<int>(unit);
    }
    if (n_units.contains(ShardUnit::kv_head)) {
      EXPECT_EQ(*n_units[ShardUnit::head].begin() % *n_units[ShardUnit::kv_head].begin(), 0U) << block;
    }
  }

  Result<TensorFile> file_;
  std::vector<TensorShard> shards_;
  uint64_t n_embd_ = 0;
};

TEST_P(ShardsTest, EveryTensorStatesOneThatFits) {
  for (const auto& path : {testing::kArchitectures / GetParam() / "model.gguf", testing::kArchitectures / GetParam()}) {
    SCOPED_TRACE(path.string());
    if (!std::filesystem::exists(path)) continue;  // not published as GGUF
    load(path);
    std::set<std::string> names;
    std::map<std::string, std::vector<const TensorShard*>> blocks;
    for (const TensorShard& tensor : shards_) {
      names.insert(tensor.name);
      blocks[block_of(tensor.name)].push_back(&tensor);
      expect_whole_units(tensor);
    }
    for (const auto& [block, tensors] : blocks) expect_pairs(block, tensors);
    const bool has_experts = std::ranges::count(testing::with_experts(), GetParam()) > 0;
    EXPECT_EQ(std::ranges::any_of(shards_, [](const auto& t) { return t.shard.unit == ShardUnit::expert_ff; }),
              has_experts);
    // One that only frequencies of rotations follow from may be ignored.
    for (const auto& [name, tensor] : file_->tensors())
      EXPECT_TRUE(names.contains(std::string(name)) || name.find("inv_freq") != std::string_view::npos) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ShardsTest, ::testing::ValuesIn(testing::all_architectures()),
                         [](const auto& test) { return test.param; });

// Columns of the output go with rows of the queries, whatever the sections.
TEST(Shard, ShareOfARank) {
  const TensorShard q{"q", 1, 24, 5, Shard::rows(ShardUnit::head, 6)};
  const TensorShard out{"out", 1, 5, 24, Shard::columns(ShardUnit::head, 6)};
  for (const uint32_t idx : {0U, 1U, 2U, 3U}) EXPECT_EQ(share_of(q, {idx, 4}), share_of(out, {idx, 4}));
  EXPECT_EQ(share_of(q, {1, 4}), (std::vector<AxisRange>{{4, 12}}));
  const TensorShard qkv{"qkv", 1, 40, 5, Shard::rows(ShardUnit::key_head, 2, {8, 8, 24})};
  EXPECT_EQ(share_of(qkv, {1, 2}), (std::vector<AxisRange>{{4, 8}, {12, 16}, {28, 40}}));
  const TensorShard stack{"stack", 6, 3, 5, Shard::matrices(ShardUnit::head, 6)};
  EXPECT_EQ(share_of(stack, {2, 3}), (std::vector<AxisRange>{{4, 6}}));
  EXPECT_DEATH(share_of({"q", 1, 25, 5, Shard::rows(ShardUnit::head, 6)}, {}), "6 units in a section of 25");
  EXPECT_DEATH(share_of({"qkv", 1, 41, 5, qkv.shard}, {}), "sections of 40 in all, of 41");
  EXPECT_DEATH(share_of({"norm", 1, 5, 1, kReplicated}, {}), "rank 0 of 1 of 'norm'");
}

}  // namespace
}  // namespace ogas
