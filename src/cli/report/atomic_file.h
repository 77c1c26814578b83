// Output files of commands.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

#include "cli/terminal/signals.h"

namespace ogas::cli {

// A file that appears under its name only when it is complete. A device or a pipe is written to as it is.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
    std::error_code error;
    const bool is_special = std::filesystem::exists(path_, error) && !std::filesystem::is_regular_file(path_, error);
    temporary_ = is_special ? path_.string() : fmt::format("{}.{}.tmp", path_.string(), ::getpid());
    done_ = is_special;
    file_ = std::fopen(temporary_.c_str(), is_special ? "wb" : "wbx");
    if (file_ && !is_special) remove_on_interrupt(temporary_.c_str());
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (file_) std::fclose(file_);
    remove_on_interrupt(nullptr);
    if (!done_) ::unlink(temporary_.c_str());
  }
  bool is_open() const { return file_ != nullptr; }
  bool write(const void* data, size_t n_bytes) { return file_ && std::fwrite(data, 1, n_bytes, file_) == n_bytes; }
  bool finish() {
    if (!file_ || std::fclose(std::exchange(file_, nullptr)) != 0) return false;
    if (done_) return true;
    std::error_code error;
    std::filesystem::rename(temporary_, path_, error);
    return done_ = !error;
  }

 private:
  std::filesystem::path path_;
  std::string temporary_;
  std::FILE* file_ = nullptr;
  bool done_ = false;  // nothing to rename or to remove any more
};

}  // namespace ogas::cli
