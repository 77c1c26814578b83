// Reads one call of a tool, byte by byte, and writes it as soon as it is certain. One class for each way of writing
// calls.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "chat/json_scanner.h"
#include "chat/output_format.h"
#include "chat/output_writer.h"
#include "chat/tool_table.h"

namespace ogas {

enum class CallState {
  open,
  done,    // the byte was the call's last
  broken,  // the byte is not part of a call, nor are the n_unread() bytes before it
};

class CallReader {
 public:
  virtual ~CallReader() = default;
  virtual CallState push(char c) = 0;
  virtual size_t n_unread() const { return 0; }
  // Where the last byte made something be written: whether it was part of that.
  virtual bool wrote_last() const { return true; }
  // Whether the call was written to its end, whatever of its format may be missing.
  virtual bool is_whole() const = 0;
  // The answer ends here. Streamed arguments that were held back are written unchanged.
  virtual void cut() {}
};

// Where a call's text begins: which mark was read.
enum class CallBeginning {
  call_begin,
  calls_begin,
  name_tag,  // of the tags
  none,      // the call's own first byte follows
};

// All that is given must outlive the reader.
struct CallContext {
  const OutputFormat& format;
  const ToolTable& tools;
  OutputWriter& writer;
  CallDelivery delivery;
};

std::unique_ptr<CallReader> make_call_reader(const CallContext& context, CallBeginning beginning);
std::unique_ptr<CallReader> make_json_call_reader(const CallContext& context);
std::unique_ptr<CallReader> make_tagged_call_reader(const CallContext& context, CallBeginning beginning);
std::unique_ptr<CallReader> make_nested_call_reader(const CallContext& context, CallBeginning beginning);
std::unique_ptr<CallReader> make_token_call_reader(const CallContext& context, CallBeginning beginning);
std::unique_ptr<CallReader> make_python_call_reader(const CallContext& context);
std::unique_ptr<CallReader> make_brace_call_reader(const CallContext& context);

// A JSON object as the arguments of a call, written while it arrives, or at its end.
class ArgumentsStream {
 public:
  // Writes nothing until `begin`.
  explicit ArgumentsStream(const CallContext& context) : writer_(context.writer), delivery_(context.delivery) {}
  // The call's name, to be written with the object's first byte, or with all of it.
  void begin(std::string name) { name_ = std::move(name); }
  CallState push(char c);
  bool has_begun() const { return begun_; }
  bool has_written() const { return written_; }
  bool is_whole() const { return whole_; }
  bool wrote_last() const { return scanner_.is_settled(); }
  // Where something was written: the rest of it, whole or not.
  void cut();

 private:
  void write();

  OutputWriter& writer_;
  CallDelivery delivery_;
  std::string name_;
  JsonScanner scanner_;
  bool begun_ = false, written_ = false, whole_ = false;
};

// Waits for one of several literals after white space.
class LiteralMatch {
 public:
  enum class State { open, found, failed };
  State push(char c, std::initializer_list<std::string_view> literals);
  size_t found() const { return found_; }
  size_t n_unread() const { return partial_.size(); }  // of a literal that failed

 private:
  std::string partial_;
  size_t found_ = 0;
};

}  // namespace ogas
