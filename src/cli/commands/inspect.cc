// ogas inspect: what a model file holds, from its headers alone.
#include <fmt/ranges.h>

#include "base/memory.h"
#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "engine/model_headers.h"

namespace ogas::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions {
  std::string model;
  bool tensors = false, metadata = false, json = false;
  bool sample = false, template_source = false;  // of the chat template
};

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
std::string describe_kv(const KvLayout& kv) {
  std::string text = fmt::format("{} a token in F16", format_bytes(kv.position_bytes()));
  if (kv.window() > 0)
    text += fmt::format(", {} of them only for the last {} tokens",
                        format_bytes(kv.page_bytes(KvPageKind::window) / KvLayout::kPagePositions), kv.window());
  return text;
}

uint32_t head_dim(const ModelFacts& facts) { return facts.kv.streams().empty() ? 0 : facts.kv.streams().front().k_dim; }

void show_model(Table& table, const ModelHeaders& model) {
  const Metadata& meta = model.file().metadata();
  const auto text = [&](std::string_view key) { return std::string(meta.get_string_or(key, "").value_or("")); };
  table.row("file", model.file().path().string());
  table.row("size", fmt::format("{} in {} {}", format_bytes(model.file().total_bytes()), model.file().shards().size(),
                                model.file().shards().size() == 1 ? "file" : "files"));
  if (const std::string name = text("general.name"); !name.empty()) table.row("name", name);
  table.row("architecture", model.architecture());
  if (const std::string license = text("general.license"); !license.empty()) table.row("license", license);
  const ModelFacts* facts = model.facts();
  if (!facts) {
    table.row("runs here", "no: " + model.model_error().error().message);
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
  table.row("keys and values", describe_kv(facts->kv));
  if (facts->kv.n_states() > 0)
    table.row("recurrent state", fmt::format("{} a conversation in {} of the layers, and as much for a snapshot",
                                             format_bytes(facts->kv.state_bytes()), facts->kv.n_states()));
}

void show_text(Table& table, const ModelHeaders& model) {
  if (model.vocab())
    table.row("tokenizer", fmt::format("{}, pre-tokenizer '{}', {} tokens",
                                       model.vocab()->model == TokenizerModel::byte_level_bpe ? "byte-level BPE"
                                                                                              : "SentencePiece BPE",
                                       model.vocab()->pre, model.vocab()->tokens.size()));
  else
    table.row("tokenizer", "no: " + model.vocab().error().message);
  if (!model.text_rules()) table.row("text", "no: " + model.text_rules().error().message);
  table.row("chat template", model.chat_template().empty() ? "none"
                                                           : fmt::format("{} letters (--template renders a sample)",
                                                                         model.chat_template().size()));
}

void show_formats(Table& table, const ModelHeaders& model) {
  table.title(fmt::format("{:<10} {:>8} {:>12} {:>12} {:>12}", "format", "tensors", "values", "bytes", "bits/value"));
  for (const auto& use : model.formats())
    table.line(fmt::format("{:<10} {:>8} {:>12} {:>12} {:>12.2f}", use.name, use.n_tensors, format_count(use.n_values),
                           format_bytes(use.n_bytes),
                           8.0 * static_cast<double>(use.n_bytes) / static_cast<double>(use.n_values)));
}

void show_tensors(Table& table, const ModelHeaders& model) {
  table.title(fmt::format("{:<10} {:<20} {:>10}  {}", "format", "shape", "bytes", "tensor"));
  for (const auto& [name, tensor] : model.file().tensors())
    table.line(fmt::format("{:<10} {:<20} {:>10}  {}", facts_of(tensor.format).name, tensor.shape.to_string(),
                           format_bytes(tensor.n_bytes()), name));
}

void show_metadata(Table& table, const ModelHeaders& model) {
  table.title("metadata");
  for (const auto& [key, value] : model.file().metadata().all())
    table.line(fmt::format("{} ({}) = {}", key, value.type_name(), show_value(model.file().metadata(), key, value)));
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
          {"kv_bytes_per_token_in_window", facts.kv.page_bytes(KvPageKind::window) / KvLayout::kPagePositions},
          {"window", facts.kv.window()},
          {"recurrent_layers", facts.kv.n_states()},
          {"recurrent_state_bytes", facts.kv.state_bytes()}};
}

Json as_json(const ModelHeaders& model, const InspectOptions& options) {
  const Metadata& meta = model.file().metadata();
  Json json = {{"file", model.file().path().string()},
               {"bytes", model.file().total_bytes()},
               {"files", model.file().shards().size()},
               {"name", meta.get_string_or("general.name", "").value_or("")},
               {"architecture", model.architecture()}};
  if (const ModelFacts* facts = model.facts())
    json["model"] = facts_as_json(*facts);
  else
    json["error"] = model.model_error().error().message;
  for (const auto& use : model.formats())
    json["formats"][std::string(use.name)] = {
        {"tensors", use.n_tensors}, {"values", use.n_values}, {"bytes", use.n_bytes}};
  if (model.vocab()) json["tokenizer"] = {{"pre", model.vocab()->pre}, {"tokens", model.vocab()->tokens.size()}};
  if (!model.text_rules()) json["tokenizer"]["error"] = model.text_rules().error().message;
  json["chat_template"] = model.chat_template().empty() ? Json(nullptr) : Json(model.chat_template());
  if (options.metadata)
    for (const auto& [key, value] : meta.all()) json["metadata"][std::string(key)] = value_as_json(value);
  if (options.tensors)
    for (const auto& [name, tensor] : model.file().tensors())
      json["tensors"].push_back(
          {{"name", name},
           {"format", facts_of(tensor.format).name},
           {"shape", std::vector<uint64_t>(tensor.shape.dims.begin(), tensor.shape.dims.begin() + tensor.shape.n_dims)},
           {"bytes", tensor.n_bytes()}});
  return json;
}

// A short conversation as the template renders it; without the system message where it refuses one.
Result<std::string> render_sample(const ModelHeaders& model) {
  const Json turns = {{{"role", "user"}, {"content", "What is the capital of France?"}},
                      {{"role", "assistant"}, {"content", "Paris."}},
                      {{"role", "user"}, {"content", "And of Japan?"}}};
  Json messages = Json::array({{{"role", "system"}, {"content", "You answer briefly."}}});
  messages.insert(messages.end(), turns.begin(), turns.end());
  auto rendered = model.render_chat(messages);
  return rendered ? std::move(rendered) : model.render_chat(turns);
}

Result<int> show_template(const ModelHeaders& model, bool source) {
  OGAS_TRY(model.chat_template_error());
  if (model.chat_template().empty())
    return fail(ErrorCode::not_found, "the model has no chat template; run and chat take --chat-template plain");
  write_foreign((source ? model.chat_template() : OGAS_TRY(render_sample(model))) + "\n");
  return kSuccess;
}

Result<int> inspect(const InspectOptions& options) {
  const auto headers = OGAS_TRY(ModelHeaders::read(OGAS_TRY(find_model(options.model))));
  const ModelHeaders& model = *headers;
  if (options.json) {
    write_json(as_json(model, options), 2);
    return kSuccess;
  }
  if (options.sample || options.template_source) return show_template(model, options.template_source);
  Table table;
  show_model(table, model);
  show_text(table, model);
  show_formats(table, model);
  if (options.metadata) show_metadata(table, model);
  if (options.tensors) show_tensors(table, model);
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
