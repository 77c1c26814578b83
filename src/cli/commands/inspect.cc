// ogas inspect: what a model file holds, from its headers alone.
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "arch/registry.h"
#include "base/memory.h"
#include "chat/chat_template.h"
#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "files/template_reader.h"
#include "files/vocab_reader.h"
#include "text/pre_tokenizer.h"

namespace ogas::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions {
  std::string model;
  bool tensors = false, metadata = false, json = false;
  bool sample = false, template_source = false;  // of the chat template
};

struct FormatUse {
  uint64_t n_tensors = 0, n_values = 0, n_bytes = 0;
};

// Largest first.
std::vector<std::pair<Format, FormatUse>> uses_by_format(const TensorFile& file) {
  std::map<Format, FormatUse> uses;
  for (const auto& [name, tensor] : file.tensors()) {
    FormatUse& use = uses[tensor.format];
    ++use.n_tensors;
    use.n_values += tensor.shape.n_values();
    use.n_bytes += tensor.n_bytes();
  }
  std::vector<std::pair<Format, FormatUse>> sorted(uses.begin(), uses.end());
  std::ranges::sort(sorted, std::greater(), [](const auto& use) { return use.second.n_bytes; });
  return sorted;
}

// "134.5 M", "30.5 B"
std::string format_count(uint64_t n) {
  const auto value = static_cast<double>(n);
  if (n < 1'000'000) return fmt::format("{}", n);
  return n < 1'000'000'000 ? fmt::format("{:.1f} M", value / 1e6) : fmt::format("{:.2f} B", value / 1e9);
}

// A metadata value in at most a line; arrays by their type, length and first elements.
std::string show_value(const Metadata& metadata, std::string_view key, const MetaValue& value) {
  constexpr size_t kMaxLetters = 80;
  const auto shorten = [&](std::string_view text) {
    const std::string line = printable_line(text.substr(0, kMaxLetters));
    return text.size() > kMaxLetters ? line + "…" : line;
  };
  if (const auto* array = std::get_if<MetaArray>(&value.value)) {
    const std::string head = fmt::format("[{} {}]", array->count, name_of(array->element));
    if (const auto ints = metadata.get_ints(key, 16)) return fmt::format("{} {}", head, fmt::join(*ints, ", "));
    if (const auto floats = metadata.get_floats(key, 16)) return fmt::format("{} {:g}", head, fmt::join(*floats, ", "));
    return head;
  }
  return std::visit(
      [&](const auto& x) -> std::string {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, std::string_view>)
          return shorten(x);
        else if constexpr (std::is_same_v<T, MetaArray>)
          return {};
        else if constexpr (std::is_same_v<T, double>)
          return fmt::format("{:g}", x);
        else
          return fmt::format("{}", x);
      },
      value.value);
}

Json value_as_json(const MetaValue& value) {
  if (const auto* array = std::get_if<MetaArray>(&value.value))
    return {{"array_of", name_of(array->element)}, {"count", array->count}};
  return std::visit(
      [](const auto& x) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(x)>, MetaArray>)
          return nullptr;
        else
          return x;
      },
      value.value);
}

// Everything that is shown, gathered once.
struct Report {
  const TensorFile& file;
  Result<std::unique_ptr<Model>> model;
  Result<Vocab> vocab;
  Result<> rules;                // of the vocabulary: whether its pre-tokenizer is known
  std::string chat_template;     // empty: none
  Result<> template_error = {};  // why it cannot be read

  const ModelFacts* facts() const { return model ? &(*model)->facts() : nullptr; }
  // As GGUF calls it, if ogas knows it; else what the file says.
  std::string architecture() const {
    if (const ModelFacts* known = facts()) return known->architecture;
    const std::string_view key = file.naming() == Naming::gguf ? "general.architecture" : "model_type";
    return std::string(file.metadata().get_string_or(key, "").value_or(""));
  }
};

Result<Report> make_report(const TensorFile& file) {
  const auto templates = read_chat_templates(file);
  const std::string* chat_template = templates ? choose_chat_template(*templates, /*has_tools=*/false) : nullptr;
  auto vocab = read_vocab(file);
  Result<> rules;
  if (vocab && !vocab->rules && vocab->model == TokenizerModel::byte_level_bpe)
    if (auto named = rules_named(vocab->pre); !named) rules = std::unexpected(std::move(named).error());
  return Report{.file = file,
                .model = create_model(file),
                .vocab = std::move(vocab),
                .rules = std::move(rules),
                .chat_template = chat_template ? *chat_template : std::string(),
                .template_error = templates ? Result<>() : std::unexpected(templates.error())};
}

