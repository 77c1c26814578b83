#include "server/request/json_fields.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace ogas::server {
namespace {

constexpr int kDeepest = 64;

// Refuses while the text is read what would do harm once it is: nothing is built beyond it.
class Guard {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth > kDeepest) throw ApiError(400, fmt::format("the JSON is nested deeper than {}", kDeepest));
    if (event == Event::object_start) names_.emplace_back();
    if (event == Event::object_end) names_.pop_back();
    if (event == Event::key && !names_.back().insert(parsed.get<std::string>()).second)
      throw ApiError(400, fmt::format("an object has the name '{}' twice", parsed.get<std::string>()),
                     parsed.get<std::string>());
    return true;
  }

 private:
  std::vector<std::set<std::string>> names_;
};

}  // namespace

ApiResult<Json> parse_json(std::string_view text) {
  try {
    return Json::parse(text, [guard = std::make_shared<Guard>()](int depth, Json::parse_event_t event, Json& parsed) {
      return (*guard)(depth, event, parsed);
    });
  } catch (const ApiError& error) {
    return std::unexpected(error);
  } catch (const nlohmann::json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: ..."
    const std::string_view what = error.what();
    const size_t begin = what.find("] ");
    return refuse("", "the body is not JSON: {}", begin == std::string_view::npos ? what : what.substr(begin + 2));
  }
}

std::string to_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string_view kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return "null";
    case Json::value_t::object: return "an object";
    case Json::value_t::array: return "an array";
    case Json::value_t::string: return "a string";
    case Json::value_t::boolean: return "a boolean";
    case Json::value_t::number_float: return "a number";
    default: return "an integer";
  }
}

ApiResult<Fields> Fields::of(const Json& object, std::string path) {
  if (!object.is_object())
    return refuse(path, "{} is {}, where an object is expected", path.empty() ? "the body" : path, kind_of(object));
  return Fields(object, std::move(path));
}

std::string Fields::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

const Json* Fields::find(std::string_view name) {
  known_.push_back(name);
  const auto found = object_->find(std::string(name));
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

void Fields::ignore(std::initializer_list<std::string_view> names) {
  known_.insert(known_.end(), names.begin(), names.end());
}

void Fields::allow_empty(std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const auto found = object_->find(std::string(name));
        found != object_->end() && found->is_array() && found->empty())
      known_.push_back(name);
}

ApiResult<> Fields::finish() const {
  for (const auto& [name, value] : object_->items())
    if (!value.is_null() && std::ranges::find(known_, name) == known_.end())
      return refuse(path_of(name), "there is no field '{}' here, or it is not supported", path_of(name));
  return {};
}

ApiResult<std::optional<bool>> Fields::boolean(std::string_view name) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_boolean())
    return refuse(path_of(name), "{} is {}, where a boolean is expected", path_of(name), kind_of(*value));
  return value->get<bool>();
}

ApiResult<std::optional<int64_t>> Fields::integer(std::string_view name, int64_t min, int64_t max) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  const bool is_whole = value->is_number_float() && std::abs(value->get<double>()) < 1e15 &&
                        std::trunc(value->get<double>()) == value->get<double>();
  if (!value->is_number_integer() && !is_whole)
    return refuse(path_of(name), "{} is {}, where an integer is expected", path_of(name), kind_of(*value));
  const bool is_too_large = value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
  const int64_t number = is_too_large ? INT64_MAX : value->get<int64_t>();
  if (is_too_large || number < min || number > max)
    return refuse(path_of(name), "{} is {}, which is not in {} to {}", path_of(name), value->dump(), min, max);
  return number;
}

ApiResult<std::optional<double>> Fields::number(std::string_view name, double min, double max) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_number())
    return refuse(path_of(name), "{} is {}, where a number is expected", path_of(name), kind_of(*value));
  const auto number = value->get<double>();
  if (!(number >= min && number <= max))
    return refuse(path_of(name), "{} is {}, which is not in {} to {}", path_of(name), value->dump(), min, max);
  return number;
}

ApiResult<std::optional<std::string>> Fields::text(std::string_view name) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_string())
    return refuse(path_of(name), "{} is {}, where a string is expected", path_of(name), kind_of(*value));
  return value->get<std::string>();
}

ApiResult<std::string> Fields::needed_text(std::string_view name) {
  auto value = OGAS_TRY(text(name));
  if (!value) return refuse(path_of(name), "{} is missing", path_of(name));
  return *std::move(value);
}

ApiResult<std::vector<std::string>> Fields::texts(std::string_view name, size_t n_max) {
  const Json* value = find(name);
  if (!value) return std::vector<std::string>();
  if (value->is_string()) return std::vector{value->get<std::string>()};
  if (!value->is_array())
    return refuse(path_of(name), "{} is {}, where a string or an array of at most {} strings is expected",
                  path_of(name), kind_of(*value), n_max);
  if (value->size() > n_max)
    return refuse(path_of(name), "{} has {} texts, where at most {} are allowed", path_of(name), value->size(), n_max);
  std::vector<std::string> texts;
  for (size_t idx = 0; idx < value->size(); ++idx) {
    if (!(*value)[idx].is_string())
      return refuse(fmt::format("{}[{}]", path_of(name), idx), "{}[{}] is {}, where a string is expected",
                    path_of(name), idx, kind_of((*value)[idx]));
    texts.push_back((*value)[idx].get<std::string>());
  }
  return texts;
}

}  // namespace ogas::server
