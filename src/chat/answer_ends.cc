#include "chat/answer_ends.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ogas {
namespace {

using Json = nlohmann::ordered_json;

// Words that occur in no template.
constexpr std::string_view kContent = "Zqcontent", kReasoning = "Zqreasoning", kQuestion = "Zqquestion";
constexpr std::string_view kValue = "zqvalue", kSecondValue = "zqsecond", kTool = "zqtool", kResult = "zqresult";

Json user() { return {{"role", "user"}, {"content", kQuestion}}; }

Json call(std::string_view id, std::string_view value) {
  return {{"id", id}, {"type", "function"}, {"function", {{"name", kTool}, {"arguments", {{"zqkey", value}}}}}};
}

// The assistant's message; templates know its reasoning by several names.
Json answer(std::string_view reasoning, std::string_view content, Json calls = nullptr) {
  Json message = {{"role", "assistant"}, {"content", content}};
  if (!reasoning.empty())
    for (const char* name : {"reasoning_content", "reasoning", "thinking"}) message[name] = reasoning;
  if (!calls.is_null()) message["tool_calls"] = std::move(calls);
  return message;
}

Json one_call() { return Json::array({call("zqcall001", kValue)}); }

Json tools() {
  return Json::array(
      {{{"type", "function"},
        {"function",
         {{"name", kTool},
          {"description", "Does it."},
          {"parameters",
           {{"type", "object"}, {"properties", {{"zqkey", {{"type", "string"}, {"description", "what"}}}}}}}}}}});
}

using Ids = std::vector<TokenId>;

bool has(const Ids& ids, TokenId id) { return std::ranges::find(ids, id) != ids.end(); }
void add(Ids& ids, const Ids& more) { ids.insert(ids.end(), more.begin(), more.end()); }

// What one template shows.
class TemplateProbe {
 public:
  TemplateProbe(const Tokenizer& tokenizer, const ChatTemplate& source) : tokenizer_(tokenizer), template_(source) {}

  Ids ends() {
    find_within();
    Ids ends;
    if (const auto id = end_of_text()) ends.push_back(*id);
    // Llama 3.1 writes calls of tools that it was trained on in a way of its own.
    for (const Json& extra : {Json(), Json{{"builtin_tools", {kTool}}}})
      if (const auto id = end_of_call(extra)) ends.push_back(*id);
    return ends;
  }
  // Control tokens between the reasoning and the rest of one answer.
  const Ids& within() const { return within_; }
  std::string end_of_reasoning() const {
    return std::string(between(render({user(), answer(kReasoning, kContent)}), kReasoning, kContent));
  }

 private:
  std::optional<std::string> render(Json messages, const Json& with_tools = {}, const Json& extra = {},
                                    bool add_generation_prompt = false) const {
    const auto text_of = [&](std::optional<TokenId> id) {
      return id ? std::string(tokenizer_.bytes_of(*id)) : std::string();
    };
    const auto rendered = template_.render({.messages = std::move(messages),
                                            .tools = with_tools,
                                            .extra = extra,
                                            .add_generation_prompt = add_generation_prompt,
                                            .bos_token = text_of(tokenizer_.vocab().bos),
                                            .eos_token = text_of(tokenizer_.vocab().eos)});
    if (rendered) return rendered->text;
    // Some are for conversations with tools alone.
    return with_tools.is_null() ? render(std::move(messages), tools(), extra, add_generation_prompt) : std::nullopt;
  }

  Ids tokens_of(std::string_view text) const { return tokenizer_.encode(text, {.parse_special = true}); }
  Ids control_tokens_of(std::string_view text) const {
    Ids ids = tokens_of(text);
    std::erase_if(ids, [&](TokenId id) { return !tokenizer_.is_control(id); });
    return ids;
  }

  // The text from the last `begin` to the first `end` after it; empty if either is missing.
  static std::string_view between(const std::optional<std::string>& text, std::string_view begin,
                                  std::string_view end = {}) {
    const size_t at = text ? text->rfind(begin) : std::string::npos;
    if (at == std::string::npos) return {};
    const std::string_view rest = std::string_view(*text).substr(at + begin.size());
    const size_t stop = end.empty() ? rest.size() : rest.find(end);
    return stop == std::string_view::npos ? std::string_view() : rest.substr(0, stop);
  }

