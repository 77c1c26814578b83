#include "server/request/anthropic_messages.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/utf8.h"
#include "server/request/prompt_effect.h"

namespace ogas::server {
namespace {

constexpr size_t kMaxTurns = 100'000;
// There is nothing to verify, but clients drop blocks that have no signature.
constexpr std::string_view kSignature = "ogas", kHiddenThinking = "ogas:";

std::string encode_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // OpenSSL writes a zero after it
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(n));
  return text;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Step step = next_utf8(text);
    if (step.kind != Utf8Kind::valid) return false;
    text.remove_prefix(step.length);
  }
  return true;
}

// Nothing where it is not text in base64.
std::string decode_base64(std::string_view text) {
  std::string bytes(3 * (text.size() / 4), '\0');
  const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (n < 0) return {};
  const auto n_padding = static_cast<size_t>(text.ends_with("==") ? 2 : text.ends_with('='));
  bytes.resize(static_cast<size_t>(n) - std::min(n_padding, static_cast<size_t>(n)));
  return is_utf8(bytes) ? bytes : std::string();
}

// Anthropic's clients put a line about their version and the request at the head of the system's words. It differs from
// request to request, so that no two prompts would have a beginning in common.
std::string_view without_billing_line(std::string_view text) {
  constexpr std::string_view kBilling = "x-anthropic-billing-header:";
  if (!text.starts_with(kBilling)) return text;
  return text.substr(std::min(text.find('\n'), text.size() - 1) + 1);
}

void add_line(std::string& text, std::string_view more) {
  if (!text.empty()) text += '\n';
  text += more;
}

class ConversationReader {
 public:
  ConversationReader(const Api& api, ToolShelf& shelf) : api_(api), shelf_(shelf) {}

  ApiResult<> read_system(Fields& fields);
  ApiResult<> read_turn(const Json& given, const std::string& path);
  ApiResult<Json> take();

 private:
  ApiResult<> read_blocks(const Json& content, const std::string& path, std::string_view role);
  ApiResult<> read_block(Fields& block, std::string_view role);
  ApiResult<> read_tool_use(Fields& block);
  ApiResult<> read_tool_result(Fields& block);
  ApiResult<> read_thinking_block(Fields& block);
  ApiResult<std::string> read_result(Fields& block);
  ApiResult<std::string> read_result_block(Fields& block);
  void say(std::string_view role, std::string_view text);
  void say_as_system(std::string_view text);
  Json& assistant();

  const Api& api_;
  ToolShelf& shelf_;
  Json turns_ = Json::array();
  std::optional<bool> shows_later_;  // messages of the system; once it is known
};

// What others than the assistant say comes in blocks that are complete; a line's end keeps them separate.
void ConversationReader::say(std::string_view role, std::string_view text) {
  if (turns_.empty() || turns_.back()["role"] != role) turns_.push_back({{"role", role}, {"content", ""}});
  add_line(turns_.back()["content"].get_ref<std::string&>(), text);
}

void ConversationReader::say_as_system(std::string_view text) {
  const bool is_first = std::ranges::all_of(turns_, [](const Json& turn) { return turn["role"] == "system"; });
  if (!is_first && !shows_later_) shows_later_ = shows_later_system_messages(api_);
  if (is_first || *shows_later_) return say("system", text);
  say("user", fmt::format("<system>\n{}\n</system>", text));
}

Json& ConversationReader::assistant() {
  if (turns_.empty() || turns_.back()["role"] != "assistant")
    turns_.push_back({{"role", "assistant"}, {"content", ""}});
  return turns_.back();
}

