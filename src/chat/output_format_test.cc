// Every chat template at hand has the format of its model, or none where its calls are written in another way.
#include "chat/output_format.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/file.h"
#include "chat/output_parser_test_formats.h"

namespace ogas {
namespace {

OutputFormat with_think(OutputFormat format, std::string begin = "<think>", std::string end = "</think>") {
  format.think_begin = std::move(begin);
  format.think_end = std::move(end);
  return format;
}

OutputFormat without_think(OutputFormat format) { return with_think(std::move(format), "", ""); }

OutputFormat with_response(OutputFormat format) {
  format.response_begin = "<response>";
  format.response_end = "</response>";
  return format;
}

// What is not here has neither reasoning nor calls that we know.
std::map<std::string, OutputFormat> expected_formats() {
  std::map<std::string, OutputFormat> formats;
  const auto add = [&](const OutputFormat& format, std::initializer_list<const char*> names) {
    for (const char* name : names) formats[std::string(name) + ".jinja"] = format;
  };
  add(json_tags(), {"Bielik-11B-v3.0-Instruct", "Qwen-QwQ-32B", "Qwen-Qwen3-0.6B", "Reka-Edge"});
  add(without_think(json_tags()),
      {"MiMo-VL", "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
       "Qwen-Qwen2.5-7B-Instruct", "ibm-granite-granite-4.0", "ibm-granite-granite-4.1"});
  add(function_tags(), {"NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "Qwen3.5-4B", "StepFun3.5-Flash"});
  add(without_think(function_tags()), {"Qwen3-Coder"});
  add(argument_tags(), {"GLM-4.6", "GLM-4.7-Flash", "Spark2.5", "inclusionai-ling-3.0-flash", "poolside-Laguna-S-2.1",
                        "poolside-Laguna-XS-2.1", "poolside-Laguna-XS.2"});
  add(seed_tags(), {"ByteDance-Seed-OSS"});
  add(call_tokens(), {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
                      "deepseek-ai-DeepSeek-V3.1", "llama-cpp-deepseek-r1"});
  add(bare_json(),
      {"meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct", "meta-llama-Llama-3.3-70B-Instruct"});
  add(channels(), {"openai-gpt-oss-120b"});
  add(with_think({}), {"HuggingFaceTB-SmolLM3-3B", "Kimi-K2-Thinking", "LFM2.5-8B-A1B", "LFM2.5-Instruct",
                       "NVIDIA-Nemotron-Nano-v2", "deepseek-ai-DeepSeek-V3.2", "deepseek-ai-DeepSeek-V4",
                       "deepseek-ai-DeepSeek-V4-Flash-0731", "llama-cpp-rwkv-world", "openbmb-MiniCPM5-1B"});
  // MiniMax-M2 marks results of tools so, which does no harm: no answer begins with one.
  add(with_response(with_think({})), {"ibm-granite-granite-3.3-2B-Instruct", "MiniMax-M2"});
  add(with_think({}, "[THINK]", "[/THINK]"), {"mistralai-Ministral-3-14B-Reasoning-2512"});
  return formats;
}

std::string show(const OutputFormat& format) {
  return fmt::format("{} think {} {} response {} calls {} {} {} tokens {} {} {} lines {}", format.channels,
                     format.think_begin, format.think_end, format.response_begin, static_cast<int>(format.call_syntax),
                     format.call_begin, format.call_end, format.calls_begin, format.call_separator, format.calls_end,
                     format.values_on_lines);
}

TEST(OutputFormat, OfEveryTemplate) {
  auto expected = expected_formats();
  size_t n_templates = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/data/text/templates")) {
    if (entry.path().extension() != ".jinja") continue;
    ++n_templates;
    const auto source = read_file(entry.path());
    ASSERT_TRUE(source) << source.error().message;
    const std::string name = entry.path().filename();
    EXPECT_EQ(show(output_format_of(*source)), show(expected[name])) << name;
  }
  EXPECT_EQ(n_templates, 70U);
  EXPECT_EQ(expected.size(), n_templates);
}

TEST(OutputFormat, EndsInReasoning) {
  EXPECT_TRUE(ends_in_reasoning(json_tags(), "<|im_start|>assistant\n<think>\n"));
  EXPECT_TRUE(ends_in_reasoning(json_tags(), "<think>"));
  EXPECT_FALSE(ends_in_reasoning(json_tags(), "<think>\n\n</think>\n\n"));
  EXPECT_FALSE(ends_in_reasoning(json_tags(), "What does <think> mean?<|im_end|>\n<|im_start|>assistant\n"));
  EXPECT_FALSE(ends_in_reasoning(json_tags(), ""));
  EXPECT_FALSE(ends_in_reasoning({}, "<think>"));
  EXPECT_TRUE(ends_in_reasoning(seed_tags(), "<seed:bos>assistant\n<seed:think>"));
  EXPECT_TRUE(ends_in_reasoning(channels(), "<|start|>assistant<|channel|>analysis<|message|>"));
  EXPECT_FALSE(ends_in_reasoning(channels(), "<|start|>assistant"));
}

}  // namespace
}  // namespace ogas
