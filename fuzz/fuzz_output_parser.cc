// Any bytes as an answer. The first byte selects the format and whether the answer begins in reasoning, the second how
// the rest, the answer, is cut. The result must not depend on the cut. Arguments of whole calls are JSON objects. What
// is shown occurs in the answer in this order. An answer without marks is shown unchanged.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "chat/output_parser.h"
#include "chat/output_parser_test_formats.h"

namespace {

using Json = nlohmann::ordered_json;

const Json kTools = Json::parse(R"([{"type": "function", "function": {"name": "time", "parameters": {"properties": {
    "a": {"type": "string"}, "b": {"type": "integer"}}}}}])");

struct Answer {
  std::string reasoning, content;
  std::string shown;  // both, in order
  std::vector<std::string> arguments;
  std::vector<bool> whole;
};

void add(Answer& answer, const ogas::OutputPiece& piece) {
  answer.reasoning += piece.reasoning;
  answer.content += piece.content;
  answer.shown += piece.reasoning + piece.content;
  for (const auto& call : piece.calls) {
    if (call.index > answer.arguments.size() || (call.index == answer.arguments.size()) != (call.name == "time"))
      std::abort();
    if (call.index == answer.arguments.size()) {
      answer.arguments.emplace_back();
      answer.whole.push_back(false);
    }
    if (answer.whole[call.index]) std::abort();
    answer.arguments[call.index] += call.arguments;
    answer.whole[call.index] = call.is_last;
  }
}

bool is_subsequence(std::string_view part, std::string_view whole) {
  for (const char c : whole)
    if (!part.empty() && part.front() == c) part.remove_prefix(1);
  return part.empty();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  static const auto kFormats = ogas::all_formats();
  const auto& format = kFormats[data[0] / 2 % kFormats.size()];
  const bool starts_in_reasoning = data[0] % 2 == 1;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);

  ogas::OutputParser by_bytes(format, kTools, starts_in_reasoning), by_pieces = {format, kTools, starts_in_reasoning};
  Answer one, other;
  for (const char c : text) add(one, by_bytes.push({&c, 1}));
  add(one, by_bytes.finish());
  std::minstd_rand random(data[1]);
  for (size_t at = 0, n = 0; at < text.size(); at += n) {
    n = 1 + random() % (1 + data[1]);
    add(other, by_pieces.push(text.substr(at, n)));
  }
  add(other, by_pieces.finish());

  if (one.reasoning != other.reasoning || one.content != other.content || one.arguments != other.arguments ||
      one.whole != other.whole)
    std::abort();
  if (by_bytes.n_calls() != one.arguments.size()) std::abort();
  for (size_t idx = 0; idx < one.whole.size(); ++idx)
    if (Json::parse(one.arguments[idx], nullptr, /*allow_exceptions=*/false).is_object() != one.whole[idx])
      std::abort();
  if (!is_subsequence(one.shown, text)) std::abort();
  const auto marks = ogas::marks_of(format);
  const bool has_mark = text.find_first_of("{[") != std::string_view::npos ||
                        text.find(format.channels ? "<|" : "<") != std::string_view::npos ||
                        std::ranges::any_of(marks, [&](const auto& mark) { return text.contains(mark); });
  if (!has_mark && !starts_in_reasoning) {
    const std::string_view own = text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (!one.shown.ends_with(own)) std::abort();
  }
  return 0;
}
