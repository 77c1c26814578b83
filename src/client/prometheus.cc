#include "client/prometheus.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/quote.h"

namespace ogas::client {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What is left of a line, from its beginning on.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) { skip_blanks(); }

  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.size(), rest_.find_first_not_of(" \t"))); }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    skip_blanks();
    return true;
  }
  // Letters, digits, '_' and, in names of metrics, ':'. Empty where there is none.
  std::string take_name(bool allows_colon) {
    size_t n = 0;
    while (n < rest_.size() &&
           (is_letter(rest_[n]) || (allows_colon && rest_[n] == ':') || (n > 0 && is_digit(rest_[n]))))
      ++n;
    std::string name(rest_.substr(0, n));
    rest_.remove_prefix(n);
    skip_blanks();
    return name;
  }
  std::string_view take_word() {
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t"));
    rest_.remove_prefix(word.size());
    skip_blanks();
    return word;
  }
  Result<std::string> take_quoted();

 private:
  std::string_view rest_;
};

Result<std::string> Line::take_quoted() {
  if (!rest_.starts_with('"')) return fail(ErrorCode::io, "a label's value is not in quotes");
  std::string text;
  for (size_t idx = 1; idx < rest_.size(); ++idx) {
    if (rest_[idx] == '"') {
      rest_.remove_prefix(idx + 1);
      skip_blanks();
      return text;
    }
    if (rest_[idx] == '\\' && idx + 1 < rest_.size()) {
      const char next = rest_[++idx];
      if (next != 'n' && next != '"' && next != '\\') text += '\\';
      text += next == 'n' ? '\n' : next;
    } else {
      text += rest_[idx];
    }
  }
  return fail(ErrorCode::io, "a label's value does not end");
}

Result<> read_labels(Line& line, Sample& sample) {
  while (!line.take('}')) {
    std::string name = line.take_name(/*allows_colon=*/false);
    if (name.empty() || !line.take('='))
      return fail(ErrorCode::io, "{}, where a label and '=' are expected", in_quotes(line.rest()));
    std::string value = OGAS_TRY(line.take_quoted());
    sample.labels.emplace_back(std::move(name), std::move(value));
    if (!line.take(',') && !line.rest().starts_with('}'))
      return fail(ErrorCode::io, "{}, where ',' or '}}' is expected", in_quotes(line.rest()));
  }
  return {};
}

Result<double> read_value(std::string_view word) {
  if (word == "+Inf" || word == "Inf") return std::numeric_limits<double>::infinity();
  if (word == "-Inf") return -std::numeric_limits<double>::infinity();
  if (word == "NaN") return std::numeric_limits<double>::quiet_NaN();
  const std::string_view digits = word.starts_with('+') ? word.substr(1) : word;
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty())
    return fail(ErrorCode::io, "{} is not a number", in_quotes(word));
  return value;
}

Result<Sample> read_sample(Line line) {
  Sample sample;
  sample.name = line.take_name(/*allows_colon=*/true);
  if (sample.name.empty()) return fail(ErrorCode::io, "{} begins with no name of a metric", in_quotes(line.rest()));
  if (line.take('{')) OGAS_TRY(read_labels(line, sample));
  sample.value = OGAS_TRY(read_value(line.take_word()));
  if (line.at_end() || line.rest().starts_with('#')) return sample;
  OGAS_TRY(read_value(line.take_word()));  // when it was measured
  if (line.at_end() || line.rest().starts_with('#')) return sample;
  return fail(ErrorCode::io, "{} follows the value", in_quotes(line.rest()));
}

}  // namespace

std::string_view Sample::label(std::string_view label_name) const {
  for (const auto& [key, text] : labels)
    if (key == label_name) return text;
  return {};
}

Result<std::vector<Sample>> parse_prometheus(std::string_view text) {
  std::vector<Sample> samples;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t length = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const Line cursor(line);
    if (cursor.at_end() || cursor.rest().starts_with('#')) continue;
    auto sample = read_sample(cursor);
    if (!sample) return fail_within(sample.error(), "line {} of the metrics", number);
    samples.push_back(*std::move(sample));
  }
  return samples;
}

}  // namespace ogas::client
