// What a model's file says about text: tokenizer, chat templates, what ends an answer, and how its publisher samples.
// Does not change once it is read, so that any thread may use it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/answer_ends.h"
#include "chat/chat_template.h"
#include "chat/output_format.h"
#include "files/tensor_file.h"
#include "sampling/sampling_options.h"
#include "text/tokenizer.h"

namespace ogas {

class AnswerGrammars;
struct AnswerRules;
struct Request;

struct ChatOptions {
  // Parse special tokens ("<|im_end|>") in what the conversation's messages say, too. Without it they stay text, so
  // that nobody can end a turn or write as the system by typing.
  bool special_in_input = false;
};

class ModelText {
 public:
  // Of a file without a tokenizer and templates.
  ModelText();
  // template_source: Jinja in place of the file's templates; empty: its own. A tokenizer or a template that cannot be
  // used is not an error here. Errors: bad_file, in the publisher's sampling options.
  static Result<ModelText> read(const TensorFile& file, const std::string& template_source);

  // Null where the file has none that ogas can use; then the other one says why.
  const Tokenizer* tokenizer() const { return tokenizer_ ? tokenizer_->get() : nullptr; }
  Result<const Tokenizer*> tokenizer_or_error() const;
  const ChatTemplate* chat_template() const { return template_ ? &*template_ : nullptr; }
  const std::string& chat_template_error() const { return template_error_; }
  // Whether a variable of this name is in a template, be it the one for tools.
  bool templates_mention(std::string_view name) const;
  const AnswerEnds& answer_ends() const { return ends_; }  // none without a tokenizer
  const SamplingOptions& recommended_sampling() const { return sampling_; }
  // How answers are written, as the templates show it; has_tools: in conversations with tools.
  const OutputFormat& output_format(bool has_tools) const { return has_tools ? tool_format_ : format_; }
  // Whether no template supports tools, or shows how they are called: the system's message describes them then
  // (generic_tools.h).
  bool has_generic_tools() const { return has_generic_tools_; }
  // Says where answers to the request, which has its prompt, begin. Without it all of an answer is content. has_tools:
  // as in output_format().
  void start_answer(Request& request, bool has_tools = false) const;
  // Has answers to the request keep to the rules; with calls it must have its start. Errors: as
  // AnswerGrammars::constrain; unsupported (no tokenizer).
  Result<> constrain(Request& request, const AnswerRules& rules) const;

  // A conversation by the model's template. Errors: unsupported (no template or no tokenizer), bad_file (the template
  // fails).
  Result<RenderedChat> render(const ChatTemplateInput& input) const;
  // The tokens of such a text. There must be a tokenizer.
  std::vector<TokenId> encode(const RenderedChat& chat, ChatOptions options = {}) const;
  // Both. Errors: as render().
  Result<std::vector<TokenId>> encode_chat(const ChatTemplateInput& input, ChatOptions options = {}) const;

 private:
  void read_templates(const TensorFile& file, const std::string& given);
  void find_formats();
  void find_ends();

  Result<std::unique_ptr<Tokenizer>> tokenizer_ = fail(ErrorCode::unsupported, "no tokenizer");
  std::optional<ChatTemplate> template_;
  std::optional<ChatTemplate> tool_template_;  // where there is another for conversations with tools
  std::string template_error_ = "the model file has no chat template";
  OutputFormat format_, tool_format_;
  std::vector<std::string> marks_;  // of both
  bool has_generic_tools_ = false, has_system_role_ = false;
  AnswerEnds ends_;
  SamplingOptions sampling_;
  std::shared_ptr<AnswerGrammars> grammars_;
};

}  // namespace ogas
