#include "forecast/remote_header.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "client/http_client.h"

namespace ogas {

Result<TensorFile> open_header(std::string_view header, uint64_t n_bytes, std::string_view name) {
  std::string path = (std::filesystem::temp_directory_path() / "ogas-plan-XXXXXX.gguf").string();
  const int fd = ::mkstemps(path.data(), 5);
  const auto cannot = [&] { return fail(ErrorCode::io, "cannot write {}: {}", path, std::strerror(errno)); };
  if (fd < 0) return cannot();
  const bool is_written = ::write(fd, header.data(), header.size()) == static_cast<ssize_t>(header.size()) &&
                          ::ftruncate(fd, static_cast<off_t>(n_bytes)) == 0;
  ::close(fd);
  auto file = is_written ? TensorFile::open(path) : cannot();
  ::unlink(path.c_str());
  if (file || !is_written) return file;
  // The name of the temporary file would not help anybody.
  std::string message = file.error().message;
  if (const size_t at = message.find(path); at != std::string::npos) message.replace(at, path.size(), name);
  return std::unexpected(Error{file.error().code, std::move(message)});
}

bool is_url(std::string_view name) { return name.starts_with("http://") || name.starts_with("https://"); }

// The length of a header is not known: reads more of the file until it parses. Missing bytes are zeros, which are
// neither a tensor's name nor data of a format.
Result<TensorFile> open_remote(const std::string& url) {
  constexpr size_t kFirst = size_t{4} << 20, kMax = size_t{64} << 20;
  client::HttpClient http = OGAS_TRY(client::HttpClient::create({.reply_bytes = kMax}));
  for (size_t n = kFirst;; n *= 2) {
    const client::Beginning beginning = OGAS_TRY(http.get_beginning(url, n));
    if (!beginning.bytes.starts_with("GGUF"))
      return fail(ErrorCode::bad_file, "{}: this is not a GGUF file: its first bytes are not \"GGUF\"", url);
    auto file = open_header(beginning.bytes, beginning.n_whole, url);
    const bool has_all = beginning.bytes.size() < n || beginning.bytes.size() == beginning.n_whole;
    if (file || has_all || n >= kMax) return file;
  }
}

}  // namespace ogas
