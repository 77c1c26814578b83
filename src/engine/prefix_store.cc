#include "engine/prefix_store.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <system_error>

#include "base/file.h"
#include "base/log.h"

namespace ogas {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

using Magic = std::array<char, 8>;
struct FileKind {
  std::string_view extension;
  Magic magic;
};
constexpr FileKind kFileKinds[] = {
    {".page", {'o', 'g', 'a', 's', 'K', 'V', '0', '1'}},
    {".window", {'o', 'g', 'a', 's', 'K', 'W', '0', '1'}},
    {".states", {'o', 'g', 'a', 's', 'S', 'T', '0', '1'}},
};

// In front of the bytes. Files never leave the machine that wrote them: its own order of bytes.
struct Header {
  Magic magic;
  uint64_t n_bytes = 0;
  PrefixKey key, parent;
  std::array<TokenId, KvLayout::kPagePositions> tokens = {};
  uint64_t checksum_of_content = 0;
  uint64_t checksum_of_header = 0;  // of all before
};
static_assert(std::has_unique_object_representations_v<Header>);

uint64_t checksum_of(const Header& header) {
  return checksum(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, checksum_of_header)));
}

Header header_of(const Magic& magic, const PrefixKey& key, const PrefixKey& parent, std::span<const TokenId> tokens,
                 Bytes content) {
  Header header{.magic = magic,
                .n_bytes = content.size(),
                .key = key,
                .parent = parent,
                .checksum_of_content = checksum(content)};
  std::ranges::copy(tokens, header.tokens.begin());
  header.checksum_of_header = checksum_of(header);
  return header;
}

// As if used a moment earlier for each page before it: of a prefix the end goes first.
void set_time_of_use(const fs::path& path, fs::file_time_type used, size_t depth) {
  std::error_code ignored;
  fs::last_write_time(path, used - std::chrono::microseconds(depth), ignored);
}

struct Stored {
  fs::file_time_type used;
  uint64_t n_bytes;
  fs::path path;
};

// All files of all models. What a process that is gone left half written is removed.
std::vector<Stored> list_stored(const fs::path& folder) {
  std::vector<Stored> all;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    const bool is_file = at->is_regular_file(gone);
    if (gone || !is_file) continue;
    const auto time = at->last_write_time(gone);
    if (gone) continue;
    const uint64_t n_bytes = at->file_size(gone);
    if (gone) continue;
    const fs::path extension = at->path().extension();
    if (std::ranges::find(kFileKinds, extension, &FileKind::extension) != std::end(kFileKinds))
      all.push_back({time, n_bytes, at->path()});
    else if (extension == ".tmp" && fs::file_time_type::clock::now() - time > 1h)
      fs::remove(at->path(), gone);
  }
  return all;
}

}  // namespace

PrefixStore::PrefixStore(fs::path folder, uint64_t budget, const PrefixKey& model)
    : folder_(std::move(folder)), model_folder_(folder_ / model.hex()), budget_(budget) {}

