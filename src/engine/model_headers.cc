#include "engine/model_headers.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "arch/registry.h"
#include "files/template_reader.h"
#include "files/vocab_reader.h"
#include "text/pre_tokenizer.h"

namespace ogas {

Result<std::unique_ptr<ModelHeaders>> ModelHeaders::read(const std::filesystem::path& path) {
  return std::unique_ptr<ModelHeaders>(new ModelHeaders(OGAS_TRY(TensorFile::open(path))));
}

ModelHeaders::ModelHeaders(TensorFile file)
    : file_(std::move(file)), model_(create_model(file_)), vocab_(read_vocab(file_)) {
  if (vocab_ && !vocab_->rules && vocab_->model == TokenizerModel::byte_level_bpe)
    if (auto rules = rules_named(vocab_->pre); !rules) text_rules_ = std::unexpected(std::move(rules).error());
  auto templates = read_chat_templates(file_);
  if (!templates)
    chat_template_error_ = std::unexpected(std::move(templates).error());
  else if (const std::string* source = choose_chat_template(*templates, /*has_tools=*/false))
    chat_template_ = *source;
}

std::string ModelHeaders::architecture() const {
  if (const ModelFacts* known = facts()) return known->architecture;
  const std::string_view key = file_.naming() == Naming::gguf ? "general.architecture" : "model_type";
  return std::string(file_.metadata().get_string_or(key, "").value_or(""));
}

std::vector<ModelHeaders::FormatUse> ModelHeaders::formats() const {
  std::map<Format, FormatUse> uses;
  for (const auto& [name, tensor] : file_.tensors()) {
    FormatUse& use = uses[tensor.format];
    use.name = facts_of(tensor.format).name;
    ++use.n_tensors;
    use.n_values += tensor.shape.n_values();
    use.n_bytes += tensor.n_bytes();
  }
  std::vector<FormatUse> sorted;
  for (const auto& [format, use] : uses) sorted.push_back(use);
  std::ranges::stable_sort(sorted, std::greater(), &FormatUse::n_bytes);
  return sorted;
}

Result<std::string> ModelHeaders::render_chat(const nlohmann::ordered_json& messages) const {
  const auto chat_template = OGAS_TRY(ChatTemplate::parse(chat_template_));
  ChatTemplateInput input{};
  input.messages = messages;
  if (vocab_) {
    const auto text_of = [&](std::optional<TokenId> id) {
      return id ? std::string(vocab_->tokens[static_cast<size_t>(*id)]) : std::string();
    };
    input.bos_token = text_of(vocab_->bos);
    input.eos_token = text_of(vocab_->eos);
  }
  return OGAS_TRY(chat_template.render(input)).text;
}

}  // namespace ogas
