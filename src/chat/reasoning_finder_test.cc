#include "chat/reasoning_finder.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <span>

#include "chat/output_parser.h"
#include "chat/output_parser_test_formats.h"

namespace ogas {
namespace {

using At = ReasoningFinder::At;

struct Split {
  std::string text, content;  // all of it, and of this the content
};

Split split_by(ReasoningFinder finder, std::string_view text) {
  Split split;
  for (const char c : text) {
    const auto found = finder.push(c);
    split.text += found.text;
    if (found.is_content) split.content += found.text;
  }
  const auto rest = finder.flush();
  split.text += rest.text;
  if (rest.is_content) split.content += rest.text;
  return split;
}

std::string content_of(const OutputFormat& format, At at, std::string_view text) {
  const Split split = split_by(ReasoningFinder(format, at), text);
  EXPECT_EQ(split.text, text);
  return split.content;
}

TEST(ReasoningFinder, KnowsWhereContentBegins) {
  EXPECT_EQ(content_of(json_tags(), At::reasoning, "a\n</think>\n\nb</think>"), "b</think>");
  EXPECT_EQ(content_of(json_tags(), At::open, "\n <think>a</think>\n<think>b</think>c<think>"), "c<think>");
  EXPECT_EQ(content_of(json_tags(), At::open, " <thing>"), " <thing>");
  EXPECT_EQ(content_of(json_tags(), At::open, "\n <thi"), " <thi");
  EXPECT_EQ(content_of({}, At::reasoning, "a</think>b"), "a</think>b");
  EXPECT_EQ(content_of(json_tags(), At::open, "a</tool_call>\n<think>b</think>c"), "a</tool_call>c");
  EXPECT_EQ(
      content_of(channels(), At::header,
                 "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>"),
      "b");
  EXPECT_EQ(content_of(channels(), At::reasoning, "a<|end|>"), "");
  const OutputFormat calls_within{
      .think_begin = "<think>", .think_end = "</think>", .calls_end_reasoning = true, .calls_begin = "<calls>"};
  EXPECT_EQ(content_of(calls_within, At::reasoning, "a<calls>b</think>"), "b</think>");
}

TEST(ReasoningFinder, KnowsTheLastMessage) {
  ReasoningFinder finder(channels(), At::header);
  for (const char c : std::string_view("<|channel|>commentary<|message|>a")) finder.push(c);
  EXPECT_EQ(finder.at(), At::content);
  EXPECT_FALSE(finder.is_final());
  for (const char c : std::string_view("<|end|><|start|>assistant<|channel|>final<|message|>")) finder.push(c);
  EXPECT_TRUE(finder.is_final());
  EXPECT_TRUE(ReasoningFinder(channels(), At::content).is_final());
  EXPECT_TRUE(ReasoningFinder(json_tags(), At::content).is_final());
}

TEST(ReasoningFinder, KnowsWhatBeginsReasoning) {
  ReasoningFinder tag(json_tags());
  EXPECT_TRUE(tag.begins_reasoning("<think>\n"));
  EXPECT_FALSE(tag.begins_reasoning("<think"));
  EXPECT_FALSE(tag.begins_reasoning("a<think>"));
  for (const char c : std::string_view(" <thi")) tag.push(c);
  EXPECT_TRUE(tag.begins_reasoning("nk>"));
  tag.push('x');
  EXPECT_FALSE(tag.begins_reasoning("<think>"));
  ReasoningFinder channel(channels(), At::header);
  EXPECT_FALSE(channel.begins_reasoning("analysis"));
  for (const char c : std::string_view("<|channel|>")) channel.push(c);
  EXPECT_TRUE(channel.begins_reasoning("ana"));
  EXPECT_FALSE(channel.begins_reasoning("final"));
}

// Made of these, "z" at its end so that no white space is the last.
std::string made_of(std::span<const std::string_view> parts, std::mt19937& random) {
  std::string text;
  for (size_t n = random() % 8; n > 0; --n) text += parts[random() % parts.size()];
  return text + "z";
}

std::string content_by_parser(const OutputFormat& format, bool starts_in_reasoning, std::string_view text) {
  OutputParser parser(format, nullptr, starts_in_reasoning);
  std::string content = parser.push(text).content;
  return content += parser.finish().content;
}

TEST(ReasoningFinder, FindsWhatTheParserFinds) {
  constexpr auto kTags =
      std::to_array<std::string_view>({"<think>", "</think>", "<thi", "nk>", "\n", " ", "a", "</", "<tool_call>"});
  constexpr auto kChannels = std::to_array<std::string_view>({"<|start|>", "assistant", "<|channel|>", "analysis",
                                                              "final", "commentary", "<|message|>", "<|end|>", "<|ret",
                                                              "urn|>", "<|constrain|>", " ", "\n", "a", "<|"});
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    const std::string tagged = made_of(kTags, random), in_channels = made_of(kChannels, random);
    const bool begins_within = round % 2 == 1;
    EXPECT_EQ(content_of(json_tags(), begins_within ? At::reasoning : At::open, tagged),
              content_by_parser(json_tags(), begins_within, tagged))
        << tagged;
    EXPECT_EQ(content_of(channels(), begins_within ? At::reasoning : At::header, in_channels),
              content_by_parser(channels(), begins_within, in_channels))
        << in_channels;
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace ogas
