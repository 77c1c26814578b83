#include "client/event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace ogas::client {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> events_of(std::string_view text, size_t piece) {
  EventStream stream(1000);
  std::vector<std::string> events;
  while (!text.empty()) {
    const std::string_view bytes = text.substr(0, piece);
    text.remove_prefix(bytes.size());
    const auto more = stream.push(bytes, [&](std::string_view data) -> Result<bool> {
      events.emplace_back(data);
      return true;
    });
    EXPECT_TRUE(more.value());
  }
  return events;
}

TEST(EventStream, EveryCutGivesTheSameEvents) {
  constexpr std::string_view kText =
      "\xEF\xBB\xBF"
      "data: a\n\n:comment\nid: 1\nretry: 5\n\ndata:b\r\ndata:  c\r\n\r\ndata\r\revent: x\n\ndatax: no\n\ndata: "
      "\n\ndata: cut";
  for (size_t piece = 1; piece <= kText.size(); ++piece)
    EXPECT_THAT(events_of(kText, piece), ElementsAre("a", "b\n c", "", "")) << piece;
}

TEST(EventStream, EventsAreBounded) {
  const auto push = [](std::string_view text) {
    EventStream stream(10);
    return stream.push(text, [](std::string_view) -> Result<bool> { return true; }).has_value();
  };
  EXPECT_TRUE(push("data: 1234\n\ndata: 1234\n\n"));
  EXPECT_FALSE(push("data: 12345"));
  EXPECT_FALSE(push("data:12\ndata:12\ndata:12\n\n"));
  EXPECT_FALSE(push("data: 123\ndata: 12345\n"));
}

TEST(EventStream, EndsWhereNoMoreIsWanted) {
  EventStream stream(100);
  int n = 0;
  EXPECT_FALSE(
      stream.push("data: 1\n\ndata: 2\n\n", [&](std::string_view) -> Result<bool> { return ++n == 0; }).value());
  EXPECT_EQ(n, 1);
}

}  // namespace
}  // namespace ogas::client
