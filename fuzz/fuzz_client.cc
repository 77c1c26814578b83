// Any bytes as what a server sends: a stream of events with a piece of an answer each, cut in two ways, or metrics at
// two times. Both cuts must give the same, and figures must stay within their ranges.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "client/chat_stream.h"
#include "client/event_stream.h"
#include "client/server_error.h"
#include "client/server_traffic.h"

namespace {

using namespace ogas::client;

std::string events_of(std::string_view bytes, size_t piece) {
  EventStream stream(1000);
  std::string all;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    const auto more = stream.push(part, [&](std::string_view data) -> ogas::Result<bool> {
      all += data;
      all += '\0';
      if (const auto read = read_chat_piece(data)) all += read->content + read->reasoning + read->finish;
      return true;
    });
    if (!more) return all + "too long";
  }
  return all;
}

void check_load(std::string_view before, std::string_view after) {
  const auto first = parse_prometheus(before), second = parse_prometheus(after);
  if (!first || !second) return;
  TrafficHistory history;
  history.add({}, ServerCounters::of(*first));
  history.add(TrafficHistory::Clock::time_point(std::chrono::seconds(1)), ServerCounters::of(*second));
  const TrafficChange change = history.change(TrafficHistory::kLongest);
  if (!change.first_token || change.first_token->n == 0) return;
  const Latency& latency = *change.first_token;
  if (std::isnan(latency.p50) || std::isnan(latency.p90) || !(latency.p50 <= latency.p90)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  // What does not depend on the cut. An event that is too long is noticed earlier or later.
  const std::string whole = events_of(input, input.size()), cut = events_of(input, 1 + input.size() % 7);
  if (whole != cut) std::abort();
  const size_t middle = input.find('\0');
  check_load(input.substr(0, middle), middle == std::string_view::npos ? input : input.substr(middle + 1));
  if (one_line(message_in(input)).find_first_of("\n\x1b") != std::string::npos) std::abort();
  return 0;
}