PrefixStore::~PrefixStore() {
  if (!writer_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  writer_.join();
}

fs::path PrefixStore::path_of(Kind kind, const PrefixKey& key) const {
  return model_folder_ / (key.hex() + std::string(kFileKinds[static_cast<size_t>(kind)].extension));
}

bool PrefixStore::has_file(Kind kind, const PrefixKey& key) const {
  return ::access(path_of(kind, key).c_str(), F_OK) == 0;
}

void PrefixStore::warn_once(std::string_view what) {
  if (!has_warned_.exchange(true)) spdlog::warn("prefix cache: {}", what);
}

bool PrefixStore::load(Kind kind, const PrefixPage& page, std::span<std::byte> bytes) {
  const fs::path path = path_of(kind, page.key);
  const Magic& magic = kFileKinds[static_cast<size_t>(kind)].magic;
  const auto is_sound = [&]() -> Result<> {
    const std::string file = OGAS_TRY(read_file(path, sizeof(Header) + bytes.size()));
    if (file.size() != sizeof(Header) + bytes.size())
      return fail(ErrorCode::bad_file, "{} has {} bytes, not {}", path.string(), file.size(),
                  sizeof(Header) + bytes.size());
    const Bytes content = std::as_bytes(std::span(file)).subspan(sizeof(Header));
    const Header expected = header_of(magic, page.key, page.parent, page.tokens, content);
    if (std::memcmp(file.data(), &expected, sizeof expected) != 0)
      return fail(ErrorCode::bad_file, "{} is damaged or holds something else", path.string());
    std::memcpy(bytes.data(), content.data(), content.size());
    return {};
  };
  const Result<> sound = is_sound();
  if (sound) {
    saved(kind).insert(page.key);
    return true;
  }
  if (sound.error().code == ErrorCode::not_found) return false;
  has_met_damage_ = true;
  std::error_code ignored;
  fs::remove(path, ignored);
  warn_once(fmt::format("{}; it is not used", sound.error().message));
  return false;
}

void PrefixStore::save(const PrefixPage& page, const KvPage& share, Bytes bytes, fs::file_time_type used) {
  save(Kind::page, page, share, bytes, used);
}

void PrefixStore::save_window(const PrefixPage& page, const KvPage& share, Bytes bytes, fs::file_time_type used) {
  save(Kind::window, page, share, bytes, used);
}

void PrefixStore::save_states(const PrefixPage& page, const KvStates& share, fs::file_time_type used) {
  save(Kind::states, page, share, share.bytes(), used);
}

template <class Share>
void PrefixStore::save(Kind kind, const PrefixPage& page, const Share& share, Bytes bytes, fs::file_time_type used) {
  if (has_failed_) return;
  if (has_removed_.exchange(false)) saved_ = {};  // the writer finds those that are still there
  Write write{.kind = kind,
              .key = page.key,
              .parent = page.parent,
              .tokens = {page.tokens.begin(), page.tokens.end()},
              .depth = page.depth,
              .used = used,
              .share = {},
              .bytes = bytes};
  if (saved(kind).insert(page.key).second) write.share = share;
  {
    const std::lock_guard lock(mutex_);
    pending_.push_back(std::move(write));
  }
  changed_.notify_all();
  if (!writer_.joinable()) writer_ = std::thread([this] { write_pending(); });
}

size_t PrefixStore::n_pending() const {
  const std::lock_guard lock(mutex_);
  return pending_.size();
}

void PrefixStore::collect() {
  const std::lock_guard lock(mutex_);
  for (; n_written_ > 0; --n_written_) pending_.pop_front();
}

void PrefixStore::flush() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return n_written_ == pending_.size(); });
  }
  collect();
}

void PrefixStore::write_pending() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || n_written_ < pending_.size(); });
    if (stopping_) return;
    const Write& next = pending_[n_written_];  // stays where it is until it counts as written
    lock.unlock();
    if (!has_failed_)
      if (const Result<> written = write(next); !written) {
        has_failed_ = true;
        warn_once(fmt::format("{}; nothing more is kept on disk", written.error().message));
      }
    lock.lock();
    ++n_written_;
    changed_.notify_all();
  }
}

Result<> PrefixStore::write(const Write& page) {
  const fs::path path = path_of(page.kind, page.key);
  // Where one file was damaged others may be.
  const bool is_there = std::holds_alternative<std::monostate>(page.share);
  if (is_there || (!has_met_damage_ && ::access(path.c_str(), F_OK) == 0)) {
    set_time_of_use(path, page.used, page.depth);
    return {};
  }
  const uint64_t n_bytes = sizeof(Header) + page.bytes.size();
  if (n_bytes > budget_) return {};
  std::error_code error;
  fs::create_directories(model_folder_, error);
  if (error) return fail(ErrorCode::io, "cannot create {}: {}", model_folder_.string(), error.message());
  fs::permissions(folder_, fs::perms::owner_all, error);  // what people say is theirs to read alone
  keep_budget(n_bytes);
  const Magic& magic = kFileKinds[static_cast<size_t>(page.kind)].magic;
  const Header header = header_of(magic, page.key, page.parent, page.tokens, page.bytes);
  const Bytes parts[] = {std::as_bytes(std::span(&header, 1)), page.bytes};
  // Damage is found by the checksum: nobody need wait for the disk.
  OGAS_TRY(write_file_atomically(path, parts, Durability::when_written_back));
  set_time_of_use(path, page.used, page.depth);
  *bytes_in_folder_ += n_bytes;
  return {};
}

// Makes n_more bytes free: what was not used for longest is removed, and some more, so as not to look again at once.
void PrefixStore::keep_budget(uint64_t n_more) {
  if (bytes_in_folder_ && *bytes_in_folder_ + n_more <= budget_) return;
  std::vector<Stored> all = list_stored(folder_);
  std::ranges::sort(all, {}, &Stored::used);
  uint64_t total = 0;
  for (const Stored& file : all) total += file.n_bytes;
  if (total + n_more > budget_) {
    for (const Stored& file : all) {
      if (total + n_more <= budget_ - budget_ / 8) break;
      std::error_code ignored;
      if (fs::remove(file.path, ignored)) total -= file.n_bytes;
      has_removed_ = true;
    }
  }
  bytes_in_folder_ = total;
}

}  // namespace ogas
