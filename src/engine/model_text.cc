#include "engine/model_text.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "chat/generic_tools.h"
#include "chat/template_support.h"
#include "engine/answer_grammars.h"
#include "files/template_reader.h"
#include "files/vocab_reader.h"
#include "sampling/recommended_sampling.h"

namespace ogas {
namespace {

std::string text_of(const Tokenizer& tokenizer, std::optional<TokenId> id) {
  return id ? std::string(tokenizer.bytes_of(*id)) : std::string();
}

bool has_calls(const nlohmann::ordered_json& messages) {
  return std::ranges::any_of(
      messages, [](const auto& message) { return message.contains("tool_calls") || message["role"] == "tool"; });
}

}  // namespace

ModelText::ModelText() : grammars_(std::make_shared<AnswerGrammars>()) {}

Result<ModelText> ModelText::read(const TensorFile& file, const std::string& template_source) {
  ModelText text;
  text.sampling_ = OGAS_TRY(ogas::recommended_sampling(file));
  auto vocab = read_vocab(file);
  text.tokenizer_ = vocab ? Tokenizer::create(*std::move(vocab)) : std::unexpected(std::move(vocab).error());
  text.read_templates(file, template_source);
  text.find_formats();
  text.find_ends();
  return text;
}

void ModelText::read_templates(const TensorFile& file, const std::string& given) {
  const auto sources = given.empty() ? read_chat_templates(file) : Result<NamedTemplates>({{"default", given}});
  if (!sources) {
    template_error_ = sources.error().message;
    return;
  }
  const std::string* plain = choose_chat_template(*sources, /*has_tools=*/false);
  const std::string* with_tools = choose_chat_template(*sources, /*has_tools=*/true);
  const auto parse_into = [&](const std::string* source, std::optional<ChatTemplate>& destination) {
    if (!source) return;
    auto parsed = ChatTemplate::parse(*source);
    if (parsed)
      destination = *std::move(parsed);
    else
      template_error_ = std::move(parsed).error().message;
  };
  parse_into(plain, template_);
  if (with_tools != plain) parse_into(with_tools, tool_template_);
}

void ModelText::find_formats() {
  if (!template_) return;
  const ChatTemplate& for_tools = tool_template_ ? *tool_template_ : *template_;
  const TemplateSupport support = support_of(for_tools);
  format_ = output_format_of(template_->source());
  tool_format_ = output_format_of(for_tools.source());
  has_system_role_ = tool_template_ ? support_of(*template_).system : support.system;
  has_generic_tools_ = !support.tools || (!tool_format_.channels && tool_format_.call_syntax == CallSyntax::none);
  if (has_generic_tools_) tool_format_ = with_generic_calls(format_);
  marks_ = marks_of(format_);
  std::ranges::move(marks_of(tool_format_), std::back_inserter(marks_));
}

void ModelText::find_ends() {
  if (!tokenizer_) return;
  std::vector<const ChatTemplate*> templates;
  for (const auto* one : {&template_, &tool_template_})
    if (*one) templates.push_back(&**one);
  ends_ = AnswerEnds(**tokenizer_, templates);
}

Result<const Tokenizer*> ModelText::tokenizer_or_error() const {
  if (!tokenizer_) return std::unexpected(tokenizer_.error());
  return tokenizer_->get();
}

bool ModelText::templates_mention(std::string_view name) const {
  const auto mentions = [&](const std::optional<ChatTemplate>& one) { return one && one->mentions(name); };
  return mentions(template_) || mentions(tool_template_);
}

Result<RenderedChat> ModelText::render(const ChatTemplateInput& input) const {
  const Tokenizer& tokenizer = *OGAS_TRY(tokenizer_or_error());
  if (!template_) return fail(ErrorCode::unsupported, "{}", template_error_);
  ChatTemplateInput complete = input;
  complete.bos_token = text_of(tokenizer, tokenizer.vocab().bos);
  complete.eos_token = text_of(tokenizer, tokenizer.vocab().eos);
  const bool has_tools = input.tools.is_array() && !input.tools.empty();
  if (has_generic_tools_ && (has_tools || has_calls(input.messages)))
    return template_->render(with_generic_tools(complete, has_system_role_));
  return (has_tools && tool_template_ ? tool_template_ : template_)->render(complete);
}

Result<> ModelText::constrain(Request& request, const AnswerRules& rules) const {
  const Tokenizer& tokenizer = *OGAS_TRY(tokenizer_or_error());
  const OutputFormat& format = output_format(/*has_tools=*/rules.calls.has_value());
  return grammars_->constrain(request, rules, {tokenizer, ends_.ids(), format, marks_});
}

void ModelText::start_answer(Request& request, bool has_tools) const {
  if (!tokenizer()) return;
  request.start = start_of_answer(*tokenizer(), output_format(has_tools), ends_.end_of_reasoning(), request.prompt);
  request.start.may_call = has_tools;
}

std::vector<TokenId> ModelText::encode(const RenderedChat& chat, ChatOptions options) const {
  EncodeOptions encoding{.parse_special = true};
  if (!options.special_in_input) encoding.input = chat.input;
  return tokenizer()->encode(chat.text, encoding);
}

Result<std::vector<TokenId>> ModelText::encode_chat(const ChatTemplateInput& input, ChatOptions options) const {
  return encode(OGAS_TRY(render(input)), options);
}

}  // namespace ogas
