#include "files/json.h"

#include <set>
#include <vector>

#include "base/quote.h"

namespace ogas {
namespace {

constexpr size_t kMaxDepth = 64;

// Looks at a text's structure before anything is built of it.
class Checker : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool start_array(size_t) override { return enter(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    error_ = fmt::format("the key {} appears twice in one object", in_quotes(name));
    return false;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    error_ = fmt::format("not JSON at byte {}", position);
    return false;
  }
  const std::string& error() const { return error_; }

 private:
  bool enter() {
    keys_.emplace_back();
    if (keys_.size() <= kMaxDepth) return true;
    error_ = fmt::format("nested deeper than {}", kMaxDepth);
    return false;
  }
  bool leave() {
    keys_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> keys_;
  std::string error_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view what) {
  // The parser takes a NUL for the end.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos)
    return fail(ErrorCode::bad_file, "{}: not JSON at byte {}", what, nul);
  Checker checker;
  if (!Json::sax_parse(text, &checker)) return fail(ErrorCode::bad_file, "{}: {}", what, checker.error());
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

Result<Json> parse_json(Bytes bytes, std::string_view what) {
  return parse_json(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), what);
}

std::string excerpt(const Json& json) {
  return in_quotes(json.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 100));
}

}  // namespace ogas