ApiResult<> ConversationReader::read_system(Fields& fields) {
  const Json* given = fields.find("system");
  if (!given) return {};
  const std::string path = fields.path_of("system");
  Json blocks = *given;
  if (given->is_string()) blocks = Json::array({{{"type", "text"}, {"text", *given}}});
  if (!blocks.is_array())
    return refuse(path, "{} is {}, where a string or an array of blocks is expected", path, kind_of(blocks));
  for (size_t idx = 0; idx < blocks.size(); ++idx) {
    Fields block = OGAS_TRY(Fields::of(blocks[idx], fmt::format("{}[{}]", path, idx)));
    if (const std::string type = OGAS_TRY(block.needed_text("type")); type != "text")
      return refuse(block.path_of("type"), "{} is '{}', where 'text' is expected", block.path_of("type"), type);
    const std::string text = OGAS_TRY(block.needed_text("text"));
    block.ignore({"cache_control", "citations"});
    OGAS_TRY(block.finish());
    if (const std::string_view words = without_billing_line(text); !words.empty()) say("system", words);
  }
  return {};
}

ApiResult<> ConversationReader::read_turn(const Json& given, const std::string& path) {
  Fields turn = OGAS_TRY(Fields::of(given, path));
  const std::string role = OGAS_TRY(turn.needed_text("role"));
  if (role != "user" && role != "assistant" && role != "system")
    return refuse(turn.path_of("role"), "{} is '{}', which is none of user, assistant, system", turn.path_of("role"),
                  role);
  const std::string content_path = turn.path_of("content");
  const Json* content = turn.find("content");
  if (!content) return refuse(content_path, "{} is missing", content_path);
  OGAS_TRY(turn.finish());
  if (content->is_string())
    return read_blocks(Json::array({{{"type", "text"}, {"text", *content}}}), content_path, role);
  if (!content->is_array())
    return refuse(content_path, "{} is {}, where a string or an array of blocks is expected", content_path,
                  kind_of(*content));
  if (content->empty()) return refuse(content_path, "{} is an empty array", content_path);
  return read_blocks(*content, content_path, role);
}

ApiResult<> ConversationReader::read_blocks(const Json& content, const std::string& path, std::string_view role) {
  for (size_t idx = 0; idx < content.size(); ++idx) {
    Fields block = OGAS_TRY(Fields::of(content[idx], fmt::format("{}[{}]", path, idx)));
    OGAS_TRY(read_block(block, role));
    block.ignore({"cache_control"});
    OGAS_TRY(block.finish());
  }
  return {};
}

ApiResult<> ConversationReader::read_block(Fields& block, std::string_view role) {
  const std::string type = OGAS_TRY(block.needed_text("type"));
  if (type == "text") {
    const std::string text = OGAS_TRY(block.needed_text("text"));
    block.ignore({"citations"});
    if (role == "assistant")
      assistant()["content"].get_ref<std::string&>() += text;
    else
      role == "system" ? say_as_system(text) : say(role, text);
    return {};
  }
  if (type == "tool_result" && role == "user") return read_tool_result(block);
  if (type == "tool_use" && role == "assistant") return read_tool_use(block);
  if (type == "thinking" && role == "assistant") return read_thinking_block(block);
  if (type == "redacted_thinking" && role == "assistant") {  // by another model, and nobody else can read it
    OGAS_TRY(block.needed_text("data"));
    assistant();
    return {};
  }
  const std::string path = block.path_of("type");
  if (type == "image" || type == "document")
    return refuse(path, "{} is '{}', and this model takes text only", path, type);
  return refuse(path, "{} is '{}', which messages of the role '{}' cannot have here", path, type, role);
}

ApiResult<> ConversationReader::read_tool_use(Fields& block) {
  const std::string id = OGAS_TRY(block.needed_text("id")), name = OGAS_TRY(block.needed_text("name"));
  const std::string path = block.path_of("input");
  const Json* input = block.find("input");
  if (!input) return refuse(path, "{} is missing", path);
  if (!input->is_object()) return refuse(path, "{} is {}, where an object is expected", path, kind_of(*input));
  block.ignore({"caller"});
  assistant()["tool_calls"].push_back(
      {{"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", *input}}}});
  return {};
}

