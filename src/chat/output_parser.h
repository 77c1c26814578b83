// Splits a model's answer, as it streams, into reasoning, content and calls of tools.
//
// - The concatenated pieces do not depend on how the text was cut.
// - No text is lost or reordered, except marks and the new lines next to them.
// - A call whose tool the request does not have, or that breaks its format, is content as the model wrote it. Where the
//   format writes JSON, arguments may be sent while they arrive: if such a call breaks later, what was not sent of it
//   is content; if the answer ends within it, all of it is arguments. Nothing is added to them that the model did not
//   write: a call is whole only if its last piece says so.
// - A reasoning block begins only after white space since the answer's beginning, or since
//   another block or call; marks of calls within it are part of it. Elsewhere its marks are plain text.
// - Time is linear in the text; memory is bounded by the text that cannot be shown yet (a call before it is certain).
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "chat/output_format.h"

namespace ogas {

struct ToolCallPiece {
  uint32_t index;
  std::string name;       // in the first piece of a call only
  std::string arguments;  // a further part of the JSON text of an object
  bool is_last = false;   // the call is whole
};

struct OutputPiece {
  std::string reasoning, content;
  std::vector<ToolCallPiece> calls;
};

// How calls are given out: as they come, or once they are whole.
enum class CallDelivery : bool { streamed, whole };

class OutputParser {
 public:
  // `tools`: the request's, in OpenAI's shape; null: marks of calls are plain text. `starts_in_reasoning`: what
  // ends_in_reasoning() says of the prompt.
  OutputParser(const OutputFormat& format, const nlohmann::ordered_json& tools, bool starts_in_reasoning,
               CallDelivery delivery = CallDelivery::streamed);
  ~OutputParser();
  OutputParser(OutputParser&&) noexcept;
  OutputParser& operator=(OutputParser&&) noexcept;

  // Text of the answer, with the names of control tokens, cut anywhere.
  OutputPiece push(std::string_view text);
  // The end of the answer: what was held back. Nothing may be pushed afterwards.
  OutputPiece finish();

  // Calls of which something was sent.
  size_t n_calls() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace ogas