  void find_within() {
    add(within_, control_tokens_of(between(render({user(), answer(kReasoning, kContent)}), kReasoning, kContent)));
    add(within_,
        control_tokens_of(between(render({user(), answer(kReasoning, "", one_call())}, tools()), kReasoning, kValue)));
  }

  // What follows an answer that is the last message; if nothing does, what the next message begins with.
  std::optional<TokenId> end_of_text() const {
    const Json conversation = Json::array({user(), answer("", kContent)});
    const auto last = render(conversation);
    if (const auto id = first_of(control_tokens_of(between(last, kContent)), within_)) return id;
    Json longer = conversation;
    longer.push_back(user());
    return first_of(control_tokens_of(between(render(longer), kContent, kQuestion)), within_);
  }

  // A call may have to be closed before the answer ends. So the last control token after it counts, if the text ends
  // with it; otherwise what the tool's message begins with.
  std::optional<TokenId> end_of_call(const Json& extra) const {
    const Json conversation = Json::array({user(), answer("", "", one_call())});
    const auto last = render(conversation, tools(), extra);
    // Some write the beginning of an answer whether it is asked for or not.
    const Json question = Json::array({user()});
    if (render(question) != render(question, {}, {}, /*add_generation_prompt=*/true)) {
      std::string_view rest = between(last, kValue);
      rest = rest.substr(0, rest.find_last_not_of(" \r\n\t") + 1);
      const Ids ids = tokens_of(rest);
      if (!ids.empty() && tokenizer_.is_control(ids.back())) return ids.back();
    }
    Json longer = conversation;
    longer.push_back({{"role", "tool"}, {"tool_call_id", "zqcall001"}, {"name", kTool}, {"content", kResult}});
    const auto next = render(longer, tools(), extra);
    return first_of(control_tokens_of(between(next, kValue, kResult)), between_calls());
  }

  Ids between_calls() const {
    const Json calls = Json::array({call("zqcall001", kValue), call("zqcall002", kSecondValue)});
    return control_tokens_of(between(render({user(), answer("", "", calls)}, tools()), kValue, kSecondValue));
  }

  static std::optional<TokenId> first_of(const Ids& ids, const Ids& but) {
    for (const TokenId id : ids)
      if (!has(but, id)) return id;
    return std::nullopt;
  }

  const Tokenizer& tokenizer_;
  const ChatTemplate& template_;
  Ids within_;
};

}  // namespace

AnswerEnds::AnswerEnds(const Tokenizer& tokenizer, std::span<const ChatTemplate* const> templates) {
  const Vocab& vocab = tokenizer.vocab();
  Ids within;
  for (const ChatTemplate* one : templates) {
    TemplateProbe probe(tokenizer, *one);
    add(ids_, probe.ends());
    add(within, probe.within());
    if (one == templates.front()) end_of_reasoning_ = probe.end_of_reasoning();
  }
  for (const auto& id : {vocab.eot, vocab.eom})
    if (id) ids_.push_back(*id);
  // These begin a text, or stand for none: a model that writes one has finished. (Byte-level vocabularies know
  // all text; their unknown token is the one between two texts.)
  for (const auto& id : {vocab.bos, vocab.padding, vocab.unknown})
    if (id && tokenizer.is_control(*id)) ids_.push_back(*id);
  std::erase_if(ids_, [&](TokenId id) { return has(within, id); });
  // What the publisher calls an end is one.
  if (vocab.eos) ids_.push_back(*vocab.eos);
  add(ids_, vocab.ends);
  std::ranges::sort(ids_);
  const auto repeated = std::ranges::unique(ids_);
  ids_.erase(repeated.begin(), repeated.end());
}

bool AnswerEnds::contains(TokenId id) const { return std::ranges::binary_search(ids_, id); }

}  // namespace ogas
