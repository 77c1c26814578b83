// From what a person typed to a model file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ogas::cli {

inline constexpr std::string_view kDefaultModel = "SmolLM2-135M-Instruct.Q4_1.gguf";

// ${XDG_CACHE_HOME:-~/.cache}/ogas; empty where there is no home.
std::filesystem::path user_cache_folder();

// Where models lie: the folders of OGAS_MODELS (separated by colons), or ogas/models in the user's cache folder.
std::vector<std::filesystem::path> model_folders();

// The models that lie there, later parts of split ones left out, in the order of their paths. Of those with one name
// the first folder's.
std::vector<std::filesystem::path> all_models();

// A path to a file as it is; else a name looked up in model_folders(): the file's name with or without .gguf, or the
// beginning of exactly one, letters compared without case. Empty means the default model. Errors: not_found, with what
// there is; usage, if the beginning fits several; bad_file, if it is a directory, a device or may not be read.
Result<std::filesystem::path> find_model(std::string_view name);

// What a model is called: its file's name without ".gguf", or its folder's name, dots and all.
std::string name_of_model(const std::filesystem::path& path);

// Whether the only argument of `ogas run` is a model and not the prompt: it is a model's file or folder, or
// another file with a name that no word has, or ends in .gguf (with blanks only if its folder exists), or is a
// word of at least three letters that find_model() knows.
bool names_a_model(std::string_view text);
// "'smollm2' names the model SmolLM2-135M-Instruct.Q4_1.gguf": for those who meant it otherwise. Errors:
// as find_model.
Result<std::string> names_which_model(std::string_view text);

}  // namespace ogas::cli
