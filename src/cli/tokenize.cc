// ogas tokenize: text to token ids and back.
#include <iostream>
#include <iterator>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/model_path.h"
#include "cli/terminal.h"
#include "files/tensor_file.h"
#include "files/vocab_reader.h"

namespace ogas::cli {
namespace {

struct TokenizeOptions {
  std::string model;
  bool decode = false, special = false, add_special = false, pieces = false;
};

Result<std::vector<TokenId>> parse_ids(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) return fail(ErrorCode::usage, "--decode expects a JSON array of token ids on stdin");
  std::vector<TokenId> ids;
  for (const auto& element : json) {
    if (!element.is_number_integer() || element < INT32_MIN || element > INT32_MAX)
      return fail(ErrorCode::usage, "'{}' is no token id",
                  element.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    ids.push_back(element.get<TokenId>());
  }
  return ids;
}

nlohmann::ordered_json encode(const Tokenizer& tokenizer, const std::string& text, const TokenizeOptions& options) {
  const auto ids = tokenizer.encode(text, {.parse_special = options.special, .add_special = options.add_special});
  auto json = nlohmann::ordered_json::array();
  for (const TokenId id : ids) {
    if (options.pieces)
      json.push_back({id, std::string(tokenizer.bytes_of(id))});
    else
      json.push_back(id);
  }
  return json;
}

Result<int> tokenize(const TokenizeOptions& options) {
  const auto file = OGAS_TRY(TensorFile::open(OGAS_TRY(find_model(options.model))));
  auto vocab = OGAS_TRY(read_vocab(file.metadata()));
  const auto tokenizer = OGAS_TRY(Tokenizer::create(std::move(vocab)));
  const std::string input(std::istreambuf_iterator<char>(std::cin), {});
  if (!options.decode) {
    write_json(encode(*tokenizer, input, options));
    return kSuccess;
  }
  const auto ids = OGAS_TRY(parse_ids(input));
  for (const TokenId id : ids)
    if (id < 0 || static_cast<size_t>(id) >= tokenizer->vocab().tokens.size())
      return fail(ErrorCode::usage, "token {} is not in the vocabulary of {}", id, tokenizer->vocab().tokens.size());
  write_foreign(tokenizer->decode(ids));
  return kSuccess;
}

}  // namespace

void add_tokenize(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* tokenize_app = app.add_subcommand("tokenize", "Text on stdin to token ids as JSON, or back");
  tokenize_app->add_option("MODEL", options->model, "Model, as a file or a name (default: the small one)");
  tokenize_app->add_flag("--decode", options->decode, "Token ids on stdin, as a JSON array, to text");
  tokenize_app->add_flag("--special", options->special, "Recognise special tokens such as <|im_end|> in the text");
  tokenize_app->add_flag("--add-special", options->add_special, "Add the tokens the model wants at the start and end");
  tokenize_app->add_flag("--pieces", options->pieces, "Print [id, text] pairs");
  tokenize_app->footer(
      "Examples:\n"
      "  echo -n \"Hello\" | ogas tokenize\n"
      "  echo \"[19556, 905]\" | ogas tokenize model.gguf --decode");
  tokenize_app->callback([options, &chosen] {
    chosen = [options] {
      const auto code = tokenize(*options);
      return code ? *code : report(code.error());
    };
  });
}

}  // namespace ogas::cli
