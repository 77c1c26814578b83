// Formats are proven by their templates: a template writes an assistant's message with calls, the parser reads the
// same calls from that.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/file.h"
#include "chat/call_grammar.h"
#include "chat/chat_template.h"
#include "chat/output_parser.h"
#include "grammar/grammar_test_tools.h"

namespace ogas {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kQuestion = "Zqquestion", kContent = "Zqcontent", kReasoning = "Zqreasoning";

// What a template cannot write so that it could be read again.
enum Lossy : unsigned {
  kNothing = 0,
  kOneCall = 1,    // several are refused, or left out
  kNoContent = 2,  // content next to calls is not in its place
  kPlainText = 4,  // strings are not escaped: no backslash, and a quotation mark only within a word
  kNoNull = 8,     // null is left out
  kNoMarks = 16,   // strings cannot hold marks
};

struct Expected {
  std::string end;  // of the answer, no text of it
  unsigned lossy = kNothing;
  std::string begin = {};  // what an answer follows; "": the prompt
};

const std::map<std::string, Expected>& templates_with_calls() {
  static const std::map<std::string, Expected> kTemplates = {
      {"Apertus-8B-Instruct", {""}},
      {"Apriel-1.6-15b-Thinker-fixed", {""}},
      {"Bielik-11B-v3.0-Instruct", {"<|im_end|>"}},
      {"ByteDance-Seed-OSS", {"<seed:eos>"}},
      {"Cohere2MoE", {"<|END_OF_TURN_TOKEN|>"}},
      {"CohereForAI-c4ai-command-r-plus-tool_use",
       {"<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", kNothing, "<|CHATBOT_TOKEN|>"}},
      {"CohereForAI-c4ai-command-r7b-12-2024-tool_use", {"<|END_OF_TURN_TOKEN|>", kNothing, "<|CHATBOT_TOKEN|>"}},
      {"GLM-4.6", {""}},
      {"GLM-4.7-Flash", {""}},
      {"GigaChat3-10B-A1.8B", {"", kOneCall}},
      {"GigaChat3.1-10B-A1.8B", {"<|message_sep|>", kOneCall}},
      {"Kimi-K3", {"<|end_of_msg|>"}},
      {"LFM2.5-8B-A1B", {"<|im_end|>", kPlainText}},
      {"MiMo-VL", {"<|im_end|>"}},
      {"MiniMax-M1", {"<end_of_sentence>"}},
      {"MiniMax-M2", {"[e~["}},
      {"MiniMax-M3", {"[e~[", kNoNull | kNoMarks}},
      {"Mistral-Small-3.2-24B-Instruct-2506", {"</s>"}},
      {"NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", {"<|im_end|>"}},
      {"NVIDIA-Nemotron-Nano-v2", {"<SPECIAL_12>", kNoContent, "Assistant\n"}},
      {"NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", {"<|im_end|>"}},
      {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", {"<|im_end|>"}},
      {"Qwen-QwQ-32B", {"<|im_end|>"}},
      {"Qwen-Qwen2.5-7B-Instruct", {"<|im_end|>"}},
      {"Qwen-Qwen3-0.6B", {"<|im_end|>"}},
      {"Qwen3-Coder", {"<|im_end|>"}},
      {"Qwen3.5-4B", {"<|im_end|>"}},
      {"Reka-Edge", {"<sep>", kNothing, "assistant: "}},
      {"Spark2.5", {"<｜end▁of▁sentence｜>"}},
      {"StepFun3.5-Flash", {"<|im_end|>"}},
      {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", {"<｜end▁of▁sentence｜>", kNoContent}},
      {"deepseek-ai-DeepSeek-V3.1", {"<｜end▁of▁sentence｜>"}},
      {"deepseek-ai-DeepSeek-V3.2", {"<｜end▁of▁sentence｜>"}},
      {"deepseek-ai-DeepSeek-V4", {"<｜end▁of▁sentence｜>"}},
      {"deepseek-ai-DeepSeek-V4-Flash-0731", {"<｜end▁of▁sentence｜>"}},
      {"fireworks-ai-llama-3-firefunction-v2", {"<|eot_id|>", kNoContent}},  // a space would be between both
      {"google-gemma-4-31B-it", {"<|tool_response>", kNoContent}},
      {"google-gemma-4-31B-it-interleaved", {"<turn|>", kNoContent}},
      {"ibm-granite-granite-4.0", {"<|end_of_text|>"}},
      {"ibm-granite-granite-4.1", {"<|end_of_text|>"}},
      {"inclusionai-ling-3.0-flash", {"<|role_end|>"}},
      {"meetkai-functionary-medium-v3.1", {"<|eom_id|>"}},
      {"meta-llama-Llama-3.1-8B-Instruct", {"<|eot_id|>", kOneCall}},
      {"meta-llama-Llama-3.2-3B-Instruct", {"<|eot_id|>", kOneCall}},
      {"meta-llama-Llama-3.3-70B-Instruct", {"<|eot_id|>", kOneCall}},
      {"mistralai-Ministral-3-14B-Reasoning-2512", {"</s>"}},
      {"mistralai-Mistral-Nemo-Instruct-2407", {"</s>"}},
      {"moonshotai-Kimi-K2", {"<|im_end|>"}},
      {"openai-gpt-oss-120b", {"", kOneCall | kNoContent}},
      {"openbmb-MiniCPM5-1B", {"<|im_end|>"}},
      {"poolside-Laguna-S-2.1", {"</assistant>"}},
      {"poolside-Laguna-XS-2.1", {"</assistant>"}},
      {"poolside-Laguna-XS.2", {"</assistant>"}},
      {"tencent-Hy3", {"<｜hy_eos:opensource｜>"}},
      {"unsloth-Apriel-1.5", {"<|end|>"}},
      {"unsloth-mistral-Devstral-Small-2507", {"</s>"}},
      {"upstage-Solar-Open-100B", {""}},
  };
  return kTemplates;
}

Json tools() {
  static const Json kTools = Json::parse(R"([
    {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": {"type": "object",
      "properties": {"a": {"type": "string", "description": "d"}, "n": {"type": "integer", "description": "d"},
        "f": {"type": "number", "description": "d"}, "b": {"type": "boolean", "description": "d"},
        "no": {"type": "boolean", "description": "d"}, "z": {"enum": ["x", null], "description": "d"},
        "o": {"type": "object", "description": "d", "additionalProperties": {"type": "string"}},
        "l": {"type": "array", "description": "d", "items": {"type": "string"}},
        "e": {"type": "string", "description": "d"}, "t": {"type": "string", "description": "d"}}, "required": ["a"]}}},
    {"type": "function", "function": {"name": "time", "description": "d", "parameters": {"type": "object",
      "properties": {}, "required": []}}}])");
  return kTools;
}

