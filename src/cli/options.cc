#include "cli/options.h"

#include <time.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <random>
#include <sstream>

#include "base/file.h"
#include "base/memory.h"
#include "cli/help.h"
#include "cli/model_path.h"
#include "cli/terminal.h"
#include "quant/format.h"

namespace ogas::cli {

namespace {
constexpr int64_t kMaxUint32 = std::numeric_limits<uint32_t>::max();
}

void ModelOptions::add_to(CLI::App& app) {
  app.add_option("-c,--ctx,--ctx-size", n_ctx, "Positions of context (default: the model's own, or what memory allows)")
      ->type_name("N")
      ->check(whole_number(1, kMaxUint32));
  app.add_option("-t,--threads", n_threads, "Threads (default: one for each core this process may use)")
      ->type_name("N")
      ->check(whole_number(1, 1024));
  app.add_option("-b,--batch,--batch-size", n_batch,
                 "Prompt tokens computed together (default: as suits the size of the model)")
      ->type_name("N")
      ->check(whole_number(1, 65536));
  app.add_option("--kv-type", kv_type, "How keys and values are kept; q8_0: half the memory, q4_0: a quarter")
      ->type_name("f16|bf16|f32|q8_0|q4_0")
      ->check(one_of({"f16", "bf16", "f32", "q8_0", "q4_0"}))
      ->capture_default_str();
}

void TemplateOptions::add_to(CLI::App& app) {
  app.add_option("--chat-template", chat_template, "Instead of the model's: a Jinja file, or plain (User:, Assistant:)")
      ->type_name("plain|FILE");
  app.add_flag("--parse-special", parse_special, "Recognise special tokens such as <|im_end|> in what you type");
}

Result<std::string> TemplateOptions::source() const {
  // For models without a template: base models, above all, for which any clear form does.
  constexpr std::string_view kPlain =
      "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n\n{% endfor %}"
      "{% if add_generation_prompt %}Assistant:{% endif %}";
  if (chat_template.empty()) return std::string();
  return is_plain() ? std::string(kPlain) : read_file(chat_template, size_t{1} << 20);
}

Result<std::unique_ptr<Engine>> ModelOptions::load(const TemplateOptions& chat) const {
  const auto path = OGAS_TRY(find_model(model));
  const std::string chat_template = OGAS_TRY(chat.source());
  ProgressBar bar("loading " + path.filename().string());
  return Engine::load(path,
                      {.n_ctx = n_ctx,
                       .n_batch = n_batch,
                       .n_threads = n_threads,
                       .chat_template = chat_template,
                       .kv_format = format_from_name(kv_type).value_or(Format::f16)},
                      [&](double share) { bar.update(share); });
}

SamplingOptions ModelOptions::recommended_sampling(const Engine& engine) const {
  SamplingOptions sampling = engine.recommended_sampling();
  if (model.empty()) {  // the default model's card asks for these, and its file does not say so
    sampling.temperature = 0.2F;
    sampling.top_p = 0.9F;
  }
  return sampling;
}

void AnswerOptions::add_to(CLI::App& app) {
  const std::string group = "Answer";
  const auto option = [&](const char* names, auto SamplingOptions::* field, const char* text) {
    auto& value = sampling.*field;
    constexpr bool kIsFloat = std::is_floating_point_v<std::remove_reference_t<decltype(value)>>;
    const CLI::Option* added = app.add_option(names, value, text)
                                   ->group(group)
                                   ->type_name(kIsFloat ? "X" : "N")
                                   ->check(kIsFloat ? any_number() : whole_number(0, kMaxUint32))
                                   ->default_str(fmt::format("{} or the model's", value));
    take_if_not_given_.emplace_back([added, field](SamplingOptions& own, const SamplingOptions& recommended) {
      if (added->count() == 0) own.*field = recommended.*field;
    });
  };
  app.add_option("-n,--max-tokens,--n-predict", max_tokens,
                 "Longest answer in tokens (default: until the context is full)")
      ->group(group)
      ->type_name("N")
      ->check(whole_number(1, kMaxUint32));
  app.add_option("--stop", stop, "End the answer before this text; may be given several times")
      ->group(group)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_flag("--ignore-eos", ignore_end, "Go on past the model's own end of the answer")->group(group);
  app.add_option("-s,--seed", seed, "The same seed gives the same answer (default: random)")
      ->group(group)
      ->type_name("N")
      ->check(whole_number(-1));
  option("--temp,--temperature", &SamplingOptions::temperature, "0 always takes the likeliest token");
  app.add_flag("--greedy", greedy, "The same as --temperature 0")->group(group);
  option("--top-k", &SamplingOptions::top_k, "Keep the k likeliest tokens; 0 keeps all");
  option("--top-p", &SamplingOptions::top_p, "Keep the smallest set with this probability");
  option("--min-p", &SamplingOptions::min_p, "Drop tokens below this share of the likeliest");
  option("--repeat-penalty,--repetition-penalty", &SamplingOptions::repetition_penalty,
         "Divide the logits of tokens seen lately");
  option("--frequency-penalty", &SamplingOptions::frequency_penalty, "Subtract for every time a token was seen lately");
  option("--presence-penalty", &SamplingOptions::presence_penalty, "Subtract if a token was seen lately");
  option("--repeat-last-n", &SamplingOptions::penalty_window, "How many of the last tokens the penalties look at");
}

void AnswerOptions::take_recommended(const SamplingOptions& recommended) {
  for (const Take& take : take_if_not_given_) take(sampling, recommended);
}

Request AnswerOptions::make_request(std::vector<TokenId> prompt) const {
  Request request{.prompt = std::move(prompt),
                  .max_tokens = max_tokens,
                  .sampling = sampling,
                  .stop = stop,
                  .ignore_end = ignore_end,
                  .on_text = {}};
  if (greedy) request.sampling.temperature = 0;
  // 32 bits, so that a seed is short enough to be typed again.
  request.sampling.seed = seed >= 0 ? static_cast<uint64_t>(seed) : std::random_device{}();
  return request;
}

std::string describe_stats(const AnswerStats& stats, double first_token_seconds) {
  const auto rate = [](double value) { return fmt::format("{:.{}f}", value, value < 100 ? 1 : 0); };
  std::string text = fmt::format("{} + {} tok", stats.n_prompt, stats.n_generated);
  if (stats.n_cached > 0) text += fmt::format(" ({} remembered)", stats.n_cached);
  text += " · prefill " + rate(stats.prefill_rate());
  if (stats.decode_rate() > 0) text += ", decode " + rate(stats.decode_rate());
  // Fits into 80 columns.
  return text +
         fmt::format(" tok/s · first token {:.2f} s · peak {}", first_token_seconds, format_bytes(peak_memory()));
}

double seconds_since_process_start() {
  // Field 22 of /proc/self/stat: ticks since boot. The name in field 2 may hold anything, but its last ')' is the last.
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  std::istringstream fields(name_end == std::string::npos ? std::string() : line.substr(name_end + 1));
  std::string field;
  for (int idx = 3; idx <= 22; ++idx) fields >> field;
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const double started = std::strtod(field.c_str(), nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 - started;
}

}  // namespace ogas::cli
