#include "client/prometheus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ogas::client {
namespace {

using ::testing::HasSubstr;

TEST(Prometheus, ReadsWhatServersWrite) {
  const auto samples = parse_prometheus(
      "# HELP a_total Help with {odd} \"text\"\n# TYPE a_total counter\n"
      "a_total 3\n"
      "\n  \t\n#\n"
      "vllm:b{model_name=\"x\\\\y\\\"\\n\\t\",engine=\"0\",} +Inf 1700000000000\r\n"
      "c { le = \"0.5\" , x=\"\" } 1.5e-3 # {trace_id=\"1\"} 0.3\n"
      "d{} NaN\n"
      "# EOF\n"
      "e_1 -7");
  ASSERT_TRUE(samples) << samples.error().message;
  ASSERT_EQ(samples->size(), 5U);
  EXPECT_EQ((*samples)[0].name, "a_total");
  EXPECT_EQ((*samples)[0].value, 3);
  EXPECT_EQ((*samples)[1].label("model_name"), "x\\y\"\n\\t");
  EXPECT_TRUE(std::isinf((*samples)[1].value));
  EXPECT_EQ((*samples)[2].label("le"), "0.5");
  EXPECT_EQ((*samples)[2].label("nothing"), "");
  EXPECT_EQ((*samples)[2].value, 0.0015);
  EXPECT_TRUE(std::isnan((*samples)[3].value));
  EXPECT_EQ((*samples)[4].value, -7);
  EXPECT_TRUE(parse_prometheus("").value().empty());
}

TEST(Prometheus, DamageIsFoundByLine) {
  for (const auto& [line, message] :
       std::vector<std::pair<std::string, std::string>>{{"<html>", "begins with no name"},
                                                        {"9a 1", "begins with no name"},
                                                        {"a", "'' is not a number"},
                                                        {"a one", "'one' is not a number"},
                                                        {"a 1x", "'1x' is not a number"},
                                                        {"a 0x10", "'0x10' is not a number"},
                                                        {"a 1 2 3", "'3' follows"},
                                                        {"a{", "a label and '='"},
                                                        {"a{x} 1", "a label and '='"},
                                                        {"a{x=1} 1", "not in quotes"},
                                                        {"a{x=\"1} 1", "does not end"},
                                                        {"a{x=\"\\", "does not end"},
                                                        {"a{x=\"1\" y=\"2\"} 1", "',' or '}'"},
                                                        {"a\x01 1", "\\x01"}}) {
    const auto samples = parse_prometheus("ok 1\n" + line + "\n");
    ASSERT_FALSE(samples) << line;
    EXPECT_THAT(samples.error().message, HasSubstr("line 2 of the metrics")) << line;
    EXPECT_THAT(samples.error().message, HasSubstr(message)) << line;
  }
}

}  // namespace
}  // namespace ogas::client