// Text with marks of the format, but none that end a call.
std::string marks_within_text(const OutputFormat& format) {
  std::string text;
  for (const std::string& mark : {format.call_begin, format.call_end, format.calls_end, format.tags.value_end,
                                  format.think_begin, format.think_end, format.response_end})
    text += mark + " x ";
  return text;
}

Json arguments(const OutputFormat& format, unsigned lossy) {
  const bool is_plain = (lossy & kPlainText) != 0;
  std::string text =
      is_plain ? "one \"two\" isn't\nthree, (four) [five] {six}: " : "\" 'one'\\n\n \"two\" \\ \t] }, ë\n";
  if ((lossy & kNoMarks) == 0) text += marks_within_text(format);
  Json result = {{"a", text},   {"n", -5}, {"f", 1.5e-3}, {"b", true},
                 {"no", false}, {"e", ""}, {"t", "12"},   {"z", nullptr}};
  result["o"] = {{"k", {1, "b", true, {{"deep", Json::array()}}}}, {"s", is_plain ? "c" : "it's \"d\" \\ "}};
  result["l"] = {"p", {{"q", "r"}}, is_plain ? "s" : "it's \"t\" \n"};
  if ((lossy & kNoNull) != 0) {
    result.erase("z");
    result["o"] = {{"k", {1, "b", true}}, {"s", "c <d>"}};
  } else {
    result["o"]["null"] = nullptr;
  }
  return result;
}