ApiResult<> ConversationReader::read_thinking_block(Fields& block) {
  std::string text = OGAS_TRY(block.needed_text("thinking"));
  const std::string signature = OGAS_TRY(block.text("signature")).value_or("");
  if (text.empty() && signature.starts_with(kHiddenThinking))
    text = decode_base64(std::string_view(signature).substr(kHiddenThinking.size()));
  Json& turn = assistant();
  if (text.empty()) return {};
  if (!turn.contains("reasoning_content")) turn["reasoning_content"] = "";
  add_line(turn["reasoning_content"].get_ref<std::string&>(), text);
  return {};
}

// There is no other way to tell the model that a call has failed.
ApiResult<> ConversationReader::read_tool_result(Fields& block) {
  const std::string id = OGAS_TRY(block.needed_text("tool_use_id"));
  std::string text = OGAS_TRY(read_result(block));
  if (OGAS_TRY(block.boolean("is_error")).value_or(false) && !lower_ascii(text).starts_with("error"))
    text.insert(0, "Error: ");
  turns_.push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", std::move(text)}});
  return {};
}

ApiResult<std::string> ConversationReader::read_result(Fields& block) {
  const Json* content = block.find("content");
  if (!content) return std::string();
  if (content->is_string()) return content->get<std::string>();
  const std::string path = block.path_of("content");
  if (!content->is_array())
    return refuse(path, "{} is {}, where a string or an array of blocks is expected", path, kind_of(*content));
  std::string text;
  for (size_t idx = 0; idx < content->size(); ++idx) {
    Fields part = OGAS_TRY(Fields::of((*content)[idx], fmt::format("{}[{}]", path, idx)));
    add_line(text, OGAS_TRY(read_result_block(part)));
    part.ignore({"cache_control", "citations"});
    OGAS_TRY(part.finish());
  }
  return text;
}

// A tool that is referred to is shown as clients describe it to the model: as in a list of functions.
ApiResult<std::string> ConversationReader::read_result_block(Fields& block) {
  const std::string type = OGAS_TRY(block.needed_text("type"));
  if (type == "text") return block.needed_text("text");
  if (type == "tool_reference") {
    const std::string name = OGAS_TRY(block.needed_text("tool_name"));
    return fmt::format("<functions>\n<function>{}</function>\n</functions>",
                       OGAS_TRY(shelf_.load(name, block.path_of("tool_name"))));
  }
  return refuse(block.path_of("type"), "{} is '{}', and this model takes text only", block.path_of("type"), type);
}

// An answer that continues a message continues its text: a template has no way to show what was thought before it.
ApiResult<Json> ConversationReader::take() {
  if (turns_.empty()) return refuse("messages", "messages says nothing");
  const Json& last = turns_.back();
  if (last["role"] == "assistant" && last.contains("reasoning_content") && !last.contains("tool_calls"))
    return refuse("messages", "the last of messages is the assistant's and has thinking: it cannot be continued");
  return std::move(turns_);
}

}  // namespace

std::string signature_of(std::string_view hidden_thinking) {
  return hidden_thinking.empty() ? std::string(kSignature)
                                 : fmt::format("{}{}", kHiddenThinking, encode_base64(hidden_thinking));
}

ApiResult<Json> read_conversation(const Api& api, Fields& fields, ToolShelf& shelf) {
  ConversationReader reader(api, shelf);
  OGAS_TRY(reader.read_system(fields));
  const std::string path = fields.path_of("messages");
  const Json* given = fields.find("messages");
  if (!given) return refuse(path, "{} is missing", path);
  if (!given->is_array() || given->empty() || given->size() > kMaxTurns)
    return refuse(path, "{} is {}, where an array of 1 to {} messages is expected", path,
                  given->is_array() ? fmt::format("an array of {}", given->size()) : kind_of(*given), kMaxTurns);
  for (size_t idx = 0; idx < given->size(); ++idx)
    OGAS_TRY(reader.read_turn((*given)[idx], fmt::format("{}[{}]", path, idx)));
  return reader.take();
}

}  // namespace ogas::server
