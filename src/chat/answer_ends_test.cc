#include "chat/answer_ends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>

#include "base/unicode.h"
#include "text/tokenizer_test_tools.h"

namespace ogas {
namespace {

using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

using Names = std::vector<std::string>;

// What a published file says of its control tokens: those there are, and those with a role.
struct Published {
  std::string chat_template = {};  // in tests/data/text/templates; "": none
  Names tokens;
  std::string eos = {}, eot = {}, eom = {}, bos = {}, padding = {}, unknown = {};
  Names lists = {};  // of generation_config.json, or Ollama's key
  Names ends = {};   // what is right
};

std::optional<ChatTemplate> read_template(const std::string& name) {
  if (name.empty()) return std::nullopt;
  std::ifstream file("tests/data/text/templates/" + name + ".jinja");
  EXPECT_TRUE(file) << name;
  auto parsed = ChatTemplate::parse({std::istreambuf_iterator<char>(file), {}});
  EXPECT_TRUE(parsed) << parsed.error().message;
  return *std::move(parsed);
}

std::unique_ptr<Tokenizer> make_tokenizer(const Published& published) {
  Vocab vocab = vocab_of_bytes();
  std::map<std::string, TokenId> ids;
  for (const std::string& name : published.tokens) {
    ids[name] = static_cast<TokenId>(vocab.tokens.size());
    vocab.added.push_back({.id = ids[name], .is_special = true});
    vocab.tokens.push_back(name);
    vocab.kinds.push_back(TokenKind::control);
  }
  const auto set = [&](std::optional<TokenId>& role, const std::string& name) {
    if (!name.empty()) role = ids.at(name);
  };
  set(vocab.eos, published.eos);
  set(vocab.eot, published.eot);
  set(vocab.eom, published.eom);
  set(vocab.bos, published.bos);
  set(vocab.padding, published.padding);
  set(vocab.unknown, published.unknown);
  for (const std::string& name : published.lists) vocab.ends.push_back(ids.at(name));
  auto tokenizer = Tokenizer::create(std::move(vocab));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *std::move(tokenizer);
}

Names ends_of(const Published& published) {
  const auto tokenizer = make_tokenizer(published);
  const auto source = read_template(published.chat_template);
  std::vector<const ChatTemplate*> templates;
  if (source) templates.push_back(&*source);
  const AnswerEnds ends(*tokenizer, templates);
  Names names;
  for (const TokenId id : ends.ids()) {
    names.emplace_back(tokenizer->bytes_of(id));
    EXPECT_TRUE(ends.contains(id));
  }
  EXPECT_FALSE(ends.contains('a'));
  return names;
}

const Names kHarmony = {"<|startoftext|>", "<|endoftext|>", "<|return|>",  "<|constrain|>", "<|channel|>",
                        "<|start|>",       "<|end|>",       "<|message|>", "<|call|>"};
const Names kLlama3 = {"<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
                       "<|eom_id|>",        "<|eot_id|>",      "<|python_tag|>"};
const Names kQwen = {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>"};
const Names kDeepSeek = {"<｜begin▁of▁sentence｜>",
                         "<｜end▁of▁sentence｜>",
                         "<｜▁pad▁｜>",
                         "<｜User｜>",
                         "<｜Assistant｜>",
                         "<｜tool▁calls▁begin｜>",
                         "<｜tool▁calls▁end｜>",
                         "<｜tool▁call▁begin｜>",
                         "<｜tool▁call▁end｜>",
                         "<｜tool▁sep｜>",
                         "<｜tool▁outputs▁begin｜>",
                         "<｜tool▁outputs▁end｜>"};
const Names kGlm = {"<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"};

const std::map<std::string, Published> kPublished = {
    // "<|end|>" ends Phi's answers, and closes one message of gpt-oss'.
    {"phi",
     {.chat_template = "microsoft-Phi-3.5-mini-instruct",
      .tokens = {"<s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"},
      .eos = "<|endoftext|>",
      .bos = "<s>",
      .padding = "<|endoftext|>",
      .ends = {"<|end|>", "<|endoftext|>", "<s>"}}},
    {"gpt_oss",
     {.chat_template = "openai-gpt-oss-120b",
      .tokens = kHarmony,
      .eos = "<|return|>",
      .bos = "<|startoftext|>",
      .padding = "<|endoftext|>",
      .ends = {"<|return|>", "<|call|>", "<|endoftext|>", "<|startoftext|>"}}},
    {"gpt_oss_with_a_wrong_eot",
     {.chat_template = "openai-gpt-oss-120b",
      .tokens = kHarmony,
      .eos = "<|return|>",
      .eot = "<|end|>",
      .ends = {"<|return|>", "<|call|>"}}},
    {"gpt_oss_of_hugging_face",
     {.chat_template = "openai-gpt-oss-120b",
      .tokens = kHarmony,
      .eos = "<|return|>",
      .lists = {"<|return|>", "<|endoftext|>", "<|call|>"},
      .ends = {"<|return|>", "<|call|>", "<|endoftext|>"}}},
    {"llama3_1",
     {.chat_template = "meta-llama-Llama-3.1-8B-Instruct",
      .tokens = kLlama3,
      .eos = "<|eot_id|>",
      .bos = "<|begin_of_text|>",
      .ends = {"<|eot_id|>", "<|eom_id|>", "<|begin_of_text|>"}}},
    {"llama3_with_the_base_models_eos",
     {.chat_template = "meta-llama-Llama-3.2-3B-Instruct",
      .tokens = kLlama3,
      .eos = "<|end_of_text|>",
      .ends = {"<|eot_id|>", "<|end_of_text|>"}}},
    {"qwen2_5",
     {.chat_template = "Qwen-Qwen2.5-7B-Instruct",
      .tokens = kQwen,
      .eos = "<|im_end|>",
      .bos = "<|endoftext|>",
      .padding = "<|endoftext|>",
      .ends = {"<|im_end|>", "<|endoftext|>"}}},
    {"qwen3",
     {.chat_template = "Qwen-Qwen3-0.6B",
      .tokens = kQwen,
      .eos = "<|endoftext|>",
      .ends = {"<|im_end|>", "<|endoftext|>"}}},
    {"qwen3_coder",
     {.chat_template = "Qwen3-Coder",
      .tokens = kQwen,
      .eos = "<|im_end|>",
      .padding = "<|endoftext|>",
      .ends = {"<|im_end|>", "<|endoftext|>"}}},
    {"deepseek_v3_1",
     {.chat_template = "deepseek-ai-DeepSeek-V3.1",
      .tokens = kDeepSeek,
      .eos = "<｜end▁of▁sentence｜>",
      .bos = "<｜begin▁of▁sentence｜>",
      .ends = {"<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>"}}},
    {"gemma2",
     {.chat_template = "google-gemma-2-2b-it",
      .tokens = {"<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"},
      .eos = "<eos>",
      .bos = "<bos>",
      .padding = "<pad>",
      .ends = {"<end_of_turn>", "<eos>", "<bos>", "<pad>"}}},
    // The next turn's beginning is all that ends one.
    {"glm",
     {.chat_template = "GLM-4.6",
      .tokens = kGlm,
      .eos = "<|endoftext|>",
      .eot = "<|user|>",
      .eom = "<|observation|>",
      .bos = "[gMASK]",
      .ends = {"<|endoftext|>", "<|user|>", "<|observation|>", "[gMASK]"}}},
    {"glm_by_its_template",
     {.chat_template = "GLM-4.6",
      .tokens = kGlm,
      .eos = "<|endoftext|>",
      .ends = {"<|endoftext|>", "<|user|>", "<|observation|>"}}},
    {"kimi",
     {.chat_template = "moonshotai-Kimi-K2",
      .tokens = {"[BOS]", "[EOS]", "<|im_end|>", "<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>",
                 "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>",
                 "<|tool_call_argument_begin|>", "<|tool_call_end|>"},
      .eos = "[EOS]",
      .bos = "[BOS]",
      .ends = {"<|im_end|>", "[EOS]", "[BOS]"}}},
    {"seed_oss",
     {.chat_template = "ByteDance-Seed-OSS",
      .tokens = {"<seed:bos>", "<seed:pad>", "<seed:eos>", "<seed:think>", "<seed:tool_call>"},
      .eos = "<seed:eos>",
      .bos = "<seed:bos>",
      .padding = "<seed:pad>",
      .ends = {"<seed:eos>", "<seed:bos>", "<seed:pad>"}}},
    {"mistral_nemo",
     {.chat_template = "mistralai-Mistral-Nemo-Instruct-2407",
      .tokens = {"<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
                 "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"},
      .eos = "</s>",
      .bos = "<s>",
      .ends = {"</s>", "<s>"}}},
    // It writes the beginning of an answer whether it is asked to or not.
    {"command_r7b",
     {.chat_template = "CohereForAI-c4ai-command-r7b-12-2024-tool_use",
      .tokens = {"<|END_OF_TURN_TOKEN|>", "<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|START_THINKING|>",
                 "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_ACTION|>", "<|END_ACTION|>"},
      .eos = "<|END_OF_TURN_TOKEN|>",
      .ends = {"<|END_OF_TURN_TOKEN|>", "<|END_RESPONSE|>", "<|END_ACTION|>"}}},
    {"smollm2",
     {.chat_template = "Qwen-Qwen2.5-7B-Instruct",
      .tokens = kQwen,
      .eos = "<|im_end|>",
      .bos = "<|im_start|>",
      .padding = "<|im_end|>",
      .unknown = "<|endoftext|>",
      .ends = {"<|im_end|>", "<|im_start|>", "<|endoftext|>"}}},
    {"base_model",
     {.tokens = {"<s>", "</s>", "<|im_end|>", "<|end|>", "<|endoftext|>"},
      .eos = "</s>",
      .bos = "<s>",
      .ends = {"</s>", "<s>"}}},
};

class AnswerEndsOf : public ::testing::TestWithParam<std::string> {};

TEST_P(AnswerEndsOf, FollowFromFileAndTemplate) {
  const Published& published = kPublished.at(GetParam());
  EXPECT_THAT(ends_of(published), UnorderedElementsAreArray(published.ends));
}

Names all_published() {
  Names names;
  for (const auto& [name, published] : kPublished) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Published, AnswerEndsOf, ::testing::ValuesIn(all_published()),
                         [](const auto& test) { return test.param; });

// A token that is not a control token is text, whatever follows an answer. A template that cannot be rendered shows
// nothing.
TEST(AnswerEnds, OnlyWhatTemplatesShow) {
  const Published published{.tokens = {"<a>", "<b>", "<eos>"}, .eos = "<eos>"};
  const auto tokenizer = make_tokenizer(published);
  const auto ends = [&](const char* source) {
    const auto parsed = ChatTemplate::parse(source);
    EXPECT_TRUE(parsed) << parsed.error().message;
    const ChatTemplate* one = &*parsed;
    Names names;
    const AnswerEnds found(*tokenizer, {&one, 1});
    for (const TokenId id : found.ids()) names.emplace_back(tokenizer->bytes_of(id));
    return names;
  };
  EXPECT_THAT(ends("{% for m in messages %}<b>{{ m.content }}<c><a>{% endfor %}"),
              UnorderedElementsAre("<a>", "<eos>"));
  EXPECT_THAT(ends("{% for m in messages %}<b>{{ m.content }}{% endfor %}"), UnorderedElementsAre("<b>", "<eos>"));
  EXPECT_THAT(ends("{{ raise_exception('no') }}"), UnorderedElementsAre("<eos>"));
  EXPECT_THAT(ends("nothing of it"), UnorderedElementsAre("<eos>"));
  // In the middle of an answer, too: it ends none.
  EXPECT_THAT(ends("{% for m in messages %}{{ m.thinking }}<a><b>{{ m.content }}<a><eos>{% endfor %}"),
              UnorderedElementsAre("<eos>"));
}

}  // namespace
}  // namespace ogas