Json call(const char* id, const char* name, Json arguments, bool as_text) {
  if (as_text) arguments = arguments.dump();
  return {{"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", std::move(arguments)}}}};
}

struct Wanted {
  Json first_arguments;
  bool has_second_call = true;
};

// What the template writes for the assistant's message, and whether what is before it ends in reasoning.
struct Turn {
  std::string text;
  bool starts_in_reasoning = false;
};

std::optional<std::string> render(const ChatTemplate& source, const Json& messages, bool add_generation_prompt) {
  auto rendered = source.render({.messages = messages,
                                 .tools = tools(),
                                 .extra = {{"functions", "[]"}, {"datetime", "now"}},
                                 .add_generation_prompt = add_generation_prompt,
                                 .bos_token = "<s>",
                                 .eos_token = "</s>"});
  return rendered ? std::optional(rendered->text) : std::nullopt;
}

Json message(const Wanted& wanted, const Json& content, bool has_reasoning, bool as_text) {
  Json message = {{"role", "assistant"}, {"content", content}};
  if (has_reasoning)
    for (const char* name : {"reasoning_content", "reasoning", "thinking"}) message[name] = kReasoning;
  message["tool_calls"] = Json::array({call("call00001", "get_weather", wanted.first_arguments, as_text)});
  if (wanted.has_second_call) message["tool_calls"].push_back(call("call00002", "time", Json::object(), as_text));
  return message;
}

// Where the answer begins. A prompt may be written in another way than the same turn later on: then what both have
// counts, up to the end of a mark or line.
size_t begin_of_answer(const std::string& full, const std::string& prompt, const std::string& begin) {
  if (!begin.empty()) return full.find(begin, full.find(kQuestion)) + begin.size();
  const size_t n_common = std::ranges::mismatch(full, prompt).in1 - full.begin();
  return n_common == prompt.size() ? n_common : full.find_last_of(">\n]:", n_common - 1) + 1;
}

// The first of several ways to write the message that the template takes.
std::optional<Turn> turn_of(const ChatTemplate& source, const OutputFormat& format, const Expected& expected,
                            const Wanted& wanted) {
  const Json question = {{"role", "user"}, {"content", kQuestion}};
  const auto prompt = render(source, Json::array({question}), /*add_generation_prompt=*/true);
  if (!prompt) return std::nullopt;
  const Json content = (expected.lossy & kNoContent) != 0 ? Json("") : Json(kContent);
  for (const bool has_reasoning : {true, false})
    for (const bool as_text : {false, true}) {
      const auto full =
          render(source, Json::array({question, message(wanted, content, has_reasoning, as_text)}), false);
      if (!full || full->find("get_weather", full->rfind(kQuestion)) == std::string::npos) continue;
      const size_t begin = begin_of_answer(*full, *prompt, expected.begin);
      std::string text = full->substr(begin);
      // What the prompt may close already.
      if (!format.think_end.empty() && text.starts_with(format.think_end)) text.erase(0, format.think_end.size());
      if (!expected.end.empty()) {
        const size_t end = text.find(expected.end);
        EXPECT_NE(end, std::string::npos) << text;
        text.resize(std::min(end, text.size()));
      }
      const bool follows_prompt = expected.begin.empty() && ends_in_reasoning(format, *prompt);
      return Turn{.text = text,
                  .starts_in_reasoning = follows_prompt || ends_in_reasoning(format, full->substr(0, begin))};
    }
  return std::nullopt;
}

