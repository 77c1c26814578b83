// Who may ask, and how much.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/http/api_error.h"

namespace ogas::server {

// The holder of a key; without a name if no keys are required.
struct Client {
  std::string name = {};
  std::string address = {};
  // Who it is for the engine, which gives each the same share.
  const std::string& share() const { return name.empty() ? address : name; }
};

// Keys come from a file, a line each:
//
//   KEY [name=office] [requests_per_minute=60] [tokens_per_minute=20000]     # a comment
//
// and from the environment, separated by commas. Only their SHA-256 is kept. All members may be called from any thread.
class ApiKeys {
 public:
  // file may be empty. Errors: as reload().
  static Result<std::unique_ptr<ApiKeys>> read(const std::filesystem::path& file, std::string_view from_environment);
  // Reads the file again; where that fails the keys stay what they were. What clients have used stays, by name. Errors:
  // io, bad_file (with the line, never the key).
  Result<> reload();

  // Whether no key is needed.
  bool empty() const;
  // authorization: "Bearer KEY"; other_key: of another header, or "". It takes as long whatever key is given. Errors:
  // 401.
  ApiResult<Client> find(std::string_view authorization, std::string_view other_key) const;
  // Counts a request. Errors: 429, with the seconds to wait.
  ApiResult<> admit(const Client& client);
  // Counts the tokens of an answer, once they are known: later requests wait for them.
  void charge(const Client& client, uint64_t n_tokens);

 private:
  using Clock = std::chrono::steady_clock;
  // A token bucket: fills evenly, and holds at most the allowance of a minute.
  struct Bucket {
    double per_minute = 0;  // 0: no limit
    double level = 0;
    Clock::time_point since = {};
    void fill(Clock::time_point now);
    // Seconds until there is something in it.
    double missing_seconds(double amount) const;
  };
  struct Key {
    std::array<unsigned char, 32> hash;
    std::string name;
    Bucket requests, tokens;
  };
  static Result<std::vector<Key>> parse(std::string_view text);
  Key* named(std::string_view name);

  std::filesystem::path file_;
  std::string from_environment_;
  mutable std::mutex mutex_;
  std::vector<Key> keys_;
};

}  // namespace ogas::server
