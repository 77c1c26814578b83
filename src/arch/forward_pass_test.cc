// The result of a forward pass: which rows have logits, what more can be asked of it, and drafts of several sequences.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "arch/registry.h"
#include "base/thread_pool.h"
#include "engine/logits_test_tools.h"
#include "kernels/dispatch.h"
#include "ops/cpu/local_exec.h"

namespace ogas {
namespace {

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

std::vector<std::string> with_mtp() {
  std::vector<std::string> names = testing::all_architectures();
  std::erase_if(names, [](const std::string& name) {
    return !std::filesystem::exists(testing::kArchitectures / name / "mtp_logits.npy");
  });
  return names;
}

class ForwardPassTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto folder = testing::kArchitectures / GetParam();
    auto file = TensorFile::open(folder);
    ASSERT_TRUE(file) << file.error().message;
    file_ = *std::move(file);
    auto model = create_model(file_);
    ASSERT_TRUE(model) << model.error().message;
    model_ = *std::move(model);
    cache_ = std::make_unique<KvCache>(model_->facts().kv, uint64_t{1} << 30);
    prompt_ = testing::read_json((folder / "golden.json").string())["prompt"].get<std::vector<TokenId>>();
    ASSERT_GE(prompt_.size(), 8U);
    n_vocab_ = model_->facts().n_vocab;
  }

  std::span<const TokenId> tokens(size_t begin, size_t n) const { return std::span(prompt_).subspan(begin, n); }

  // Logits [n, n_vocab] of the first n tokens, from a pass of their own.
  std::vector<float> logits_alone(std::span<const TokenId> of) {
    KvSequence kv(*cache_);
    const BatchPart part{.tokens = of, .kv = &kv, .n_logits = static_cast<uint32_t>(of.size())};
    const auto pass = model_->forward(exec_, {&part, 1});
    EXPECT_TRUE(pass) << pass.error().message;
    return copy(pass->logits());
  }

  TensorFile file_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<KvCache> cache_;
  std::vector<TokenId> prompt_;
  size_t n_vocab_ = 0;
  ThreadPool pool_{2};
  Scratch scratch_{2};
  LocalExec exec_{pool_, *available_kernels().back(), scratch_};
};

TEST_P(ForwardPassTest, HasLogitsOfTheLastRowsThatPartsAskFor) {
  const auto a = tokens(0, 5), b = tokens(1, 4), c = tokens(2, 6);
  const std::vector<float> all_a = logits_alone(a), all_c = logits_alone(c);
  KvSequence kv_a(*cache_), kv_b(*cache_), kv_c(*cache_);
  const BatchPart parts[] = {{.tokens = a, .kv = &kv_a, .n_logits = 5},
                             {.tokens = b, .kv = &kv_b, .n_logits = 0},
                             {.tokens = c, .kv = &kv_c, .n_logits = 2}};
  const auto pass = model_->forward(exec_, parts);
  ASSERT_TRUE(pass) << pass.error().message;
  EXPECT_EQ(pass->n_rows(), 15U);
  EXPECT_EQ(pass->n_parts(), 3U);
  EXPECT_EQ(pass->logits().size(), 7 * n_vocab_);
  EXPECT_EQ(copy(pass->logits(0)), all_a);
  EXPECT_TRUE(pass->logits(1).empty());
  EXPECT_EQ(copy(pass->logits(2)), std::vector<float>(all_c.end() - 2 * std::ssize(pass->logits()) / 7, all_c.end()));
}

TEST_P(ForwardPassTest, GivesMoreOfAnyRowAndKeepsItsLogits) {
  const auto a = tokens(0, 5), b = tokens(2, 6);
  const std::vector<float> all_a = logits_alone(a), all_b = logits_alone(b);
  KvSequence kv_a(*cache_), kv_b(*cache_);
  const BatchPart parts[] = {{.tokens = a, .kv = &kv_a}, {.tokens = b, .kv = &kv_b}};
  const auto pass = model_->forward(exec_, parts);
  ASSERT_TRUE(pass) << pass.error().message;
  const std::vector<float> before = copy(pass->logits());
  const uint32_t rows[] = {7, 0, 4};
  const std::vector<float> more = copy(pass->logits_of(rows)), hidden = copy(pass->hidden_of(rows));
  const auto row = [&](const std::vector<float>& of, size_t idx) {
    const auto begin = of.begin() + static_cast<ptrdiff_t>(idx * n_vocab_);
    return std::vector<float>(begin, begin + static_cast<ptrdiff_t>(n_vocab_));
  };
  EXPECT_EQ(row(more, 0), row(all_b, 2));
  EXPECT_EQ(row(more, 1), row(all_a, 0));
  EXPECT_EQ(row(more, 2), row(all_a, 4));
  EXPECT_EQ(hidden.size(), 3 * model_->facts().n_embd);
  EXPECT_EQ(copy(pass->logits()), before);
  EXPECT_EQ(copy(pass->logits_of(rows)), more) << "asking again changes nothing";
}