struct ReadCall {
  std::string name, arguments;
  bool is_whole = false;
  bool operator==(const ReadCall&) const = default;
};

struct ReadAnswer {
  std::string reasoning, content;
  std::vector<ReadCall> calls;
  bool operator==(const ReadAnswer&) const = default;
};

void add(ReadAnswer& answer, const OutputPiece& piece) {
  answer.reasoning += piece.reasoning;
  answer.content += piece.content;
  for (const auto& call : piece.calls) {
    if (call.index == answer.calls.size()) answer.calls.push_back({.name = call.name, .arguments = {}});
    answer.calls.at(call.index).arguments += call.arguments;
    answer.calls.at(call.index).is_whole = call.is_last;
  }
}

// Read in pieces that end at `cuts`.
ReadAnswer read(const OutputFormat& format, const Turn& turn, const std::vector<size_t>& cuts) {
  OutputParser parser(format, tools(), turn.starts_in_reasoning);
  ReadAnswer answer;
  size_t begin = 0;
  for (const size_t end : cuts) {
    add(answer, parser.push(std::string_view(turn.text).substr(begin, end - begin)));
    begin = end;
  }
  add(answer, parser.push(std::string_view(turn.text).substr(begin)));
  add(answer, parser.finish());
  return answer;
}

void expect_any_cut(const OutputFormat& format, const Turn& turn, const ReadAnswer& whole) {
  std::vector<size_t> all;
  for (size_t cut = 1; cut < turn.text.size(); ++cut) {
    all.push_back(cut);
    ASSERT_EQ(read(format, turn, {cut}), whole) << "cut after " << turn.text.substr(0, cut);
  }
  EXPECT_EQ(read(format, turn, all), whole) << "byte by byte";
}

void PrintTo(const ReadAnswer& answer, std::ostream* out) {
  *out << "\nreasoning: " << testing::PrintToString(answer.reasoning)
       << "\ncontent: " << testing::PrintToString(answer.content);
  for (const auto& call : answer.calls) *out << "\ncall: " << call.name << " " << call.arguments;
}

void expect_same(const ReadAnswer& read, const Turn& turn, const Wanted& wanted) {
  const auto shown = [&](std::string_view text) {
    return turn.text.contains(text) ? std::string(text) : std::string();
  };
  EXPECT_EQ(read.reasoning, shown(kReasoning));
  EXPECT_EQ(read.content, shown(kContent));
  ASSERT_EQ(read.calls.size(), wanted.has_second_call ? 2U : 1U) << testing::PrintToString(read);
  EXPECT_EQ(read.calls[0].name, "get_weather");
  // Without the order of keys, which some templates change.
  EXPECT_EQ(nlohmann::json::parse(read.calls[0].arguments), nlohmann::json(wanted.first_arguments));
  if (wanted.has_second_call) {
    EXPECT_EQ(read.calls[1], (ReadCall{"time", "{}", true}));
  }
}

ChatTemplate template_called(const std::string& name) {
  auto source = read_file("tests/data/text/templates/" + name + ".jinja");
  EXPECT_TRUE(source) << name;
  auto parsed = ChatTemplate::parse(*std::move(source));
  EXPECT_TRUE(parsed) << name;
  return *std::move(parsed);
}

void expect_own_calls(const std::string& name, const Expected& expected) {
  SCOPED_TRACE(name);
  const ChatTemplate source = template_called(name);
  const OutputFormat format = output_format_of(source.source());
  const Wanted wanted{.first_arguments = arguments(format, expected.lossy),
                      .has_second_call = (expected.lossy & kOneCall) == 0};
  const auto turn = turn_of(source, format, expected, wanted);
  ASSERT_TRUE(turn) << "the template refuses the conversation";
  SCOPED_TRACE(turn->text);
  const ReadAnswer whole = read(format, *turn, {});
  expect_same(whole, *turn, wanted);
  expect_any_cut(format, *turn, whole);
}

