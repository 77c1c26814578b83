// What a model file holds, from its headers alone: no weights are read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arch/model.h"
#include "base/result.h"
#include "chat/chat_template.h"
#include "files/tensor_file.h"
#include "text/vocab.h"

namespace ogas {

class ModelHeaders {
 public:
  // path: a .gguf file or a model's folder. Errors: as TensorFile::open. What else is wrong with the model is told by
  // the part that it concerns.
  static Result<std::unique_ptr<ModelHeaders>> read(const std::filesystem::path& path);

  const TensorFile& file() const { return file_; }
  // Null where ogas cannot run the model; model_error() says why.
  const ModelFacts* facts() const { return model_ ? &(*model_)->facts() : nullptr; }
  // Errors: as create_model.
  Result<> model_error() const { return model_ ? Result<>() : std::unexpected(model_.error()); }
  // By GGUF's name where ogas knows it, else as the file says; may be empty.
  std::string architecture() const;

  struct FormatUse {
    std::string_view name;
    uint64_t n_tensors = 0, n_values = 0, n_bytes = 0;
  };
  // Those of the tensors, the one with the most bytes first.
  std::vector<FormatUse> formats() const;

  // Errors: as read_vocab.
  const Result<Vocab>& vocab() const { return vocab_; }
  // Whether text can be split into tokens by it. Errors: unsupported (the pre-tokenizer).
  const Result<>& text_rules() const { return text_rules_; }

  // The one for conversations without tools; empty where there is none.
  const std::string& chat_template() const { return chat_template_; }
  // Why it cannot be read.
  const Result<>& chat_template_error() const { return chat_template_error_; }
  // A conversation in OpenAI's form by that template. Errors: bad_file (it breaks Jinja's rules, or refuses).
  Result<std::string> render_chat(const nlohmann::ordered_json& messages) const;

 private:
  explicit ModelHeaders(TensorFile file);

  TensorFile file_;
  Result<std::unique_ptr<Model>> model_;
  Result<Vocab> vocab_;
  Result<> text_rules_ = {}, chat_template_error_ = {};
  std::string chat_template_ = {};
};

}  // namespace ogas
