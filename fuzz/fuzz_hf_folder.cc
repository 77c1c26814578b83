// Any bytes as a Hugging Face folder: up to the first zero byte a config.json (and the same as generation_config.json),
// the rest a model.safetensors. It is opened, every tensor is decoded at both ends, and bound to its architecture.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "arch/registry.h"
#include "files/tensor_file.h"
#include "sampling/recommended_sampling.h"

namespace {

// In memory if /dev/shm exists; removed with the process.
class Folder {
 public:
  Folder() {
    const std::filesystem::path shared = "/dev/shm";
    std::error_code error;
    path_ = (std::filesystem::is_directory(shared, error) ? shared : std::filesystem::temp_directory_path()) /
            ("ogas_fuzz_" + std::to_string(::getpid()));
    std::filesystem::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  void write(const char* name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder folder;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = std::min(input.find('\0'), input.size());
  folder.write("config.json", input.substr(0, zero));
  folder.write("generation_config.json", input.substr(0, zero));
  folder.write("model.safetensors", input.substr(std::min(zero + 1, input.size())));
  const auto file = ogas::TensorFile::open(folder.path());
  if (!file) return 0;
  std::vector<float> values;
  for (const auto& [name, tensor] : file->tensors()) {
    const ogas::FormatFacts& facts = ogas::facts_of(tensor.format);
    values.resize(facts.block_values);
    facts.decode(tensor.data.data(), values.data(), 1);
    facts.decode(tensor.data.last(facts.block_bytes).data(), values.data(), 1);
  }
  (void)ogas::recommended_sampling(*file);
  (void)ogas::create_model(*file);
  return 0;
}