TEST(TemplateCalls, AreReadAsTheTemplateWritesThem) {
  for (const auto& [name, expected] : templates_with_calls()) expect_own_calls(name, expected);
}

// Of the answer without its reasoning, where that is apart from the grammar.
std::string without_reasoning(const OutputFormat& format, const Turn& turn) {
  const size_t end = format.think_end.empty() ? std::string::npos : turn.text.find(format.think_end);
  // The token that ends a call ends the answer.
  if (format.channels) return turn.text.substr(0, turn.text.rfind(ChannelMarks::kCall));
  if (format.calls_end_reasoning || end == std::string::npos) return turn.text;
  std::string text = turn.text.substr(end + format.think_end.size());
  text.erase(0, std::min(text.find_first_not_of(" \n"), text.size()));
  return text;
}

// What the grammar does not take of a text, or "(not whole)".
std::string left_by(const std::shared_ptr<const grammar::Grammar>& grammar, std::string_view text) {
  grammar::GrammarMatcher matcher(grammar, grammar::make_test_trie());
  for (size_t idx = 0; idx < text.size(); ++idx)
    if (!matcher.accept_bytes(text.substr(idx, 1))) return std::string(text.substr(idx));
  return matcher.is_complete() ? "" : "(not whole)";
}

// Every format but those whose values are trees of elements.
TEST(TemplateCalls, KeepToTheirGrammar) {
  size_t n_grammars = 0;
  for (const auto& [name, expected] : templates_with_calls()) {
    SCOPED_TRACE(name);
    const ChatTemplate source = template_called(name);
    const OutputFormat format = output_format_of(source.source());
    // Strings of Python are between double quotation marks, which this one does not write.
    if (!has_call_grammar(format) || (expected.lossy & kPlainText) != 0) continue;
    ++n_grammars;
    Wanted wanted{.first_arguments = arguments(format, expected.lossy | kNoMarks),
                  .has_second_call = (expected.lossy & kOneCall) == 0};
    wanted.first_arguments["z"] = "x";
    wanted.first_arguments["o"] = {{"k", "it's"}};
    wanted.first_arguments["l"] = {"p", "q r"};
    // These write lists of their history as Python does, which the model is not asked to do.
    if (name == "ByteDance-Seed-OSS" || name == "openbmb-MiniCPM5-1B")
      for (const char* key : {"o", "l"}) wanted.first_arguments.erase(key);
    const auto turn = turn_of(source, format, expected, wanted);
    ASSERT_TRUE(turn);
    const CallRules rules{.tools = callable_tools(tools())};
    const auto tree = make_call_grammar(format, {}, rules, {}, AnswerBegin::message);
    ASSERT_TRUE(tree) << tree.error().message;
    const auto grammar = grammar::compile_tree(*tree);
    EXPECT_EQ(left_by(*grammar, without_reasoning(format, *turn)), "") << turn->text;
  }
  EXPECT_GT(n_grammars, 50U);
}

// No template that shows calls is left out above, but two whose answers are messages to recipients.
TEST(TemplateCalls, OfEveryTemplate) {
  const Wanted wanted{.first_arguments = {{"a", "zqvalue"}}, .has_second_call = false};
  std::set<std::string> found, expected;
  for (const auto& [name, how] : templates_with_calls()) expected.insert(name);
  for (const auto& entry : std::filesystem::directory_iterator("tests/data/text/templates")) {
    if (entry.path().extension() != ".jinja") continue;
    const std::string name = entry.path().stem();
    const ChatTemplate source = template_called(name);
    const auto turn = turn_of(source, output_format_of(source.source()), {}, wanted);
    if (turn && turn->text.contains("zqvalue")) found.insert(name);
  }
  std::vector<std::string> different;
  std::ranges::set_symmetric_difference(found, expected, std::back_inserter(different));
  EXPECT_EQ(different, (std::vector<std::string>{"meetkai-functionary-medium-v3.2", "muse-glimmer"}));
}

}  // namespace
}  // namespace ogas
