#include "files/tensor_file.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/ascii.h"
#include "base/check.h"
#include "files/gguf.h"

namespace ogas {
namespace {

constexpr uint32_t kMaxShards = 99'999;  // five digits in the file's name

// NAME-00001-of-00003.gguf, as the field names the parts of a split model.
struct ShardName {
  std::filesystem::path folder;
  std::string stem;
  uint32_t number, count;

  std::filesystem::path path_of(uint32_t shard_number) const {
    return folder / fmt::format("{}-{:05}-of-{:05}.gguf", stem, shard_number, count);
  }
};

std::optional<uint32_t> five_digits(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.size() != 5 || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::optional<ShardName> parse_shard_name(const std::filesystem::path& path) {
  constexpr std::string_view kPattern = "-00001-of-00003.gguf";
  const std::string name = path.filename().string();
  if (name.size() <= kPattern.size()) return {};
  const std::string_view tail = std::string_view(name).substr(name.size() - kPattern.size());
  const auto number = five_digits(tail.substr(1, 5));
  const auto count = five_digits(tail.substr(10, 5));
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || tail.substr(15) != ".gguf" || !number || !count) return {};
  return ShardName{path.parent_path(), name.substr(0, name.size() - kPattern.size()), *number, *count};
}

}  // namespace

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(dims.begin(), dims.begin() + n_dims, ", "));
}

const TensorInfo* TensorFile::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

uint64_t TensorFile::total_bytes() const {
  uint64_t total = 0;
  for (const MappedFile& shard : shards_) total += shard.bytes().size();
  return total;
}

const MappedFile* TensorFile::find_shard(Bytes bytes) const {
  const auto shard = std::ranges::find_if(shards_, [&](const MappedFile& one) { return one.holds(bytes); });
  return shard == shards_.end() ? nullptr : &*shard;
}

const MappedFile& TensorFile::shard_of(Bytes bytes) const {
  const MappedFile* shard = find_shard(bytes);
  OGAS_CHECK(shard, "{} bytes that no shard has", bytes.size());
  return *shard;
}

// Maps and parses one part. Its index must be what its own keys say; the metadata of the first part is kept.
Result<> TensorFile::add_gguf_shard(const std::filesystem::path& path) {
  const auto shard_idx = static_cast<uint32_t>(shards_.size());
  shards_.push_back(OGAS_TRY(MappedFile::open(path)));
  auto parsed = parse_gguf(shards_.back().bytes());
  if (!parsed) return fail_within(parsed.error(), "{}", path.string());
  if (shard_idx == 0) metadata_ = parsed->metadata;

  const auto count = metadata_.get_uint_or("split.count", 1);
  const auto own_count = parsed->metadata.get_uint_or("split.count", 1);
  const auto own_number = parsed->metadata.get_uint_or("split.no", 0);
  for (const auto* value : {&own_count, &own_number, &count})
    if (!*value) return fail_within(value->error(), "{}", path.string());
  if (*own_number != shard_idx)
    return fail(ErrorCode::bad_file,
                "{}: key 'split.no' is {}; {} is expected here (open a split model by its first part)", path.string(),
                *own_number, shard_idx);
  if (*own_count != *count)
    return fail(ErrorCode::bad_file, "{}: key 'split.count' is {}; the first part says {}", path.string(), *own_count,
                *count);
  for (TensorInfo& tensor : parsed->tensors) {
    tensor.shard = shard_idx;
    const auto name = tensor.name;
    const auto [found, inserted] = tensors_.emplace(name, std::move(tensor));
    if (!inserted)
      return fail(ErrorCode::bad_file, "{}: tensor '{}' is in part {} already", path.string(), name,
                  found->second.shard + 1);
  }
  return {};
}

Result<> TensorFile::open_gguf(const std::filesystem::path& path, const BeforePart& before_part) {
  const auto shard_name = parse_shard_name(path);
  if (shard_name && shard_name->number != 1)
    return fail(ErrorCode::bad_file, "{} is part {} of a split model; open its first part, {}", path.string(),
                shard_name->number, shard_name->path_of(1).filename().string());
  if (before_part) OGAS_TRY(before_part());
  OGAS_TRY(add_gguf_shard(path));
  const uint64_t count = *metadata_.get_uint_or("split.count", 1);  // add_gguf_shard() has seen that it is right
  if (count > kMaxShards)
    return fail(ErrorCode::bad_file, "{}: key 'split.count' is {}; at most {} is expected", path.string(), count,
                kMaxShards);
  if (count <= 1 && !shard_name) return {};
  if (!shard_name || shard_name->count != count)
    return fail(ErrorCode::bad_file, "{}: key 'split.count' is {}; the file's name should end in -00001-of-{:05}.gguf",
                path.string(), count, count);
  for (uint32_t number = 2; number <= count; ++number) {
    if (before_part) OGAS_TRY(before_part());
    const auto added = add_gguf_shard(shard_name->path_of(number));
    if (!added)
      return fail_within(added.error(), "{} has {} parts, of which part {} fails", path.string(), count, number);
  }
  const auto n_tensors = metadata_.get_uint_or("split.tensors.count", tensors_.size());
  if (!n_tensors) return fail_within(n_tensors.error(), "{}", path.string());
  if (*n_tensors != tensors_.size())
    return fail(ErrorCode::bad_file, "{}: key 'split.tensors.count' is {}; the {} parts hold {} tensors", path.string(),
                *n_tensors, count, tensors_.size());
  return {};
}

Result<TensorFile> TensorFile::open(const std::filesystem::path& path, const BeforePart& before_part) {
  std::error_code error;
  TensorFile file;
  const bool is_folder = std::filesystem::is_directory(path, error);
  if (is_folder || path.extension() == ".safetensors" || path.extension() == ".json") {
    file.naming_ = Naming::hf;
    file.path_ = is_folder ? path : std::filesystem::absolute(path, error).parent_path();
    OGAS_TRY(file.open_hf_folder(file.path_, before_part));
  } else {
    file.path_ = path;
    OGAS_TRY(file.open_gguf(path, before_part));
  }
  return file;
}

}  // namespace ogas
