#include "routing_trace.h"

#include <algorithm>
#include <charconv>

#include "base/quote.h"

namespace ogas {
namespace {

constexpr std::string_view kMagic = "ogas routing trace ";
constexpr uint32_t kMaxLayers = 1024, kMaxExperts = 256;
constexpr size_t kDigits = 2;  // of an expert

std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return word;
}

bool take_number(std::string_view& line, std::string_view name, uint32_t min, uint32_t max, uint32_t& number) {
  if (take_word(line) != name) return false;
  const std::string_view digits = take_word(line);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() && number >= min && number <= max;
}

bool parse_shape(std::string_view line, RoutingTrace& trace) {
  uint32_t n_layer = 0;
  if (!take_number(line, "layers", 1, kMaxLayers, n_layer) ||
      !take_number(line, "experts", 1, kMaxExperts, trace.n_expert) ||
      !take_number(line, "used", 1, trace.n_expert, trace.n_used))
    return false;
  trace.layers.resize(n_layer);
  return line.empty();
}

// The experts of one layer: n_used of them, no two alike.
bool parse_experts(std::string_view digits, const RoutingTrace& trace, RoutedToken& experts) {
  if (digits.size() != kDigits * trace.n_used) return false;
  for (size_t at = 0; at < digits.size(); at += kDigits) {
    uint32_t expert = 0;
    const char* end = digits.data() + at + kDigits;
    if (std::from_chars(digits.data() + at, end, expert, 16).ptr != end || expert >= trace.n_expert) return false;
    if (std::ranges::find(experts, expert) != experts.end()) return false;
    experts.push_back(expert);
  }
  return true;
}

}  // namespace

Result<RoutingTrace> parse_routing_trace(std::string_view text, std::string_view name) {
  RoutingTrace trace;
  size_t n_lines = 0;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto wrong = [&, line](const std::string& expected) {
      return fail(ErrorCode::bad_file, "{}:{}: {} where {} is expected", name, n_lines, in_quotes(line), expected);
    };
    if (++n_lines == 1) {
      if (!line.starts_with(kMagic)) return wrong(fmt::format("'{}1'", kMagic));
      if (line.substr(kMagic.size()) != "1")
        return fail(ErrorCode::unsupported, "{}: version {} of a routing trace; 1 is known", name,
                    in_quotes(line.substr(kMagic.size())));
    } else if (line.starts_with("#")) {
      continue;
    } else if (trace.layers.empty()) {
      if (!parse_shape(line, trace))
        return wrong(fmt::format("'layers L experts E used U' with L up to {}, E up to {} and U up to E", kMaxLayers,
                                 kMaxExperts));
    } else if (line.starts_with("text ")) {
      trace.text_begins.push_back(trace.layers.front().size());
    } else {
      if (trace.text_begins.empty()) return wrong("'text KIND'");
      for (LayerTrace& layer : trace.layers)
        if (!parse_experts(take_word(line), trace, layer.emplace_back()))
          return wrong(fmt::format("a token with {} experts below {} in each of {} layers, {} digits each,",
                                   trace.n_used, trace.n_expert, trace.layers.size(), kDigits));
      if (!line.empty()) return wrong(fmt::format("no more than {} layers", trace.layers.size()));
    }
  }
  if (trace.layers.empty() || trace.layers.front().empty())
    return fail(ErrorCode::bad_file, "{}: a routing trace without a token", name);
  return trace;
}

}  // namespace ogas
