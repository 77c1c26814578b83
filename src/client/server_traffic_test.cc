#include "client/server_traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace ogas::client {
namespace {

using std::chrono::seconds;
using ::testing::DoubleNear;
using ::testing::ElementsAre;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

ServerCounters counters_of(std::string_view text) { return ServerCounters::of(parse_prometheus(text).value()); }

TEST(ServerStats, NamesOfSeveralServersAreKnown) {
  const ServerCounters ogas = counters_of(
      "ogas_info{model=\"m\"} 1\nogas_requests_running 2\nogas_kv_bytes_used 5\nogas_http_replies_total{path=\"/a\","
      "status=\"200\"} 3\nogas_http_replies_total{path=\"/b\",status=\"200\"} 4\n");
  EXPECT_EQ(ogas.model, "m");
  EXPECT_EQ(ogas.running, 2);
  EXPECT_FALSE(ogas.waiting);
  EXPECT_EQ(ogas.replies.at("200"), 7);
  const ServerCounters vllm = counters_of(
      "vllm:num_requests_running{model_name=\"v\",engine=\"0\"} "
      "2\nvllm:num_requests_running{model_name=\"v\",engine=\"1\"} 3\n"
      "vllm:kv_cache_usage_perc{model_name=\"v\"} 0.25\n");
  EXPECT_EQ(vllm.model, "v");
  EXPECT_EQ(vllm.running, 5);
  EXPECT_EQ(vllm.kv_share, 0.25);
  EXPECT_EQ(counters_of("llamacpp:tokens_predicted_total 9\n").generated_tokens, 9);
  EXPECT_TRUE(counters_of("process_resident_memory_bytes 5\nup 1\n").is_empty());
  EXPECT_FALSE(ogas.is_empty());
  EXPECT_TRUE(counters_of("ogas_requests_running NaN\n").is_empty());
}

TEST(ServerStats, QuantilesOfWhatWasAdded) {
  const HistogramCounts before{.buckets = {{1, 100}, {2, 100}, {4, 100}, {kInfinity, 100}}, .sum = 50, .count = 100};
  HistogramCounts after{.buckets = {{1, 100}, {2, 105}, {4, 110}, {kInfinity, 110}}, .sum = 75, .count = 110};
  const Latency latency = latency_between(before, after);
  EXPECT_EQ(latency.n, 10);
  EXPECT_EQ(latency.mean, 2.5);
  EXPECT_EQ(latency.p50, 2);
  EXPECT_THAT(latency.p90, DoubleNear(3.6, 1e-9));
  EXPECT_EQ(latency_between(after, after).n, 0);
  // The server restarted: all that it counts is new.
  EXPECT_EQ(latency_between(after, {.buckets = {{1, 2}, {2, 2}, {4, 2}, {kInfinity, 2}}, .sum = 1, .count = 2}).p50,
            0.5);
  // Above the last bound.
  EXPECT_EQ(latency_between({}, {.buckets = {{1, 0}, {kInfinity, 5}}, .sum = 50, .count = 5}).p50, 1);
  EXPECT_EQ(latency_between({}, {.buckets = {{1, 7}, {2, 3}, {kInfinity, 1}}, .sum = 5, .count = 7}).p50, 0.5);
  EXPECT_EQ(latency_between({}, {}).n, 0);
  EXPECT_EQ(latency_between({}, {.buckets = {{1, kInfinity}}, .sum = 1, .count = 1}).n, 0);
  // Not above a bound by rounding.
  EXPECT_EQ(latency_between({}, {.buckets = {{0.1, 3}, {kInfinity, 6}}, .sum = 9, .count = 6}).p50, 0.1);
}

TEST(ServerStats, RatesAreDifferences) {
  TrafficHistory history;
  const TrafficHistory::Clock::time_point start{};
  for (int idx = 0; idx <= 20; ++idx)
    history.add(
        start + seconds(idx),
        counters_of(fmt::format("ogas_generated_tokens_total {}\nogas_prompt_tokens_total {}\n"
                                "ogas_expert_hits_total {}\nogas_expert_misses_total {}\n"
                                "ogas_expert_bytes_read_total {}\nogas_http_replies_total{{status=\"200\"}} {}\n",
                                idx <= 15 ? 0 : 10 * (idx - 15), 3 * idx, 9 * idx, idx, 1000 * idx, 2 * idx)));
  const TrafficChange ten = history.change(seconds(10));
  EXPECT_EQ(ten.seconds, 10);
  EXPECT_EQ(ten.generated_rate, 5);
  EXPECT_EQ(ten.prompt_rate, 3);
  EXPECT_EQ(ten.expert_hit_share, 0.9);
  EXPECT_EQ(ten.expert_byte_rate, 1000);
  EXPECT_EQ(ten.reply_rates.at("200"), 2);
  EXPECT_FALSE(ten.first_token);
  EXPECT_EQ(history.change(seconds(1)).generated_rate, 10);
  EXPECT_EQ(history.change(seconds(100)).seconds, 20);
  // After a restart: 4 since then.
  history.add(start + seconds(21), counters_of("ogas_generated_tokens_total 4\n"));
  EXPECT_EQ(history.change(seconds(1)).generated_rate, 4);
  EXPECT_EQ(history.generated_rates().size(), 21U);
  history.forget();
  EXPECT_TRUE(history.is_empty());
  EXPECT_FALSE(history.change(seconds(1)).generated_rate);
  EXPECT_EQ(history.generated_rates().size(), 21U);
}

TEST(ServerStats, HistoryIsBounded) {
  TrafficHistory history;
  for (int idx = 0; idx < 1000; ++idx)
    history.add(TrafficHistory::Clock::time_point() + seconds(idx), counters_of("ogas_generated_tokens_total 1\n"));
  EXPECT_EQ(history.generated_rates().size(), TrafficHistory::kMaxRates);
  EXPECT_EQ(history.change(seconds(100'000)).seconds, 60);
}

}  // namespace
}  // namespace ogas::client
