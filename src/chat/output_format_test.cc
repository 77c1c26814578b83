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

OutputFormat with_text_marks(OutputFormat format) {
  format.response_begin = "<|START_TEXT|>";
  format.response_end = "<|END_TEXT|>";
  return format;
}

OutputFormat without_response_end(OutputFormat format) {
  format.response_end = "";
  return format;
}

OutputFormat function_call_token() { return {.call_syntax = CallSyntax::json, .call_begin = "<|function_call|>"}; }

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
  add(json_in_one_block(), {"MiniMax-M1"});
  add(gigachat(), {"GigaChat3-10B-A1.8B"});
  add(function_call_token(), {"GigaChat3.1-10B-A1.8B"});
  add(bare_json(),
      {"meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct", "meta-llama-Llama-3.3-70B-Instruct"});
  add(json_list("[TOOL_CALLS]", ""), {"mistralai-Mistral-Nemo-Instruct-2407"});
  add(with_think(json_list("<TOOLCALL>", "</TOOLCALL>")), {"NVIDIA-Nemotron-Nano-v2"});
  add(with_response(with_think(json_list("<|tool_call|>", ""))), {"ibm-granite-granite-3.3-2B-Instruct"});
  add(json_list("functools", ""), {"fireworks-ai-llama-3-firefunction-v2"});
  add(final_response(), {"unsloth-Apriel-1.5"});
  add(without_response_end(final_response()), {"Apriel-1.6-15b-Thinker-fixed"});
  add(cohere_list(), {"CohereForAI-c4ai-command-r7b-12-2024-tool_use"});
  add(with_text_marks(cohere_list()), {"Cohere2MoE"});
  add(fenced_list(), {"CohereForAI-c4ai-command-r-plus-tool_use"});
  add(json_by_name(), {"Apertus-8B-Instruct"});
  add(function_tags(), {"NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "Qwen3.5-4B", "StepFun3.5-Flash"});
  add(without_think(function_tags()), {"Qwen3-Coder"});
  add(seed_tags(), {"ByteDance-Seed-OSS"});
  add(argument_tags(), {"GLM-4.6", "GLM-4.7-Flash", "Spark2.5", "inclusionai-ling-3.0-flash", "poolside-Laguna-S-2.1",
                        "poolside-Laguna-XS-2.1", "poolside-Laguna-XS.2"});
  add(hunyuan_tags(), {"tencent-Hy3"});
  // It marks results of tools as responses, which does no harm: no answer begins with one.
  add(with_response(minimax_tags()), {"MiniMax-M2"});
  add(nested_tags(), {"MiniMax-M3"});
  add(dsml_tags("function_calls"), {"deepseek-ai-DeepSeek-V3.2"});
  add(dsml_tags("tool_calls"), {"deepseek-ai-DeepSeek-V4", "deepseek-ai-DeepSeek-V4-Flash-0731"});
  add(minicpm_tags(), {"openbmb-MiniCPM5-1B"});
  add(kimi_k3_tags(), {"Kimi-K3"});
  add(fenced_call_tokens(), {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
                             "llama-cpp-deepseek-r1"});
  add(call_tokens(), {"deepseek-ai-DeepSeek-V3.1"});
  add(kimi_tokens(), {"Kimi-K2-Thinking"});
  add(without_think(kimi_tokens()), {"Kimi-K2-Instruct", "moonshotai-Kimi-K2"});
  add(without_think(mistral_tokens("[CALL_ID]")), {"Mistral-Small-3.2-24B-Instruct-2506"});
  add(without_think(mistral_tokens("")), {"unsloth-mistral-Devstral-Small-2507"});
  add(mistral_tokens(""), {"mistralai-Ministral-3-14B-Reasoning-2512"});
  add(solar_tokens(), {"upstage-Solar-Open-100B"});
  add(functionary_tokens(), {"meetkai-functionary-medium-v3.1"});
  add(without_think(python_calls()), {"LFM2-8B-A1B"});
  add(python_calls(), {"LFM2.5-8B-A1B", "LFM2.5-Instruct"});
  add(brace_calls(), {"google-gemma-4-31B-it", "google-gemma-4-31B-it-interleaved"});
  add(channels(), {"openai-gpt-oss-120b"});
  add(with_think({}), {"HuggingFaceTB-SmolLM3-3B", "llama-cpp-rwkv-world"});
  return formats;
}

std::string show(const CallTags& tags) {
  return fmt::format("name {} {} {} argument {} {} {} {} end {} raw {} {} types {} escapes {}", tags.name_begin,
                     tags.name_end, tags.head_end, tags.argument_begin, tags.key_end, tags.value_begin, tags.value_end,
                     tags.call_end, tags.raw_begin, tags.raw_end, static_cast<int>(tags.types), tags.escapes_keys);
}

std::string show(const OutputFormat& format) {
  return fmt::format(
      "channels {} think {} {} {} response {} {} message {} {} calls {} all {} {} each {} {} keys {} {} name {} {} {} "
      "fences {} tags {} lines {} strings {}",
      format.channels, format.think_begin, format.think_end, format.calls_end_reasoning, format.response_begin,
      format.response_end, format.message_begin, format.message_end, static_cast<int>(format.call_syntax),
      format.calls_begin, format.calls_end, format.call_begin, format.call_end, format.name_key, format.arguments_key,
      format.name_begin, format.id_begin, format.call_separator, format.fences_arguments, show(format.tags),
      format.values_on_lines, format.string_mark);
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

// Templates that are not at hand: those of vLLM for Llama 3.2 and 4, Phi-4-mini, FunctionGemma.
TEST(OutputFormat, OfWordsOfOtherTemplates) {
  EXPECT_EQ(show(output_format_of("Respond in the format [func_name1(params_name1=params_value1, ...)]")),
            show(bare_python_calls()));
  EXPECT_EQ(show(output_format_of("formatted as functools[{\"name\": ...}]")), show(json_list("functools", "")));
  OutputFormat function_gemma = without_think(brace_calls());
  function_gemma.call_begin = "<start_function_call>";
  function_gemma.call_end = "<end_function_call>";
  function_gemma.string_mark = "<escape>";
  EXPECT_EQ(show(output_format_of("'<start_function_call>call:' + '<escape>'")), show(function_gemma));
}

// No mark begins with another, which MarkFinder asks for.
TEST(OutputFormat, MarksCanBeToldApart) {
  for (const auto& [name, format] : expected_formats()) {
    const std::string_view marks[] = {
        format.think_begin, format.response_begin, format.response_end,    format.message_begin, format.message_end,
        format.call_begin,  format.calls_begin,    format.tags.name_begin, format.call_end,      format.calls_end};
    for (const auto& one : marks)
      for (const auto& other : marks)
        EXPECT_TRUE(&one == &other || one.empty() || !other.starts_with(one)) << name << " " << one << " " << other;
  }
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
