// Folders in Hugging Face's format: config.json, generation_config.json (its keys get the prefix "generation_config."),
// and safetensors in one file or in several that an index names.
#include <algorithm>
#include <set>

#include "base/quote.h"
#include "files/json.h"
#include "files/safetensors.h"
#include "files/tensor_file.h"
#include "quant/f8_e4m3.h"
#include "quant/mxfp4_split.h"

namespace ogas {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxConfigBytes = size_t{16} << 20;
constexpr size_t kMaxIndexBytes = size_t{64} << 20;
constexpr std::string_view kScaleSuffix = "_scale_inv";
constexpr std::string_view kMxfp4Suffix = "_blocks", kMxfp4ScaleSuffix = "_scales";

Result<Json> read_json_file(const fs::path& path, size_t max_bytes) {
  const std::string text = OGAS_TRY(read_file(path, max_bytes));
  Json json = OGAS_TRY(parse_json(text, path.string()));
  if (!json.is_object()) return fail(ErrorCode::bad_file, "{}: a JSON object is expected", path.string());
  return json;
}

// Models that see or hear, too, have the config of their language model in "text_config", and its tensors under a
// prefix.
struct TextPrefix {
  std::string_view nested, plain;
};
constexpr TextPrefix kTextPrefixes[] = {
    {"model.language_model.", "model."}, {"language_model.model.", "model."}, {"language_model.lm_head.", "lm_head."}};
constexpr std::string_view kOtherParts[] = {"visual.",       "model.visual.",          "vision_tower.",
                                            "audio_tower.",  "model.vision_tower.",    "model.audio_tower.",
                                            "embed_vision.", "multi_modal_projector.", "model.multi_modal_projector."};

bool is_other_part(std::string_view name) {
  return std::ranges::any_of(kOtherParts, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// As a model that only writes text calls it.
std::string text_name(std::string name) {
  for (const auto& [nested, plain] : kTextPrefixes)
    if (name.starts_with(nested)) return std::string(plain) + name.substr(nested.size());
  return name;
}

// Puts a config's values under dotted keys: "rope_scaling.factor". Nulls count as absent, and arrays of anything but
// numbers or strings are left out.
class ConfigReader {
 public:
  ConfigReader(Metadata& metadata, std::deque<std::string>& texts) : metadata_(metadata), texts_(texts) {}

  void add_object(const std::string& prefix, const Json& object) {
    for (const auto& [key, value] : object.items()) add(prefix + key, value);
  }

 private:
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }
  template <class T>
  void insert(const std::string& key, MetaType type, T value) {
    metadata_.insert(keep(key), {type, value});
  }

  void add(const std::string& key, const Json& value) {
    if (value.is_boolean()) return insert(key, MetaType::boolean, value.get<bool>());
    if (value.is_number_unsigned()) return insert(key, MetaType::u64, value.get<uint64_t>());
    if (value.is_number_integer()) return insert(key, MetaType::i64, value.get<int64_t>());
    if (value.is_number_float()) return insert(key, MetaType::f64, value.get<double>());
    if (value.is_string()) return insert(key, MetaType::string, keep(value.get<std::string>()));
    if (value.is_object()) return add_object(key + ".", value);
    if (value.is_array()) return add_array(key, value);
  }

  void add_array(const std::string& key, const Json& array) {
    const auto all = [&](auto is) { return std::ranges::all_of(array, is); };
    if (all([](const Json& e) { return e.is_number_integer(); }))
      insert_array<int64_t>(key, MetaType::i64, array);
    else if (all([](const Json& e) { return e.is_number(); }))
      insert_array<double>(key, MetaType::f64, array);
    else if (all([](const Json& e) { return e.is_string(); }))
      insert_strings(key, array);
  }

  void insert_raw(const std::string& key, MetaType element, size_t count, std::string raw) {
    const std::string_view kept = keep(std::move(raw));
    insert(key, MetaType::array, MetaArray{element, count, std::as_bytes(std::span(kept.data(), kept.size()))});
  }
  template <class T>
  void insert_array(const std::string& key, MetaType element, const Json& array) {
    std::string raw;
    for (const Json& entry : array) {
      const T value = entry.get<T>();
      raw.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    insert_raw(key, element, array.size(), std::move(raw));
  }
  void insert_strings(const std::string& key, const Json& array) {
    std::string raw;
    for (const Json& entry : array) {
      const auto& text = entry.get_ref<const std::string&>();
      const uint64_t length = text.size();
      raw.append(reinterpret_cast<const char*>(&length), sizeof length);
      raw += text;
    }
    insert_raw(key, MetaType::string, array.size(), std::move(raw));
  }

  Metadata& metadata_;
  std::deque<std::string>& texts_;
};

// The files an index names, in order. They are in the same folder: a name with a folder in it is refused.
Result<std::vector<fs::path>> shards_of_index(const fs::path& folder, const fs::path& index_path) {
  const Json index = OGAS_TRY(read_json_file(index_path, kMaxIndexBytes));
  if (!index.contains("weight_map") || !index["weight_map"].is_object())
    return fail(ErrorCode::bad_file, "{}: 'weight_map' is not an object", index_path.string());
  std::set<std::string> names;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    if (!file.is_string() || fs::path(file.get<std::string>()).filename() != file.get<std::string>() ||
        !file.get<std::string>().ends_with(".safetensors"))
      return fail(ErrorCode::bad_file, "{}: weight_map has {} for {}; the name of a .safetensors file is expected",
                  index_path.string(), excerpt(file), in_quotes(tensor));
    names.insert(file.get<std::string>());
  }
  std::vector<fs::path> paths;
  for (const std::string& name : names) paths.push_back(folder / name);
  return paths;
}

Result<std::vector<fs::path>> find_shards(const fs::path& folder) {
  const fs::path index = folder / "model.safetensors.index.json";
  if (is_there(index)) return shards_of_index(folder, index);
  const fs::path single = folder / "model.safetensors";
  if (is_there(single)) return std::vector{single};
  return fail(ErrorCode::not_found, "{}: there is neither model.safetensors nor model.safetensors.index.json",
              folder.string());
}

}  // namespace

Result<> TensorFile::open_hf_folder(const fs::path& folder, const BeforePart& before_part) {
  if (!is_there(folder / "config.json"))
    return fail(ErrorCode::io, "cannot open '{}': it is a directory without a config.json", folder.string());
  const Json config = OGAS_TRY(read_json_file(folder / "config.json", kMaxConfigBytes));
  ConfigReader reader(metadata_, texts_);
  const bool is_nested = config.contains("text_config") && config["text_config"].is_object();
  if (is_nested) {
    // The whole model's kind, and the text part's numbers.
    if (config.contains("model_type")) reader.add_object("", {{"model_type", config["model_type"]}});
    reader.add_object("", config["text_config"]);
  }
  reader.add_object("", config);
  if (is_there(folder / "generation_config.json")) {
    const Json generation = OGAS_TRY(read_json_file(folder / "generation_config.json", kMaxConfigBytes));
    ConfigReader(metadata_, texts_).add_object("generation_config.", generation);
  }
  const auto shards = OGAS_TRY(find_shards(folder));
  for (const fs::path& shard : shards) {
    if (before_part) OGAS_TRY(before_part());
    auto added = add_safetensors(shard, is_nested);
    if (!added) return fail_within(added.error(), "{}", shard.string());
  }
  auto attached = attach_block_scales();
  if (attached) attached = attach_mxfp4_scales();
  if (!attached) return fail_within(attached.error(), "{}", folder.string());
  return {};
}

Result<> TensorFile::add_safetensors(const fs::path& path, bool is_nested) {
  const auto shard_idx = static_cast<uint32_t>(shards_.size());
  shards_.push_back(OGAS_TRY(MappedFile::open(path)));
  const auto is_wanted = [&](std::string_view name) { return !is_nested || !is_other_part(name); };
  auto entries = OGAS_TRY(parse_safetensors(shards_.back().bytes(), is_wanted));
  for (SafetensorsEntry& entry : entries) {
    const std::string_view name = texts_.emplace_back(is_nested ? text_name(entry.name) : std::move(entry.name));
    entry.info.name = name;
    entry.info.shard = shard_idx;
    const auto [found, inserted] = (entry.is_bytes ? bytes_ : tensors_).emplace(name, entry.info);
    if (!inserted)
      return fail(ErrorCode::bad_file, "tensor {} is in {} already", in_quotes(name),
                  shards_[found->second.shard].path().filename().string());
  }
  return {};
}

// Bytes "x_blocks" [..., n_blocks, 16] and "x_scales" [..., n_blocks] become one tensor x_blocks [..., n_blocks * 32]
// in MXFP4. Other tensors of bytes are not weights.
Result<> TensorFile::attach_mxfp4_scales() {
  for (auto& [name, tensor] : bytes_) {
    const uint32_t n_dims = tensor.shape.n_dims;
    if (!name.ends_with(kMxfp4Suffix) || n_dims < 2 || tensor.shape[n_dims - 1] != MXFP4_SPLIT::bytes) continue;
    const std::string scales_name =
        std::string(name.substr(0, name.size() - kMxfp4Suffix.size())) + std::string(kMxfp4ScaleSuffix);
    const auto found = bytes_.find(scales_name);
    if (found == bytes_.end())
      return fail(ErrorCode::bad_file, "tensor {} holds blocks of MXFP4, and there is no '{}' of U8", in_quotes(name),
                  scales_name);
    const TensorInfo& scales = found->second;
    Shape expected = tensor.shape;
    expected.dims[n_dims - 1] = 1;
    expected.n_dims = n_dims - 1;
    if (scales.shape != expected)
      return fail(ErrorCode::bad_file, "tensor {} has shape {}; for blocks {} {} is expected", in_quotes(scales_name),
                  scales.shape.to_string(), tensor.shape.to_string(), expected.to_string());
    tensor.format = Format::mxfp4_split;
    tensor.shape = expected;
    tensor.shape.dims[n_dims - 2] *= MXFP4_SPLIT::values;
    tensor.scales = scales.data;
    if (!tensors_.emplace(name, tensor).second)
      return fail(ErrorCode::bad_file, "tensor {} is there twice, of U8 and of another type", in_quotes(name));
  }
  bytes_.clear();
  return {};
}

// "x.weight_scale_inv" belongs to "x.weight": it becomes that tensor's block_scales, and is not listed any more.
Result<> TensorFile::attach_block_scales() {
  const auto block = OGAS_TRY(metadata_.contains("quantization_config.weight_block_size")
                                  ? metadata_.get_ints("quantization_config.weight_block_size", 2)
                                  : Result<std::vector<int64_t>>(std::vector<int64_t>{kF8Block, kF8Block}));
  for (auto& [name, tensor] : tensors_) {
    if (tensor.format != Format::f8_e4m3) continue;
    const auto found = tensors_.find(std::string(name) + std::string(kScaleSuffix));
    if (found == tensors_.end())
      return fail(ErrorCode::bad_file, "tensor {} is F8_E4M3, and there is no '{}{}'", in_quotes(name), name,
                  kScaleSuffix);
    if (block != std::vector<int64_t>{kF8Block, kF8Block})
      return fail(ErrorCode::unsupported,
                  "quantization_config.weight_block_size is [{}]; ogas reads blocks of 128 x 128",
                  fmt::join(block, ", "));
    const TensorInfo& scale = found->second;
    const auto n_blocks = [](uint64_t n) { return (n + kF8Block - 1) / kF8Block; };
    const Shape expected{{n_blocks(tensor.shape[0]), n_blocks(tensor.shape[1]), 1, 1}, 2};
    if (tensor.shape.n_dims != 2 || scale.shape.dims != expected.dims || facts_of(scale.format).block_values != 1)
      return fail(ErrorCode::bad_file, "tensor '{}{}' is {} {}; for {} a plain {} is expected", name, kScaleSuffix,
                  facts_of(scale.format).name, scale.shape.to_string(), tensor.shape.to_string(), expected.to_string());
    auto& values = scales_.emplace_back(scale.shape.n_values());
    facts_of(scale.format).decode(scale.data.data(), values.data(), values.size());
    tensor.block_scales = values;
  }
  std::erase_if(tensors_, [&](const auto& entry) {
    const std::string_view name = entry.first;
    if (!name.ends_with(kScaleSuffix)) return false;
    const TensorInfo* scaled = find(name.substr(0, name.size() - kScaleSuffix.size()));
    return scaled && scaled->format == Format::f8_e4m3;
  });
  return {};
}

}  // namespace ogas
