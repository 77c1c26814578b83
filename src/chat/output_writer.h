// Collects what comes out of an answer until it is taken.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "chat/output_parser.h"

namespace ogas {

class OutputWriter {
 public:
  void content(std::string_view text) { piece_.content += text; }
  void reasoning(std::string_view text) { piece_.reasoning += text; }

  void begin_call(std::string name) {
    piece_.calls.push_back({.index = n_calls_++, .name = std::move(name), .arguments = {}});
    ++n_call_writes_;
  }
  // Of the call that was begun last.
  void arguments(std::string_view text) {
    if (text.empty()) return;
    call().arguments += text;
    ++n_call_writes_;
  }
  void end_call() { call().is_last = true; }

  uint32_t n_calls() const { return n_calls_; }
  // Grows whenever something of a call was written.
  size_t n_call_writes() const { return n_call_writes_; }
  OutputPiece take() { return std::exchange(piece_, {}); }

 private:
  ToolCallPiece& call() {
    if (piece_.calls.empty()) piece_.calls.push_back({.index = n_calls_ - 1, .name = {}, .arguments = {}});
    return piece_.calls.back();
  }

  OutputPiece piece_;
  uint32_t n_calls_ = 0;
  size_t n_call_writes_ = 0;
};

}  // namespace ogas
