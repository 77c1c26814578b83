#include "cli/options/model_path.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "base/ascii.h"
#include "base/file.h"
#include "base/quote.h"
#include "cli/options/did_you_mean.h"

namespace ogas::cli {
namespace {

namespace fs = std::filesystem;

// A later part of a split model is opened through its first.
bool is_later_part(const std::string& file_name) {
  const size_t of = file_name.rfind("-of-");
  return of != std::string::npos && of >= 6 && file_name[of - 6] == '-' && file_name.substr(of - 5, 5) != "00001";
}

// The same path, ending in a name: "folder/", "." and ".." do not.
fs::path ending_in_name(const fs::path& path) {
  std::error_code error;
  const fs::path last = path.filename();
  if (!last.empty() && last != "." && last != "..") return path;
  const fs::path whole = last.empty() ? path.parent_path() : fs::absolute(path, error).lexically_normal();
  return whole.has_filename() || !whole.has_parent_path() ? whole : whole.parent_path();
}

std::string list_of(const std::vector<fs::path>& models) {
  std::vector<std::string> names;
  for (const auto& model : models) names.push_back(name_of_model(model));
  return fmt::format("{}", fmt::join(names, ", "));
}

// The end of "there is no such model; ...".
std::string what_there_is(std::string_view name, const std::vector<fs::path>& models) {
  if (models.empty()) return "and no models lie in the folders of OGAS_MODELS or the cache folder";
  std::vector<std::string> names;
  for (const auto& model : models) names.push_back(name_of_model(model));
  if (const auto near = closest(name.substr(0, name.size() - (name.ends_with(".gguf") ? 5 : 0)), names))
    return fmt::format("did you mean {}?", *near);
  return "there is: " + list_of(models);
}

// Of what cannot be opened: a symbolic link to nothing.
Result<> open_error(const fs::path& path) {
  auto file = MappedFile::open(path);
  return file ? Result<>() : std::unexpected(file.error());
}

// What exists but cannot be a model file is refused by its name.
Result<> check_is_file(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return open_error(path);
  if (fs::is_directory(path, error)) {
    if (is_there(path / "config.json")) return {};  // a Hugging Face folder
    return fail(ErrorCode::bad_file,
                "{} is a directory without a config.json; a .gguf file or a model's folder is expected",
                in_quotes(path.string()));
  }
  if (!fs::is_regular_file(path, error))
    return fail(ErrorCode::bad_file, "{} is a device or pipe; a .gguf file is expected", in_quotes(path.string()));
  if (::access(path.c_str(), R_OK) != 0)
    return fail(ErrorCode::bad_file, "cannot read {}: {}", in_quotes(path.string()), std::strerror(errno));
  return {};
}

// Whether a file begins as GGUF does.
bool is_gguf(const fs::path& path) {
  std::array<char, 4> begin{};
  return std::ifstream(path, std::ios::binary).read(begin.data(), begin.size()) &&
         std::string_view(begin.data(), begin.size()) == "GGUF";
}

}  // namespace

fs::path user_cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (cache && *cache) return fs::path(cache) / "ogas";
  return home && *home ? fs::path(home) / ".cache" / "ogas" : fs::path();
}

std::vector<fs::path> model_folders() {
  std::vector<fs::path> folders;
  if (const char* variable = std::getenv("OGAS_MODELS"); variable && *variable) {
    std::istringstream list(variable);
    for (std::string folder; std::getline(list, folder, ':');)
      if (!folder.empty()) folders.emplace_back(folder);
    return folders;
  }
  if (const fs::path cache = user_cache_folder(); !cache.empty()) folders.push_back(cache / "models");
  return folders;
}

std::vector<fs::path> all_models() {
  std::vector<fs::path> models;
  std::set<fs::path> names;  // of the folders before
  for (const auto& folder : model_folders()) {
    std::error_code error;
    const size_t n_before = models.size();
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      if (((it->path().extension() == ".gguf" && !is_later_part(it->path().filename().string())) ||
           fs::is_regular_file(it->path() / "config.json", error)) &&
          !names.contains(it->path().filename()))
        models.push_back(it->path());
    for (size_t idx = n_before; idx < models.size(); ++idx) names.insert(models[idx].filename());
  }
  std::ranges::sort(models);
  return models;
}

Result<fs::path> find_model(std::string_view name) {
  const bool is_default = name.empty();
  if (is_default) name = kDefaultModel;
  if (!is_default && is_there(name)) {
    OGAS_TRY(check_is_file(name));
    return ending_in_name(name);
  }

  const auto models = all_models();
  const std::string wanted = lower_ascii(name);
  std::vector<fs::path> beginning;
  for (const auto& model : models) {
    const std::string file_name = lower_ascii(model.filename().string());
    if (file_name == wanted || file_name == wanted + ".gguf") return model;
    if (file_name.starts_with(wanted)) beginning.push_back(model);
  }
  if (beginning.size() == 1) return beginning.front();
  if (beginning.size() > 1)
    return fail(ErrorCode::usage, "{} fits several models: {}", in_quotes(name), list_of(beginning));
  if (is_default) {
    std::error_code error;
    // Where ./run puts it, unless told otherwise. OGAS_MODELS may name folders of other models.
    if (const fs::path usual = user_cache_folder() / "models" / name; fs::exists(usual, error)) return usual;
    return fail(ErrorCode::not_found,
                "the default model, {}, is not there yet; tools/get_default_model (or ./run) gets it", name);
  }
  return fail(ErrorCode::not_found, "there is no model file or name {}; {}", in_quotes(name),
              what_there_is(name, models));
}

std::string name_of_model(const fs::path& path) {
  constexpr std::string_view kExtension = ".gguf";
  std::string name = path.filename().string();
  if (lower_ascii(name).ends_with(kExtension)) name.resize(name.size() - kExtension.size());
  return name;
}

bool names_a_model(std::string_view text) {
  constexpr size_t kLongestPath = 4096;
  std::error_code error;
  if (text.empty()) return false;
  const fs::path path = text.size() < kLongestPath ? fs::path(text) : fs::path();
  if (fs::is_regular_file(path / "config.json", error)) return true;
  // "test" is likelier a word than a model, although there be a file of that name.
  if (fs::is_regular_file(path, error)) return text.find_first_of("./") != std::string_view::npos || is_gguf(path);
  const bool has_blanks = text.find_first_of(" \t\n") != std::string_view::npos;
  if (text.ends_with(".gguf")) return !has_blanks || fs::is_directory(path.parent_path(), error);
  // Shorter beginnings are as likely a word.
  constexpr size_t kShortestName = 3;
  return text.size() >= kShortestName && !has_blanks && text.find_first_of("?!") == std::string_view::npos &&
         find_model(text).has_value();
}

Result<std::string> names_which_model(std::string_view text) {
  const fs::path model = OGAS_TRY(find_model(text));
  return fmt::format("{} names the model {}", in_quotes(text), model.filename().string());
}

}  // namespace ogas::cli