using ForwardPassDeathTest = ForwardPassTest;

TEST_P(ForwardPassDeathTest, IsNotUsedAfterTheNextOneBegan) {
  KvSequence kv(*cache_);
  const BatchPart first{.tokens = tokens(0, 3), .kv = &kv}, second{.tokens = tokens(3, 1), .kv = &kv};
  const auto pass = model_->forward(exec_, {&first, 1});
  ASSERT_TRUE(pass);
  ASSERT_TRUE(model_->forward(exec_, {&second, 1}));
  EXPECT_DEATH(static_cast<void>(pass->logits()), "pass 1 is used after pass 2 began");
}

class DraftTest : public ForwardPassTest {
 protected:
  // Logits of the MTP head after each of n tokens, one pass and one draft for each of them.
  std::vector<float> drafts_alone(size_t begin, size_t n) {
    KvSequence kv(*cache_);
    std::vector<float> all;
    for (size_t idx = 0; idx < n; ++idx) {
      const BatchPart part{.tokens = tokens(begin + idx, 1), .kv = &kv, .n_logits = 0};
      const auto pass = model_->forward(exec_, {&part, 1});
      EXPECT_TRUE(pass) << pass.error().message;
      const auto draft = pass->draft({.tokens = tokens(begin + idx + 1, 1)});
      EXPECT_TRUE(draft) << draft.error().message;
      all.insert(all.end(), draft->begin(), draft->end());
    }
    return all;
  }
};

TEST_P(DraftTest, OfSeveralSequencesAreThoseOfEachAlone) {
  const std::vector<float> of_a = drafts_alone(0, 5), of_b = drafts_alone(2, 3);
  KvSequence kv_a(*cache_), kv_b(*cache_);
  const BatchPart parts[] = {{.tokens = tokens(0, 5), .kv = &kv_a}, {.tokens = tokens(2, 4), .kv = &kv_b}};
  const auto pass = model_->forward(exec_, parts);
  ASSERT_TRUE(pass) << pass.error().message;
  const std::vector<float> before = copy(pass->logits());
  // The second first, and only the first three of its rows: as if the fourth had been rejected.
  const DraftPart drafts[] = {{.part_idx = 1, .tokens = tokens(3, 3), .n_logits = 3},
                              {.part_idx = 0, .tokens = tokens(1, 5), .n_logits = 2}};
  const auto logits = pass->draft(drafts);
  ASSERT_TRUE(logits) << logits.error().message;
  std::vector<float> expected = of_b;
  expected.insert(expected.end(), of_a.end() - static_cast<ptrdiff_t>(2 * n_vocab_), of_a.end());
  EXPECT_EQ(copy(*logits), expected);
  EXPECT_EQ(copy(pass->logits()), before) << "the pass stays as it is";
}

// Notes the sums it is asked for, which are this rank's own, or fails at one of them.
class NotingComm : public Comm {
 public:
  Rank rank() const override { return {}; }
  Result<> all_reduce(const Matrix& y, size_t n_rows) override {
    sums.push_back({y.n_cols(), n_rows});
    if (sums.size() == fails_at) return fail(ErrorCode::io, "the peer is gone");
    return {};
  }

  std::vector<std::pair<size_t, size_t>> sums;  // columns, rows
  size_t fails_at = 0;                          // counted from 1; 0: never
};

TEST_P(ForwardPassTest, WhatEachBlockMakesIsSummedOverRanks) {
  const auto expected = logits_alone(tokens(0, 5));
  NotingComm comm;
  Exec exec{exec_.device, scratch_, comm};
  KvSequence kv(*cache_);
  const BatchPart part{.tokens = tokens(0, 5), .kv = &kv, .n_logits = 5};
  const auto pass = model_->forward(exec, {&part, 1});
  ASSERT_TRUE(pass) << pass.error().message;
  EXPECT_EQ(copy(pass->logits()), expected);
  const auto& facts = model_->facts();
  EXPECT_EQ(comm.sums, std::vector(2 * facts.n_layer, std::pair(size_t{facts.n_embd}, size_t{5})));

  comm = {};
  comm.fails_at = 2;
  KvSequence other(*cache_);
  const BatchPart again{.tokens = tokens(0, 5), .kv = &other, .n_logits = 5};
  const auto failed = model_->forward(exec, {&again, 1});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "the peer is gone");
  EXPECT_EQ(comm.sums.size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(All, ForwardPassTest, ::testing::ValuesIn(testing::all_architectures()),
                         [](const auto& test) { return test.param; });
INSTANTIATE_TEST_SUITE_P(Llama, ForwardPassDeathTest, ::testing::Values("llama"));
INSTANTIATE_TEST_SUITE_P(All, DraftTest, ::testing::ValuesIn(with_mtp()), [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ogas
