// Prefixes on disk, found again after a restart: a file for each page of the KV cache, for each page of windows that a
// snapshot needs, and for the states of recurrent layers in each snapshot.
//
// FOLDER/MODEL/KEY.page, KEY.window and KEY.states: MODEL and KEY are prefix keys, so that a changed model, another
// instruction set or version finds nothing of another's. Files are written in the background, complete or not at all
// (rename), and read with everything checked: what is damaged or foreign is removed and not used. Beyond its budget,
// for all models together, the folder loses what was not used for longest, a prefix from its end. Several processes may
// share a folder.
//
// A failure is logged once, as a warning, and costs nothing but the cache.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/file.h"
#include "engine/prefix_key.h"
#include "nn/kv_cache.h"

namespace ogas {

// A page by its tokens. depth: pages before it.
struct PrefixPage {
  PrefixKey key, parent;
  PageTokens tokens;
  size_t depth;
};

class PrefixStore {
 public:
  // budget: bytes that all files of the folder may take. The folder is made when something is written.
  PrefixStore(std::filesystem::path folder, uint64_t budget, const PrefixKey& model);
  // Finishes what it is writing, and leaves the rest.
  ~PrefixStore();
  PrefixStore(const PrefixStore&) = delete;
  PrefixStore& operator=(const PrefixStore&) = delete;

  // False where the store is known not to have it. A look at the folder, no more.
  bool may_have(const PrefixKey& key) const { return has_file(Kind::page, key); }
  bool may_have_window(const PrefixKey& key) const { return has_file(Kind::window, key); }
  bool may_have_states(const PrefixKey& key) const { return has_file(Kind::states, key); }
  // Reads a full page, that of windows for the same tokens, or the states at its end. False where it is not there, or
  // was damaged and is now gone.
  bool load(const PrefixPage& page, std::span<std::byte> bytes) { return load(Kind::page, page, bytes); }
  bool load_window(const PrefixPage& page, std::span<std::byte> bytes) { return load(Kind::window, page, bytes); }
  bool load_states(const PrefixPage& page, std::span<std::byte> bytes) { return load(Kind::states, page, bytes); }
  // Has it written; the share is held until then. What is there already counts as used. used: now, the same for all
  // pages of a prefix, however long writing takes.
  void save(const PrefixPage& page, const KvPage& share, Bytes bytes, std::filesystem::file_time_type used);
  void save_window(const PrefixPage& page, const KvPage& share, Bytes bytes, std::filesystem::file_time_type used);
  void save_states(const PrefixPage& page, const KvStates& share, std::filesystem::file_time_type used);
  // Lets go of what has been written.
  void collect();
  // Waits until all is written.
  void flush();
  size_t n_pending() const;

  const std::filesystem::path& folder() const { return model_folder_; }

 private:
  enum class Kind : uint8_t { page, window, states };
  struct Write {
    Kind kind;
    PrefixKey key, parent;
    std::vector<TokenId> tokens;
    size_t depth;
    std::filesystem::file_time_type used;
    std::variant<std::monostate, KvPage, KvStates> share;  // none: the file is there, and only its time is to be set
    Bytes bytes;
  };
  using Keys = std::unordered_set<PrefixKey, PrefixKeyHash>;

  std::filesystem::path path_of(Kind kind, const PrefixKey& key) const;
  bool has_file(Kind kind, const PrefixKey& key) const;
  bool load(Kind kind, const PrefixPage& page, std::span<std::byte> bytes);
  template <class Share>
  void save(Kind kind, const PrefixPage& page, const Share& share, Bytes bytes, std::filesystem::file_time_type used);
  Keys& saved(Kind kind) { return saved_[static_cast<size_t>(kind)]; }
  void write_pending();  // the writer's
  Result<> write(const Write& page);
  void keep_budget(uint64_t n_more);
  void warn_once(std::string_view what);

  std::filesystem::path folder_, model_folder_;
  uint64_t budget_;
  std::array<Keys, 3> saved_;  // [Kind] known to be there, or being written
  std::atomic<bool> has_failed_ = false, has_met_damage_ = false, has_removed_ = false, has_warned_ = false;

  mutable std::mutex mutex_;  // of all that follows
  std::condition_variable changed_;
  std::deque<Write> pending_;  // oldest first; shares are taken and given back by the engine's thread alone
  size_t n_written_ = 0;       // the first of them
  bool stopping_ = false;

  std::optional<uint64_t> bytes_in_folder_;  // the writer's; none: it has not looked
  std::thread writer_;
};

}  // namespace ogas