class Table {
 public:
  void row(std::string_view name, const std::string& value) {
    text_ += fmt::format("{} {}\n", style_stdout(Style::dim, fmt::format("{:<16}", name)), printable_line(value));
  }
  void title(std::string_view text) { text_ += fmt::format("\n{}\n", style_stdout(Style::bold, text)); }
  void line(const std::string& text) { text_ += printable_line(text) + "\n"; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Of keys; where layers differ, of the first that has any.
uint32_t head_dim(const ModelFacts& facts) { return facts.kv.streams().empty() ? 0 : facts.kv.streams().front().k_dim; }

void show_model(Table& table, const Report& report) {
  const Metadata& meta = report.file.metadata();
  const auto text = [&](std::string_view key) { return std::string(meta.get_string_or(key, "").value_or("")); };
  table.row("file", report.file.path().string());
  table.row("size", fmt::format("{} in {} {}", format_bytes(report.file.total_bytes()), report.file.shards().size(),
                                report.file.shards().size() == 1 ? "file" : "files"));
  if (const std::string name = text("general.name"); !name.empty()) table.row("name", name);
  table.row("architecture", report.architecture());
  if (const std::string license = text("general.license"); !license.empty()) table.row("license", license);
  const ModelFacts* facts = report.facts();
  if (!facts) {
    table.row("runs here", "no: " + report.model.error().message);
    return;
  }
  table.row("parameters", facts->n_params_active == facts->n_params
                              ? format_count(facts->n_params)
                              : fmt::format("{}, {} of them active for a token", format_count(facts->n_params),
                                            format_count(facts->n_params_active)));
  table.row("layers", fmt::format("{}", facts->n_layer));
  if (facts->n_expert > 0)
    table.row("experts", fmt::format("{} a layer of width {}, {} for each token", facts->n_expert, facts->n_ff_exp,
                                     facts->n_expert_used));
  if (facts->n_mtp > 0) table.row("MTP head", "predicts the token after next; ogas logits --mtp");
  table.row("width", facts->n_ff > 0 ? fmt::format("{} (feed-forward {})", facts->n_embd, facts->n_ff)
                                     : fmt::format("{}", facts->n_embd));
  table.row("heads",
            facts->latent_dim > 0
                ? fmt::format("{}, from latents of {} (MLA)", facts->n_head, facts->latent_dim)
                : fmt::format("{} of {}, {} for keys and values", facts->n_head, head_dim(*facts), facts->n_head_kv));
  if (facts->indexer_dim > 0)
    table.row("attention", fmt::format("sparse: an indexer with keys of {} chooses positions", facts->indexer_dim));
  table.row("context", fmt::format("{} tokens", facts->n_ctx_train));
  table.row("keys and values", fmt::format("{} a token in F16", format_bytes(facts->kv.position_bytes())));
  if (facts->kv.n_states() > 0)
    table.row("recurrent state", fmt::format("{} a conversation in {} of the layers, and as much for a copy",
                                             format_bytes(facts->kv.state_bytes()), facts->kv.n_states()));
}

void show_text(Table& table, const Report& report) {
  if (report.vocab)
    table.row("tokenizer", fmt::format("{}, pre-tokenizer '{}', {} tokens",
                                       report.vocab->model == TokenizerModel::byte_level_bpe ? "byte-level BPE"
                                                                                             : "SentencePiece BPE",
                                       report.vocab->pre, report.vocab->tokens.size()));
  else
    table.row("tokenizer", "no: " + report.vocab.error().message);
  if (!report.rules) table.row("text", "no: " + report.rules.error().message);
  table.row("chat template", report.chat_template.empty() ? "none"
                                                          : fmt::format("{} letters (--template renders a sample)",
                                                                        report.chat_template.size()));
}

void show_formats(Table& table, const Report& report) {
  table.title(fmt::format("{:<10} {:>8} {:>12} {:>12} {:>12}", "format", "tensors", "values", "bytes", "bits/value"));
  for (const auto& [format, use] : uses_by_format(report.file))
    table.line(fmt::format("{:<10} {:>8} {:>12} {:>12} {:>12.2f}", facts_of(format).name, use.n_tensors,
                           format_count(use.n_values), format_bytes(use.n_bytes),
                           8.0 * static_cast<double>(use.n_bytes) / static_cast<double>(use.n_values)));
}

void show_tensors(Table& table, const Report& report) {
  table.title(fmt::format("{:<10} {:<20} {:>10}  {}", "format", "shape", "bytes", "tensor"));
  for (const auto& [name, tensor] : report.file.tensors())
    table.line(fmt::format("{:<10} {:<20} {:>10}  {}", facts_of(tensor.format).name, tensor.shape.to_string(),
                           format_bytes(tensor.n_bytes()), name));
}

void show_metadata(Table& table, const Report& report) {
  table.title("metadata");
  for (const auto& [key, value] : report.file.metadata().all())
    table.line(fmt::format("{} ({}) = {}", key, value.type_name(), show_value(report.file.metadata(), key, value)));
}

Json facts_as_json(const ModelFacts& facts) {
  return {{"parameters", facts.n_params},
          {"parameters_active", facts.n_params_active},
          {"layers", facts.n_layer},
          {"embedding_length", facts.n_embd},
          {"feed_forward_length", facts.n_ff},
          {"heads", facts.n_head},
          {"heads_kv", facts.n_head_kv},
          {"head_dim", head_dim(facts)},
          {"context_length", facts.n_ctx_train},
          {"vocabulary", facts.n_vocab},
          {"experts", facts.n_expert},
          {"experts_used", facts.n_expert_used},
          {"mtp_heads", facts.n_mtp},
          {"weight_bytes", facts.weight_bytes},
          {"kv_bytes_per_token", facts.kv.position_bytes()},
          {"recurrent_layers", facts.kv.n_states()},
          {"recurrent_state_bytes", facts.kv.state_bytes()}};
}

Json as_json(const Report& report, const InspectOptions& options) {
  const Metadata& meta = report.file.metadata();
  Json json = {{"file", report.file.path().string()},
               {"bytes", report.file.total_bytes()},
               {"files", report.file.shards().size()},
               {"name", meta.get_string_or("general.name", "").value_or("")},
               {"architecture", report.architecture()}};
  if (const ModelFacts* facts = report.facts())
    json["model"] = facts_as_json(*facts);
  else
    json["error"] = report.model.error().message;
  for (const auto& [format, use] : uses_by_format(report.file))
    json["formats"][std::string(facts_of(format).name)] = {
        {"tensors", use.n_tensors}, {"values", use.n_values}, {"bytes", use.n_bytes}};
  if (report.vocab) json["tokenizer"] = {{"pre", report.vocab->pre}, {"tokens", report.vocab->tokens.size()}};
  if (!report.rules) json["tokenizer"]["error"] = report.rules.error().message;
  json["chat_template"] = report.chat_template.empty() ? Json(nullptr) : Json(report.chat_template);
  if (options.metadata)
    for (const auto& [key, value] : meta.all()) json["metadata"][std::string(key)] = value_as_json(value);
  if (options.tensors)
    for (const auto& [name, tensor] : report.file.tensors())
      json["tensors"].push_back(
          {{"name", name},
           {"format", facts_of(tensor.format).name},
           {"shape", std::vector<uint64_t>(tensor.shape.dims.begin(), tensor.shape.dims.begin() + tensor.shape.n_dims)},
           {"bytes", tensor.n_bytes()}});
  return json;
}

// A short conversation as the template renders it; without the system message where it refuses one.
Result<std::string> render_sample(const Report& report) {
  const auto chat_template = OGAS_TRY(ChatTemplate::parse(report.chat_template));
  ChatTemplateInput input{};
  if (report.vocab) {
    const auto text_of = [&](std::optional<TokenId> id) {
      return id ? std::string(report.vocab->tokens[static_cast<size_t>(*id)]) : std::string();
    };
    input.bos_token = text_of(report.vocab->bos);
    input.eos_token = text_of(report.vocab->eos);
  }
  const Json turns = {{{"role", "user"}, {"content", "What is the capital of France?"}},
                      {{"role", "assistant"}, {"content", "Paris."}},
                      {{"role", "user"}, {"content", "And of Japan?"}}};
  input.messages = Json::array({{{"role", "system"}, {"content", "You answer briefly."}}});
  input.messages.insert(input.messages.end(), turns.begin(), turns.end());
  auto rendered = chat_template.render(input);
  if (rendered) return rendered->text;
  input.messages = turns;
  return OGAS_TRY(chat_template.render(input)).text;
}

Result<int> show_template(const Report& report, bool source) {
  OGAS_TRY(report.template_error);
  if (report.chat_template.empty())
    return fail(ErrorCode::not_found, "the model has no chat template; run and chat take --chat-template plain");
  write_foreign((source ? report.chat_template : OGAS_TRY(render_sample(report))) + "\n");
  return kSuccess;
}

Result<int> inspect(const InspectOptions& options) {
  const auto file = OGAS_TRY(TensorFile::open(OGAS_TRY(find_model(options.model))));
  const Report report = OGAS_TRY(make_report(file));
  if (options.json) {
    write_json(as_json(report, options), 2);
    return kSuccess;
  }
  if (options.sample || options.template_source) return show_template(report, options.template_source);
  Table table;
  show_model(table, report);
  show_text(table, report);
  show_formats(table, report);
  if (options.metadata) show_metadata(table, report);
  if (options.tensors) show_tensors(table, report);
  write_stdout(table.text());
  return kSuccess;
}

}  // namespace

void add_inspect(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* inspect_app = app.add_subcommand("inspect", "Show the contents of a model file without loading it");
  inspect_app->add_option("MODEL", options->model, "Model, as a file or a name (default: the small one)");
  inspect_app->add_flag("--tensors", options->tensors, "Every tensor with format, shape and bytes");
  inspect_app->add_flag("--metadata", options->metadata, "Every key of the metadata");
  inspect_app->add_flag("--template", options->sample, "A short conversation as the chat template renders it");
  inspect_app->add_flag("--template-source", options->template_source, "The chat template itself");
  inspect_app->add_flag("--json", options->json, "As JSON");
  inspect_app->footer(
      "Examples:\n"
      "  ogas inspect\n"
      "  ogas inspect model.gguf --tensors | less\n"
      "  ogas inspect model.gguf --json | jq .model.parameters");
  when_asked(inspect_app, chosen, options, inspect);
}

}  // namespace ogas::cli
