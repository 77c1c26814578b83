// ogas tokenize: text to token ids and back.
#include <array>
#include <iostream>
#include <iterator>

#include "base/file.h"
#include "base/unicode.h"
#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "engine/open_tokenizer.h"

namespace ogas::cli {
namespace {

struct TokenizeOptions {
  std::string model;
  bool decode = false, batch = false, special = false, add_special = false, pieces = false;
  bool show = false, json = false;

  EncodeOptions for_encode() const { return {.parse_special = special, .add_special = add_special}; }
};

Result<std::vector<TokenId>> parse_ids(const nlohmann::json& json, const Tokenizer& tokenizer) {
  if (!json.is_array()) return fail(ErrorCode::usage, "--decode expects a JSON array of token ids on stdin");
  std::vector<TokenId> ids;
  for (const auto& element : json) {
    if (!element.is_number_integer() || element < INT32_MIN || element > INT32_MAX)
      return fail(ErrorCode::usage, "'{}' is not a token id",
                  element.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    const auto id = element.get<TokenId>();
    if (id < 0 || static_cast<size_t>(id) >= tokenizer.vocab().tokens.size())
      return fail(ErrorCode::usage, "token {} is not in the vocabulary of {}", id, tokenizer.vocab().tokens.size());
    ids.push_back(id);
  }
  return ids;
}

nlohmann::ordered_json as_json(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool with_pieces) {
  auto json = nlohmann::ordered_json::array();
  for (const TokenId id : ids) {
    if (with_pieces)
      json.push_back({id, std::string(tokenizer.bytes_of(id))});
    else
      json.push_back(id);
  }
  return json;
}

// A token as letters; bytes that are part of a character only, as \xE5.
std::string shown(std::string_view bytes) {
  std::string text;
  for (std::string_view rest = bytes; !rest.empty();) {
    const Utf8Step step = next_utf8(rest);
    if (step.kind == Utf8Kind::valid)
      text += printable(rest.substr(0, step.length));
    else
      for (const char c : rest.substr(0, step.length)) text += fmt::format("\\x{:02X}", static_cast<uint8_t>(c));
    rest.remove_prefix(step.length);
  }
  return text;
}

// The text with alternating backgrounds for its tokens, and their number. Without colours, tokens are in brackets.
std::string as_colours(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, size_t n_bytes) {
  constexpr std::array<int, 5> kBackgrounds = {24, 58, 53, 22, 88};  // dark ones of the 256 colours, far apart
  const bool colours = style_stdout(Style::bold, "x") != "x";
  std::string text;
  for (size_t idx = 0; idx < ids.size(); ++idx) {
    const std::string piece = shown(tokenizer.bytes_of(ids[idx]));
    if (!colours) {
      text += fmt::format("[{}]", piece);
      continue;
    }
    // A background that is open at a line's end would fill the line.
    const int background = kBackgrounds[idx % kBackgrounds.size()];
    const std::string open = fmt::format("\x1b[97;48;5;{}m", background);
    text += open;
    for (const char c : piece) text += c == '\n' ? "↵\x1b[0m\n" + open : std::string(1, c);
    text += "\x1b[0m";
  }
  return text +
         fmt::format("\n{}\n", style_stdout(Style::dim, fmt::format("{} tokens, {} bytes", ids.size(), n_bytes)));
}

// A JSON array of texts to one of arrays of ids, or back.
Result<nlohmann::ordered_json> run_batch(const Tokenizer& tokenizer, const nlohmann::json& input,
                                         const TokenizeOptions& options) {
  if (!input.is_array()) return fail(ErrorCode::usage, "--batch expects a JSON array on stdin");
  auto output = nlohmann::ordered_json::array();
  for (const auto& element : input) {
    if (options.decode) {
      output.push_back(tokenizer.decode_valid(OGAS_TRY(parse_ids(element, tokenizer))));
    } else {
      if (!element.is_string())
        return fail(ErrorCode::usage, "--batch expects texts; element {} is none", output.size());
      output.push_back(tokenizer.encode(element.get_ref<const std::string&>(), options.for_encode()));
    }
  }
  return output;
}

// A file or a folder as it is; else a name, as for every command.
Result<std::unique_ptr<Tokenizer>> find_tokenizer(const std::string& model) {
  const std::filesystem::path path(model);
  const bool is_tokenizer = path.extension() == ".json" || is_there(path / "tokenizer.json");
  return open_tokenizer(is_tokenizer ? path : OGAS_TRY(find_model(model)));
}

Result<int> tokenize(const TokenizeOptions& options) {
  const auto tokenizer = OGAS_TRY(find_tokenizer(options.model));
  const std::string input(std::istreambuf_iterator<char>(std::cin), {});
  if (options.batch || options.decode) {
    const auto json = nlohmann::json::parse(input, nullptr, /*allow_exceptions=*/false);
    if (options.batch)
      write_json(OGAS_TRY(run_batch(*tokenizer, json, options)));
    else
      write_foreign(tokenizer->decode_text(OGAS_TRY(parse_ids(json, *tokenizer))));
    return kSuccess;
  }
  const auto ids = tokenizer->encode(input, options.for_encode());
  const bool shows = options.show || (stdout_is_terminal() && !options.json && !options.pieces);
  if (shows)
    write_stdout(as_colours(*tokenizer, ids, input.size()));
  else
    write_json(as_json(*tokenizer, ids, options.pieces));
  return kSuccess;
}

}  // namespace

void add_tokenize(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* tokenize_app = app.add_subcommand("tokenize", "Convert text on stdin to token ids, or back");
  tokenize_app->add_option("MODEL", options->model,
                           "Model (file or name; default: the small one), or a tokenizer.json");
  tokenize_app->add_flag("--decode", options->decode, "Convert token ids on stdin, a JSON array, to text");
  tokenize_app->add_flag("--special", options->special, "Parse special tokens such as <|im_end|> in the text");
  tokenize_app->add_flag("--add-special", options->add_special, "Add the tokens the model wants at the start and end");
  auto* show =
      tokenize_app->add_flag("--show", options->show, "Print the text in colours, one for each token (on a terminal)");
  auto* json = tokenize_app->add_flag("--json", options->json, "Print the ids as a JSON array (default elsewhere)");
  auto* pieces = tokenize_app->add_flag("--pieces", options->pieces, "Print [id, text] pairs as JSON");
  show->excludes(json)->excludes(pieces);
  tokenize_app
      ->add_flag("--batch", options->batch, "A JSON array of texts to an array of arrays of ids; with --decode, back")
      ->excludes(show)
      ->excludes(pieces);
  tokenize_app->footer(
      "Examples:\n"
      "  echo -n \"Hello\" | ogas tokenize\n"
      "  echo \"[19556, 905]\" | ogas tokenize model.gguf --decode\n"
      "  ogas tokenize path/to/tokenizer.json --show < text.txt");
  when_asked(tokenize_app, chosen, options, tokenize);
}

}  // namespace ogas::cli
