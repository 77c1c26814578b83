// An answer split into reasoning, content and tool calls, if the request asks for it.
#pragma once

#include <ogas/ogas.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/answer_reader.h"
#include "engine/engine.h"

namespace ogas::capi {

using Json = nlohmann::ordered_json;

struct ReplyCall {
  std::string name, arguments;
  bool is_whole = false;
};

struct Reply {
  std::string reasoning, content;
  std::vector<ReplyCall> calls;

  // As the next prompt of the conversation has it.
  Json message() const;
};

// What a request says of it.
struct ReplyOptions {
  bool is_split = false;
  Json tools;
  ogas_text_callback on_reasoning = nullptr;
};
// Errors: usage.
Result<ReplyOptions> read_reply_options(const ogas_generate_options& options);

// JSON of a kind; NULL is null. Errors: usage, with where it breaks.
Result<Json> parse_json(const char* text, std::string_view name, Json::value_t expected);

// Gathers an answer as it comes.
class ReplyReader {
 public:
  // start: the request's.
  ReplyReader(const ReplyOptions& options, const AnswerStart& start);

  bool splits() const { return reader_.splits(); }
  // What has come, perhaps with the end: further reasoning and content.
  OutputPiece push(std::string_view text, bool is_last);
  Reply take() { return std::move(reply_); }

 private:
  AnswerReader reader_;
  Reply reply_;
};

}  // namespace ogas::capi
