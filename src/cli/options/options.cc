#include "cli/options/options.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <sstream>

#include "base/file.h"
#include "base/memory.h"
#include "base/quote.h"
#include "cli/chat/conversation.h"
#include "cli/options/add_setting.h"
#include "cli/options/help.h"
#include "cli/options/model_path.h"
#include "cli/options/setting_flags.h"
#include "cli/terminal/terminal.h"
#include "engine/memory_plan.h"

namespace ogas::cli {

namespace {

// When this program's code begins to run. The process may be older: ./run builds first, then executes ogas.
const auto kStart = std::chrono::steady_clock::now();

// The groups of options in help.
constexpr const char* kAnswerGroup = "Answer";
constexpr const char* kRareGroup = "More on sampling";

// An option for a setting that is a number.
template <class T>
CLI::Option* add_number(CLI::App& app, const SamplingSetting& setting, T& value) {
  CLI::Option* option =
      app.add_option(all_flags(setting.flags, setting.aliases, setting.name), value, std::string(setting.help));
  if (!setting.choices.empty()) {
    const std::string type(setting.choices);
    return option->type_name(type)->check(one_of(choices_of(*option->type_name(type))));
  }
  if constexpr (std::is_floating_point_v<T>) {
    return option->type_name("X")->check(any_number());
  } else {
    constexpr auto kMax = static_cast<int64_t>(std::min<uint64_t>(std::numeric_limits<T>::max(), INT64_MAX));
    const auto min = static_cast<int64_t>(setting.range.min);
    option->type_name("N");
    if (!setting.minus_one) return option->check(whole_number(min, kMax));
    return option->transform(whole_number_or_unbounded(min, kMax, *setting.minus_one));
  }
}

// Options that may be given several times, one value each.
template <class T>
CLI::Option* add_list(CLI::App& app, const std::string& names, std::vector<T>& values, const std::string& text) {
  return app.add_option(names, values, text)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
}

// "15043+1", "15043-0.5", "15043-inf"
std::optional<LogitBias> parse_logit_bias(std::string_view text) {
  const size_t sign = text.find_first_of("+-");
  if (sign == std::string_view::npos) return {};
  const std::string_view id = text.substr(0, sign), bias = text.substr(text[sign] == '+' ? sign + 1 : sign);
  const auto read = [](std::string_view number, auto& value) {
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    return error == std::errc() && end == number.data() + number.size();
  };
  LogitBias result;
  if (!read(id, result.id) || !read(bias, result.bias)) return {};
  return result;
}

// In the user's cache folder; 0 bytes where there is none.
uint64_t default_prefix_cache(const std::filesystem::path& folder) {
  constexpr uint64_t kMax = 4'000'000'000;
  std::filesystem::path there = folder;  // the part of it that exists
  std::error_code error;
  while (there.has_relative_path() && !std::filesystem::exists(there, error)) there = there.parent_path();
  const auto space = std::filesystem::space(there, error);
  return error ? 0 : std::min<uint64_t>(kMax, space.available / 10);
}

CLI::Validator a_logit_bias() {
  return {[](const std::string& text) {
            return parse_logit_bias(text) ? ""
                                          : in_quotes(text) + " is not of the form ID+X or ID-X, such as 15043-1.5";
          },
          ""};
}

}  // namespace

CLI::Validator some_text() {
  return {[](const std::string& text) { return std::string(text.empty() ? "the text is empty" : ""); }, ""};
}

void ModelOptions::add_to(CLI::App& app) {
  for (const EngineSetting& setting : engine_settings())
    if (!setting.flags.empty() && setting.name != "prefix_cache") add_setting(app, setting, settings);
}

void ModelOptions::add_prefix_cache_to(CLI::App& app) {
  keeps_prefixes_ = true;
  prefix_cache_ = add_setting(app, *find_engine_setting("prefix_cache"), settings);
}

void TemplateOptions::add_to(CLI::App& app) {
  app.add_option("--chat-template", chat_template,
                 "Chat template: a Jinja file, or plain (User:, Assistant:); default: the model's")
      ->type_name("plain|FILE");
  app.add_flag("--parse-special", parse_special, "Parse special tokens such as <|im_end|> in your text");
}

Result<std::string> TemplateOptions::source() const {
  // For models without a template: base models, above all, for which any clear form does.
  constexpr std::string_view kPlain =
      "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n\n{% endfor %}"
      "{% if add_generation_prompt %}Assistant:{% endif %}";
  if (chat_template.empty()) return std::string();
  return is_plain() ? std::string(kPlain) : read_file(chat_template, size_t{1} << 20);
}

EngineOptions ModelOptions::engine_options() const {
  EngineOptions options = settings;
  const std::filesystem::path cache = keeps_prefixes_ ? user_cache_folder() : std::filesystem::path();
  if (cache.empty()) return options;
  options.experts_folder = cache / "experts";
  options.prefix_folder = cache / "prefixes";
  if (!prefix_cache_ || prefix_cache_->count() == 0) options.prefix_cache = default_prefix_cache(options.prefix_folder);
  return options;
}

namespace {

// Where experts will be read from disk, a line that says so.
void announce_plan(const ModelFacts& facts, const MemoryPlan& plan, ProgressBar& bar) {
  if (!plan.leaves_experts_on_disk) return;
  bar.clear();
  const double share = static_cast<double>(plan.expert_bytes) / static_cast<double>(plan.all_expert_bytes);
  write_stderr(
      fmt::format("ogas: {} of weights, {} of memory: {:.0f}% of the experts stay there, the others are read "
                  "from disk (ogas plan says how that will go)\n",
                  format_bytes(facts.weight_bytes), format_bytes(plan.available), 100 * share));
}

}  // namespace

Result<std::unique_ptr<Engine>> ModelOptions::load(const TemplateOptions& chat) const {
  EngineOptions options = engine_options();
  options.chat_template = OGAS_TRY(chat.source());
  options.needs_text = true;
  return load_with(options);
}

Result<std::unique_ptr<Engine>> ModelOptions::load_for_tokens() const { return load_with(engine_options()); }

Result<std::unique_ptr<Engine>> ModelOptions::load_with(const EngineOptions& options) const {
  const auto path = OGAS_TRY(find_model(model));
  ProgressBar bar("loading " + path.filename().string());
  const auto show_share = [&](double share) {
    bar.update(share);
    return true;
  };
  const auto show_plan = [&](const ModelFacts& facts, const MemoryPlan& plan) {
    if (stderr_is_terminal()) announce_plan(facts, plan, bar);
  };
  auto engine = Engine::load(path, options, show_share, show_plan);
  if (engine && options.takes_fewer_experts()) {
    bar.clear();
    announce_fewer_experts((*engine)->facts());
  }
  return engine;
}

void ModelOptions::announce_fewer_experts(const ModelFacts& facts) const {
  const bool by_weight = settings.min_expert_weight > 0;
  write_stderr(fmt::format("ogas: {}{} of {} experts a token{}: answers are not the model's own\n",
                           by_weight ? "at most " : "", facts.n_expert_used, facts.n_expert_trained,
                           by_weight ? fmt::format(", none below {:g}", settings.min_expert_weight) : ""));
}

SamplingOptions ModelOptions::recommended_sampling(const Engine& engine) const {
  SamplingOptions sampling = engine.text().recommended_sampling();
  if (model.empty()) {  // the default model's card asks for these, and its file does not say so
    sampling.temperature = 0.2F;
    sampling.top_p = 0.9F;
  }
  return sampling;
}

void AnswerOptions::add_to(CLI::App& app) {
  for (const RequestSetting& setting : request_settings()) {
    if (setting.flags.empty()) continue;
    CLI::Option* option = add_setting(app, setting, request)->group(kAnswerGroup);
    option->each([this, name = setting.name](const std::string&) { given.emplace(name); });
  }
  for (const SamplingSetting& setting : sampling_settings()) add_setting_to(app, setting);
  add_lists_to(app);
  app.add_flag("--greedy", greedy, "The same as --temperature 0")
      ->group(kAnswerGroup)
      ->each([this](const std::string&) { given.emplace("temperature"); });
}

void AnswerOptions::add_setting_to(CLI::App& app, const SamplingSetting& setting) {
  const auto add = [&]<class Member>(Member member) {
    if constexpr (!std::is_same_v<Member, std::monostate>) {
      CLI::Option* option = add_number(app, setting, request.sampling.*member);
      option->default_str(setting.show(request.sampling) + (setting.is_recommended() ? " or the model's" : ""));
      option->each([this, name = setting.name](const std::string&) { given.emplace(name); });
      option->group(setting.is_rare ? kRareGroup : kAnswerGroup);
      if (!setting.is_recommended()) return;
      take_if_not_given_.emplace_back([option, member](SamplingOptions& own, const SamplingOptions& recommended) {
        if (option->count() == 0) own.*member = recommended.*member;
      });
    }
  };
  std::visit(add, setting.member);
}

// Lists are read in their own ways.
void AnswerOptions::add_lists_to(CLI::App& app) {
  const auto list = [&](std::string_view name, auto& values) {
    const SamplingSetting& setting = *find_sampling_setting(name);
    return add_list(app, all_flags(setting.flags, setting.aliases, setting.name), values, std::string(setting.help))
        ->group(kRareGroup);
  };
  list("dry_sequence_breakers", dry_sequence_breakers)
      ->type_name("TEXT")
      ->default_str(R"(newline, :, ", *; or none)")
      ->check(some_text());
  list("logit_bias", logit_bias)->type_name("ID+X")->check(a_logit_bias());
  const CLI::Validator an_id = whole_number(0, std::numeric_limits<TokenId>::max());
  list("banned_tokens", request.sampling.banned_tokens)->type_name("ID")->check(an_id);
  list("required_tokens", request.sampling.required_tokens)->type_name("ID")->check(an_id);
}

void AnswerOptions::take_recommended(const SamplingOptions& recommended) {
  for (const Take& take : take_if_not_given_) take(request.sampling, recommended);
}

Request AnswerOptions::make_request(std::vector<TokenId> prompt, const Tokenizer& tokenizer) const {
  Request made = request;
  made.prompt = std::move(prompt);
  if (greedy) made.sampling.temperature = 0;
  made.sampling.draw_seed();
  for (const std::string& text : logit_bias) {
    const LogitBias bias = *parse_logit_bias(text);
    if (bias.bias == -INFINITY)
      made.sampling.banned_tokens.push_back(bias.id);
    else
      made.sampling.logit_bias.push_back(bias);
  }
  if (dry_sequence_breakers != std::vector<std::string>{"none"})
    set_dry_breakers(made.sampling, tokenizer, dry_sequence_breakers);
  return made;
}

double seconds_since_start() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - kStart).count();
}

}  // namespace ogas::cli
