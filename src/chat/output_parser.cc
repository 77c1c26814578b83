#include "chat/output_parser.h"

#include <utility>

#include "chat/answer_splitter.h"

namespace ogas {

// On the heap, so that what refers to the format, the tools and the writer stays right when a parser is moved.
struct OutputParser::Parts {
  Parts(const OutputFormat& wanted, const nlohmann::ordered_json& request_tools, bool starts_in_reasoning,
        CallDelivery delivery)
      : format(wanted), tools(request_tools) {
    const CallContext context{format, tools, writer, delivery};
    splitter = format.channels ? make_channel_splitter(context, starts_in_reasoning)
                               : make_tag_splitter(context, starts_in_reasoning);
  }

  OutputFormat format;
  ToolTable tools;
  OutputWriter writer;
  std::unique_ptr<AnswerSplitter> splitter;
};

OutputParser::OutputParser(const OutputFormat& format, const nlohmann::ordered_json& tools, bool starts_in_reasoning,
                           CallDelivery delivery)
    : parts_(std::make_unique<Parts>(format, tools, starts_in_reasoning, delivery)) {}
OutputParser::~OutputParser() = default;
OutputParser::OutputParser(OutputParser&&) noexcept = default;
OutputParser& OutputParser::operator=(OutputParser&&) noexcept = default;

OutputPiece OutputParser::push(std::string_view text) {
  for (const char c : text) parts_->splitter->push(c);
  return parts_->writer.take();
}

OutputPiece OutputParser::finish() {
  parts_->splitter->finish();
  return parts_->writer.take();
}

size_t OutputParser::n_calls() const { return parts_->writer.n_calls(); }

}  // namespace ogas
