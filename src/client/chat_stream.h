// The answers of OpenAI's chat completions, as their servers send them: pieces of a stream, or one whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ogas::client {

struct ChatUsage {
  uint64_t n_prompt = 0, n_cached = 0, n_generated = 0;
};

struct ChatPiece {
  std::string content, reasoning;  // valid UTF-8; control characters may be among them
  std::string finish;              // "stop", "length", ...; empty: not finished
  std::optional<ChatUsage> usage;
};

// What one event holds; the first choice counts. Errors: io (no JSON, a field of another kind, or an error that the
// server reports).
Result<ChatPiece> read_chat_piece(std::string_view data);

}  // namespace ogas::client
