// Options that several commands share, by the names the field uses.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/engine_settings.h"
#include "engine/request_settings.h"

namespace ogas::cli {

// What a parsed command line asks for; returns the exit code.
using Command = std::function<int()>;

// With the plain template, a model does not end its answer but writes the next line of the conversation.
inline constexpr std::string_view kPlainStop = "\nUser:";

// How conversations become text: by the model's own template, or by another.
struct TemplateOptions {
  std::string chat_template;  // "plain", a file, or empty: the model's own
  bool parse_special = false;

  // --chat-template, --parse-special
  void add_to(CLI::App& app);
  bool is_plain() const { return chat_template == "plain"; }
  // The template's text; empty for the model's own. Errors: as read_file.
  Result<std::string> source() const;
};

// A check of a value: not empty.
CLI::Validator some_text();

struct ModelOptions {
  std::string model;  // path or name; empty: the default model
  EngineOptions settings = {};

  // All of engine_settings() that have flags but --prefix-cache. It must stay where it is until the command line is
  // parsed.
  void add_to(CLI::App& app);
  // --prefix-cache; without it nothing is kept on disk.
  void add_prefix_cache_to(CLI::App& app);
  // With the folders of this user.
  EngineOptions engine_options() const;
  // Finds and loads the model, with a progress bar if it takes long: for text, or for tokens alone.
  Result<std::unique_ptr<Engine>> load(const TemplateOptions& chat = {}) const;
  Result<std::unique_ptr<Engine>> load_for_tokens() const;
  // Where fewer experts were asked for: a line on stderr that says what a token takes.
  void announce_fewer_experts(const ModelFacts& facts) const;
  // What the loaded model's publisher recommends.
  SamplingOptions recommended_sampling(const Engine& engine) const;

 private:
  Result<std::unique_ptr<Engine>> load_with(const EngineOptions& options) const;

  bool keeps_prefixes_ = false;                // on disk
  const CLI::Option* prefix_cache_ = nullptr;  // where there is one
};

struct AnswerOptions {
  Request request = {.sampling = {.seed = SamplingOptions::kRandomSeed}};  // without a prompt
  bool greedy = false;
  std::vector<std::string> logit_bias;                                      // "15043-1.5"; -inf bans the token
  std::vector<std::string> dry_sequence_breakers = default_dry_breakers();  // or one "none"

  // Names of settings (conversation.h) that the person gave, by option, /set or a saved conversation.
  std::set<std::string, std::less<>> given;

  // It must stay where it is until the command line is parsed.
  void add_to(CLI::App& app);
  // Takes what the model's publisher recommends for all that was not asked for.
  void take_recommended(const SamplingOptions& recommended);
  // A request with these settings and a seed drawn where none was given. The tokenizer is the prompt's.
  Request make_request(std::vector<TokenId> prompt, const Tokenizer& tokenizer) const;

 private:
  void add_setting_to(CLI::App& app, const SamplingSetting& setting);
  void add_lists_to(CLI::App& app);

  // One for each option that a publisher may recommend a value for; does nothing if the person gave one.
  using Take = std::function<void(SamplingOptions& own, const SamplingOptions& recommended)>;
  std::vector<Take> take_if_not_given_;
};

// Seconds since this program began, whatever its process did before.
double seconds_since_start();

}  // namespace ogas::cli
