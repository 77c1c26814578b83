#include "sampling/stop_filter.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace ogas {
namespace {

// What is shown when the pieces arrive one after the other.
std::string filter(std::vector<std::string> stops, std::initializer_list<std::string_view> pieces,
                   bool* found = nullptr) {
  StopFilter filter(std::move(stops));
  std::string shown;
  for (const auto piece : pieces) shown += filter.push(piece);
  if (!filter.found()) shown += filter.flush();
  if (found) *found = filter.found();
  return shown;
}

TEST(StopFilter, PassesWhatHoldsNoStop) {
  EXPECT_EQ(filter({}, {"a", "b"}), "ab");
  EXPECT_EQ(filter({""}, {"a", "b"}), "ab");
  bool found = true;
  EXPECT_EQ(filter({"END"}, {"E", "N", "T"}, &found), "ENT");
  EXPECT_FALSE(found);
}

TEST(StopFilter, FindsStopsAcrossPieces) {
  bool found = false;
  EXPECT_EQ(filter({"END"}, {"abE", "N", "Dcd", "ef"}, &found), "ab");
  EXPECT_TRUE(found);
  EXPECT_EQ(filter({"aab"}, {"aa", "ab"}), "a");  // overlapping beginnings
}

TEST(StopFilter, TheEarliestWins) {
  EXPECT_EQ(filter({"two", "one"}, {"0 one two"}), "0 ");
  EXPECT_EQ(filter({"abc", "b"}, {"xab"}), "xa");
}

TEST(StopFilter, TellsWhichOneItFound) {
  StopFilter filter({"abd", "ab", "abc"});
  EXPECT_EQ(filter.push("xa"), "x");
  EXPECT_EQ(filter.stop(), "");
  filter.push("bc");
  EXPECT_EQ(filter.stop(), "ab");
}

TEST(StopFilter, HoldsBackNoMoreThanNeeded) {
  StopFilter filter({"stop"});
  EXPECT_EQ(filter.push("a st"), "a ");
  EXPECT_EQ(filter.push("ep"), "step");
}

}  // namespace
}  // namespace ogas
