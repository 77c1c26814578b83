// ogas logits: the logits of given tokens, to compare with other programs.
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iostream>
#include <iterator>

#include "base/file.h"
#include "base/quote.h"
#include "cli/commands/commands.h"
#include "cli/report/atomic_file.h"
#include "cli/report/npy.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "engine/logits.h"

namespace ogas::cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  std::string tokens, out;
  bool mtp = false;
};

// Ids separated by commas, white space or brackets; "@file" and "-" read them from elsewhere.
Result<std::vector<TokenId>> parse_tokens(const std::string& argument) {
  std::string text = argument;
  if (argument == "-")
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  else if (argument.starts_with("@"))
    text = OGAS_TRY(read_file(argument.substr(1), size_t{256} << 20));
  std::vector<TokenId> ids;
  constexpr std::string_view kSeparators = ", \t\r\n[]";
  for (size_t at = text.find_first_not_of(kSeparators); at != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    TokenId id = 0;
    const auto [tail, error] = std::from_chars(text.data() + at, text.data() + end, id);
    if (error != std::errc() || tail != text.data() + end)
      return fail(ErrorCode::usage, "--tokens: {} is not a token id",
                  in_quotes(std::string_view(text).substr(at, end - at)));
    ids.push_back(id);
    at = text.find_first_not_of(kSeparators, end);
  }
  return ids;
}

Result<int> logits(const LogitsOptions& options) {
  const auto tokens = OGAS_TRY(parse_tokens(options.tokens));
  if (tokens.empty()) return fail(ErrorCode::usage, "--tokens holds no token");
  const auto cannot_write = [&] {
    return fail(ErrorCode::io, "cannot write {}: {}", in_quotes(options.out), std::strerror(errno));
  };
  AtomicFile file(options.out);
  if (!file.is_open()) return cannot_write();
  const auto engine = OGAS_TRY(options.model.load_for_tokens());
  const size_t n_rows = options.mtp ? tokens.size() - 1 : tokens.size();
  const std::string header = npy_header(n_rows, engine->facts().n_vocab);
  bool written = file.write(header.data(), header.size());
  const auto write_row = [&](size_t, std::span<const float> row) {
    written = written && file.write(row.data(), row.size_bytes());
  };
  OGAS_TRY(options.mtp ? compute_mtp_logits(*engine, tokens, 0, write_row)
                       : compute_logits(*engine, tokens, 0, write_row));
  if (!written || !file.finish()) return cannot_write();
  const std::string what = fmt::format("{}: float32 [{}, {}]", options.out, n_rows, engine->facts().n_vocab);
  write_stderr(style_stderr(Style::dim, printable_line(what)) + "\n");
  return kSuccess;
}

}  // namespace

void add_logits(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<LogitsOptions>();
  options->model.settings.kv_cache_type = Format::f32;
  CLI::App* logits_app = app.add_subcommand("logits", "Write the logits of given tokens to a .npy file");
  logits_app->add_option("MODEL", options->model.model, "Model, as a file or a name")->required();
  logits_app->add_option("--tokens", options->tokens, "Token ids: 1,2,3 or @FILE or - for stdin")->required();
  logits_app->add_option("-o,--out", options->out, "The .npy file: float32 [tokens, vocabulary]")->required();
  logits_app->add_flag("--mtp", options->mtp, "Logits of the MTP head (token after next); no row for the last token");
  options->model.add_to(*logits_app);
  logits_app->footer(
      "Keys and values are kept in F32 here, so that what is compared is the model; --kv-cache-type f16 shows what run "
      "does.\n"
      "Row i of --mtp is what the head says after token i once token i + 1 is known.\n"
      "Examples:\n"
      "  ogas logits model.gguf --tokens 1,2,3 --out x.npy\n"
      "  ogas tokenize model.gguf < text | ogas logits model.gguf --tokens - --out x.npy --batch 1");
  when_asked(logits_app, chosen, options, logits);
}

}  // namespace ogas::cli
