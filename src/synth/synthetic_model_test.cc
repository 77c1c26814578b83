#include "synth/synthetic_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "files/gguf.h"
#include "files/vocab_reader.h"
#include "text/tokenizer.h"

namespace ogas {
namespace {

TEST(RandomBlocks, HaveTheDeviationAskedForAndNoMean) {
  for (const FormatFacts& facts : all_formats()) {
    if (!has_random_blocks(facts.format)) continue;
    constexpr size_t kValues = 1 << 16;
    constexpr float kDeviation = 0.0173F;
    std::vector<std::byte> blocks(facts.bytes_for(kValues)), again(blocks.size());
    const RandomBlocks random(facts.format, kDeviation);
    random.fill(blocks, 5);
    random.fill(again, 5);
    EXPECT_EQ(blocks, again) << facts.name;
    random.fill(again, 6);
    EXPECT_NE(blocks, again) << facts.name;
    std::vector<float> values(kValues);
    facts.decode(blocks.data(), values.data(), kValues / facts.block_values);
    double sum = 0, squares = 0;
    for (const float value : values) sum += value, squares += double{value} * value;
    EXPECT_NEAR(std::sqrt(squares / kValues) / kDeviation, 1, 0.03) << facts.name;
    EXPECT_NEAR(sum / kValues / kDeviation, 0, 0.03) << facts.name;
  }
}

TEST(SyntheticModel, IsAFileWithATokenizerOfItsSize) {
  for (const ModelShape& shape : all_shapes()) {
    const auto model = SyntheticModel::create(shape, {.n_layer = 1});
    ASSERT_TRUE(model) << model.error().message;
    std::string bytes = model->header();
    EXPECT_EQ(bytes.size() % GgufWriter::kAlignment, 0U);
    EXPECT_EQ(model->n_bytes(), model->offset_of(model->pieces().back()) + model->pieces().back().n_bytes);
    bytes.replace(8, 8, std::string(8, '\0'));  // no tensors
    const auto parsed = parse_gguf(std::as_bytes(std::span(bytes.data(), bytes.size())));
    ASSERT_TRUE(parsed) << shape.name << ": " << parsed.error().message;
    auto vocab = read_vocab(parsed->metadata);
    ASSERT_TRUE(vocab) << vocab.error().message;
    EXPECT_EQ(vocab->tokens.size(), shape.n_vocab);
    const auto tokenizer = Tokenizer::create(*std::move(vocab));
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    const std::string text = "the cat sat on 42 mats; naïve 水";
    std::string decoded;
    const auto ids = (*tokenizer)->encode(text);
    EXPECT_LT(ids.size(), text.size());
    for (const TokenId id : ids) decoded += (*tokenizer)->bytes_of(id);
    EXPECT_EQ(decoded, text) << shape.name;
  }
}

TEST(SyntheticModel, RefusesWhatCannotBe) {
  const ModelShape& shape = all_shapes().front();
  EXPECT_EQ(SyntheticModel::create(shape, {.n_layer = shape.n_layer + 1}).error().code, ErrorCode::usage);
  EXPECT_EQ(SyntheticModel::create(shape, {.type = "IQ1_S"}).error().code, ErrorCode::usage);
  EXPECT_TRUE(SyntheticModel::create(shape, {.n_layer = shape.n_layer, .type = "q4_k_m"}));
}

TEST(SyntheticModel, MixesAsPublishedFilesDo) {
  const auto model = SyntheticModel::create(*find_shape("llama-3.1-8b"), {});
  size_t n_q6 = 0, n_down = 0;
  for (const auto& tensor : model->layout().tensors()) {
    const bool is_mixed = tensor.name.ends_with("ffn_down.weight") || tensor.name.ends_with("attn_v.weight");
    n_down += is_mixed;
    n_q6 += is_mixed && tensor.format == Format::q6_k;
    EXPECT_TRUE(tensor.name != "output.weight" || tensor.format == Format::q6_k);
  }
  EXPECT_EQ(n_down, 64U);
  EXPECT_EQ(n_q6, 32U);
  // The published file of this model, format and 8,030,261,312 parameters (64 of them rope_freqs) has 4.92 GB.
  EXPECT_EQ(model->n_params(), 8'030'261'248U);
  EXPECT_NEAR(static_cast<double>(model->n_bytes()) / 1e9, 4.92, 0.01);
}

}  // namespace
}  // namespace ogas
