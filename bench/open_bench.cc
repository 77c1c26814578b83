// How long opening a model takes: metadata read, files mapped, no weight touched.
//
// Makes a folder of 8 safetensors files with 1,000 tensors (sparse files) and an index, opens it
// repeatedly, and prints the median, the maximum, and how much of the files was read into memory.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/memory.h"
#include "files/tensor_file.h"

namespace {

namespace fs = std::filesystem;

constexpr size_t kShards = 8, kTensors = 1000, kRows = 1024, kCols = 2048;

void write_model(const fs::path& folder) {
  fs::create_directories(folder);
  std::ofstream(folder / "config.json") << R"({"model_type": "llama", "num_hidden_layers": 100})";
  std::string map;
  for (size_t shard_idx = 0; shard_idx < kShards; ++shard_idx) {
    const std::string file = fmt::format("model-{:05}-of-{:05}.safetensors", shard_idx + 1, kShards);
    std::string header;
    uint64_t n_data = 0;
    for (size_t idx = shard_idx; idx < kTensors; idx += kShards) {
      const std::string name = fmt::format("model.layers.{}.mlp.experts.{}.up_proj.weight", idx / 10, idx % 10);
      const uint64_t n_bytes = kRows * kCols * 2;
      header += fmt::format(R"({}"{}":{{"dtype":"BF16","shape":[{},{}],"data_offsets":[{},{}]}})",
                            header.empty() ? "{" : ",", name, kRows, kCols, n_data, n_data + n_bytes);
      map += fmt::format(R"({}"{}":"{}")", map.empty() ? "" : ",", name, file);
      n_data += n_bytes;
    }
    header += "}";
    const uint64_t n_header = header.size();
    std::ofstream(folder / file, std::ios::binary).write(reinterpret_cast<const char*>(&n_header), sizeof n_header)
        << header;
    fs::resize_file(folder / file, sizeof n_header + n_header + n_data);
  }
  std::ofstream(folder / "model.safetensors.index.json") << R"({"weight_map":{)" << map << "}}";
}

}  // namespace

int main() {
  const fs::path folder = fs::temp_directory_path() / fmt::format("ogas_open_bench_{}", ::getpid());
  write_model(folder);
  std::vector<double> times;
  uint64_t n_bytes = 0;
  for (int run = 0; run < 31; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const auto file = ogas::TensorFile::open(folder);
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    if (!file || file->tensors().size() != kTensors) {
      fmt::print(stderr, "{}\n", file ? "tensors are missing" : file.error().message);
      return 1;
    }
    n_bytes = file->total_bytes();
  }
  fs::remove_all(folder);
  std::ranges::sort(times);
  fmt::print("{} tensors in {} files of {:.1f} GB together: open in {:.2f} ms (median of {}; worst {:.2f} ms)\n",
             kTensors, kShards, static_cast<double>(n_bytes) / 1e9, times[times.size() / 2], times.size(),
             times.back());
  fmt::print("peak memory of the process: {:.1f} MB\n", static_cast<double>(ogas::peak_memory()) / 1e6);
}
