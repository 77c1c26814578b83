#include "files/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "base/quote.h"

namespace ogas {
namespace {

// Limits on what a file may hold, far above real models, so that small entries cannot add up to much memory.
constexpr uint64_t kMaxKeys = 65'536;
constexpr uint64_t kMaxTensors = 131'072;
constexpr uint64_t kMaxKeyLength = 65'535;  // the specification's
constexpr uint64_t kMaxNameLength = 255;    // it says 64; converters have gone beyond
constexpr int kMaxArrayDepth = 4;
// A version that is this or less with its bytes swapped means a big-endian file.
constexpr uint32_t kMaxSwappedVersion = 15;

// Types of tensor data that exist but that ogas cannot decode yet, for a better message.
std::string_view name_of_ggml_type(uint32_t type) {
  constexpr std::pair<uint32_t, std::string_view> kNames[] = {
      {9, "Q8_1"}, {15, "Q8_K"}, {24, "I8"}, {25, "I16"}, {26, "I32"}, {27, "I64"}, {28, "F64"}, {40, "NVFP4"},
  };
  for (const auto& [number, name] : kNames)
    if (number == type) return name;
  return "unknown";
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7F; });
}

// Takes values off the front, never past the end.
class Cursor {
 public:
  explicit Cursor(Bytes file) : file_(file) {}

  size_t position() const { return position_; }
  size_t remaining() const { return file_.size() - position_; }

  template <class T>
  Result<T> read(std::string_view what) {
    const Bytes bytes = OGAS_TRY(take(sizeof(T), what));
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  Result<Bytes> take(uint64_t size, std::string_view what) {
    if (size > remaining())
      return fail(ErrorCode::bad_file, "{} at byte {} needs {} bytes; the file has {} left", what, position_, size,
                  remaining());
    const Bytes bytes = file_.subspan(position_, size);
    position_ += size;
    return bytes;
  }
  Result<std::string_view> read_string(std::string_view what, uint64_t max_length = UINT64_MAX) {
    const size_t at = position_;
    const auto length = OGAS_TRY(read<uint64_t>(what));
    if (length > max_length)
      return fail(ErrorCode::bad_file, "{} at byte {} is {} bytes long; at most {} are expected", what, at, length,
                  max_length);
    const Bytes bytes = OGAS_TRY(take(length, what));
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  Result<MetaType> read_type(std::string_view what) {
    const auto number = OGAS_TRY(read<uint32_t>(what));
    if (number > static_cast<uint32_t>(MetaType::f64))
      return fail(ErrorCode::bad_file, "{} has value type {}; 0 to {} are expected", what, number,
                  static_cast<uint32_t>(MetaType::f64));
    return static_cast<MetaType>(number);
  }

 private:
  Bytes file_;
  size_t position_ = 0;
};

Result<> check_bools(Bytes values, std::string_view what) {
  for (const std::byte value : values)
    if (value > std::byte{1})
      return fail(ErrorCode::bad_file, "{} holds a bool with value {}; 0 or 1 is expected", what,
                  static_cast<int>(value));
  return {};
}

// Walks over an array, checking everything in it.
Result<MetaArray> read_array(Cursor& in, std::string_view what, int depth) {
  if (depth > kMaxArrayDepth) return fail(ErrorCode::bad_file, "{} nests arrays deeper than {}", what, kMaxArrayDepth);
  const MetaType element = OGAS_TRY(in.read_type(what));
  const auto count = OGAS_TRY(in.read<uint64_t>(what));
  // The least an element takes: a string its length, an array its type and count.
  const uint64_t smallest = element == MetaType::string ? 8 : element == MetaType::array ? 12 : size_of(element);
  if (count > in.remaining() / smallest)
    return fail(ErrorCode::bad_file, "{} claims {} elements of type {}; the file has {} bytes left", what, count,
                name_of(element), in.remaining());
  Cursor start = in;
  const size_t begin = in.position();
  if (element == MetaType::string) {
    for (uint64_t idx = 0; idx < count; ++idx) OGAS_TRY(in.read_string(what));
  } else if (element == MetaType::array) {
    for (uint64_t idx = 0; idx < count; ++idx) OGAS_TRY(read_array(in, what, depth + 1));
  } else {
    const Bytes values = OGAS_TRY(in.take(count * size_of(element), what));
    if (element == MetaType::boolean) OGAS_TRY(check_bools(values, what));
  }
  return MetaArray{element, count, OGAS_TRY(start.take(in.position() - begin, what))};
}

Result<MetaValue> read_value(Cursor& in, std::string_view what) {
  const MetaType type = OGAS_TRY(in.read_type(what));
  const auto integer = [&]<class T>() -> Result<MetaValue> {
    const T value = OGAS_TRY(in.read<T>(what));
    if constexpr (std::is_signed_v<T>) return MetaValue{type, static_cast<int64_t>(value)};
    return MetaValue{type, static_cast<uint64_t>(value)};
  };
  switch (type) {
    case MetaType::u8: return integer.template operator()<uint8_t>();
    case MetaType::i8: return integer.template operator()<int8_t>();
    case MetaType::u16: return integer.template operator()<uint16_t>();
    case MetaType::i16: return integer.template operator()<int16_t>();
    case MetaType::u32: return integer.template operator()<uint32_t>();
    case MetaType::i32: return integer.template operator()<int32_t>();
    case MetaType::u64: return integer.template operator()<uint64_t>();
    case MetaType::i64: return integer.template operator()<int64_t>();
    case MetaType::f32: return MetaValue{type, static_cast<double>(OGAS_TRY(in.read<float>(what)))};
    case MetaType::f64: return MetaValue{type, OGAS_TRY(in.read<double>(what))};
    case MetaType::string: return MetaValue{type, OGAS_TRY(in.read_string(what))};
    case MetaType::array: return MetaValue{type, OGAS_TRY(read_array(in, what, 1))};
    case MetaType::boolean: {
      const Bytes value = OGAS_TRY(in.take(1, what));
      OGAS_TRY(check_bools(value, what));
      return MetaValue{type, value[0] == std::byte{1}};
    }
  }
  std::unreachable();
}

struct Header {
  uint64_t n_tensors, n_keys;
};

Result<Header> read_header(Cursor& in) {
  const Bytes magic = OGAS_TRY(in.take(4, "the magic number"));
  if (std::memcmp(magic.data(), "GGUF", 4) != 0)
    return fail(ErrorCode::bad_file, "the file starts with {}; a GGUF file starts with 'GGUF'",
                in_quotes({reinterpret_cast<const char*>(magic.data()), magic.size()}));
  const auto version = OGAS_TRY(in.read<uint32_t>("the version"));
  if (const uint32_t swapped = std::byteswap(version); swapped >= 1 && swapped <= kMaxSwappedVersion)
    return fail(ErrorCode::unsupported, "the file is big-endian GGUF (version {}); ogas reads little-endian files",
                swapped);
  if (version != 2 && version != 3)
    return fail(ErrorCode::unsupported, "the file is GGUF version {}; ogas reads versions 2 and 3", version);
  Header header{};
  header.n_tensors = OGAS_TRY(in.read<uint64_t>("the number of tensors"));
  header.n_keys = OGAS_TRY(in.read<uint64_t>("the number of keys"));
  if (header.n_tensors > kMaxTensors)
    return fail(ErrorCode::bad_file, "the header claims {} tensors; at most {} are expected", header.n_tensors,
                kMaxTensors);
  if (header.n_keys > kMaxKeys)
    return fail(ErrorCode::bad_file, "the header claims {} keys; at most {} are expected", header.n_keys, kMaxKeys);
  return header;
}

Result<> read_key(Cursor& in, uint64_t idx, Metadata& metadata) {
  const auto key = OGAS_TRY(in.read_string(fmt::format("the name of key {}", idx), kMaxKeyLength));
  if (!is_plain_name(key))
    return fail(ErrorCode::bad_file, "key {} is named {}; printable ASCII without spaces is expected", idx,
                in_quotes(key));
  MetaValue value = OGAS_TRY(read_value(in, fmt::format("key {}", in_quotes(key))));
  if (!metadata.insert(key, std::move(value))) return fail(ErrorCode::bad_file, "key {} appears twice", in_quotes(key));
  return {};
}

// Dimensions, which GGUF writes innermost first. Errors name the tensor.
Result<Shape> read_shape(Cursor& in, const std::string& what) {
  Shape shape;
  shape.n_dims = OGAS_TRY(in.read<uint32_t>(what));
  if (shape.n_dims < 1 || shape.n_dims > 4)
    return fail(ErrorCode::bad_file, "{} has {} dimensions; 1 to 4 are expected", what, shape.n_dims);
  for (uint32_t axis = shape.n_dims; axis-- > 0;) shape.dims[axis] = OGAS_TRY(in.read<uint64_t>(what));
  uint64_t n_values = 1;
  for (const uint64_t dim : shape.dims) {
    if (dim == 0) return fail(ErrorCode::bad_file, "{} has a dimension of 0: {}", what, shape.to_string());
    if (dim > INT64_MAX / n_values)
      return fail(ErrorCode::bad_file, "{} has the dimensions {}; their product is beyond 2^63", what,
                  shape.to_string());
    n_values *= dim;
  }
  return shape;
}

struct TensorRecord {
  TensorInfo info;
  uint64_t offset;  // from the start of the data section
};

Result<TensorRecord> read_tensor(Cursor& in, uint64_t idx, uint64_t alignment) {
  const auto name = OGAS_TRY(in.read_string(fmt::format("the name of tensor {}", idx), kMaxNameLength));
  if (!is_plain_name(name))
    return fail(ErrorCode::bad_file, "tensor {} is named {}; printable ASCII without spaces is expected", idx,
                in_quotes(name));
  const std::string what = fmt::format("tensor '{}'", name);
  TensorRecord record{
      .info = {.name = name, .format = {}, .shape = OGAS_TRY(read_shape(in, what)), .data = {}, .shard = 0},
      .offset = 0};
  const auto type = OGAS_TRY(in.read<uint32_t>(what));
  const auto format = format_from_ggml_type(type);
  if (!format)
    return fail(ErrorCode::unsupported, "{} is of data type {} ({}), which ogas cannot decode", what, type,
                name_of_ggml_type(type));
  record.info.format = *format;
  const FormatFacts& facts = facts_of(*format);
  const uint64_t row = record.info.shape[record.info.shape.n_dims - 1];
  if (row % facts.block_values != 0)
    return fail(ErrorCode::bad_file, "{} has rows of {} values; {} needs a multiple of {}", what, row, facts.name,
                facts.block_values);
  record.offset = OGAS_TRY(in.read<uint64_t>(what));
  if (record.offset % alignment != 0)
    return fail(ErrorCode::bad_file, "{} starts at offset {}; a multiple of the alignment, {}, is expected", what,
                record.offset, alignment);
  return record;
}

// Points every tensor at its bytes.
Result<> place_tensors(std::vector<TensorRecord>& records, Bytes data) {
  for (TensorRecord& record : records) {
    const FormatFacts& facts = facts_of(record.info.format);
    const uint64_t n_blocks = record.info.shape.n_values() / facts.block_values;
    if (record.offset > data.size() || n_blocks > (data.size() - record.offset) / facts.block_bytes)
      return fail(ErrorCode::bad_file,
                  "tensor '{}' ({} {}) needs {} blocks of {} bytes from offset {}; {} bytes of data "
                  "are in the file",
                  record.info.name, facts.name, record.info.shape.to_string(), n_blocks, facts.block_bytes,
                  record.offset, data.size());
    record.info.data = data.subspan(record.offset, n_blocks * facts.block_bytes);
  }
  std::vector<const TensorRecord*> by_offset;
  for (const TensorRecord& record : records) by_offset.push_back(&record);
  std::ranges::sort(by_offset, {}, &TensorRecord::offset);
  for (size_t idx = 1; idx < by_offset.size(); ++idx) {
    const TensorRecord& previous = *by_offset[idx - 1];
    if (by_offset[idx]->offset < previous.offset + previous.info.data.size())
      return fail(ErrorCode::bad_file, "tensor '{}' at offset {} overlaps tensor '{}', which ends at {}",
                  by_offset[idx]->info.name, by_offset[idx]->offset, previous.info.name,
                  previous.offset + previous.info.data.size());
  }
  return {};
}

Result<uint64_t> read_alignment(const Metadata& metadata) {
  const auto alignment = OGAS_TRY(metadata.get_uint_or("general.alignment", 32));
  if (alignment < 8 || !std::has_single_bit(alignment))
    return fail(ErrorCode::bad_file, "key 'general.alignment' is {}; a power of two, 8 or more, is expected",
                alignment);
  return alignment;
}

}  // namespace

Result<GgufContents> parse_gguf(Bytes file) {
  Cursor in(file);
  const Header header = OGAS_TRY(read_header(in));
  GgufContents contents;
  for (uint64_t idx = 0; idx < header.n_keys; ++idx) OGAS_TRY(read_key(in, idx, contents.metadata));
  const auto alignment = OGAS_TRY(read_alignment(contents.metadata));

  std::vector<TensorRecord> records;
  std::unordered_set<std::string_view> names;
  for (uint64_t idx = 0; idx < header.n_tensors; ++idx) {
    records.push_back(OGAS_TRY(read_tensor(in, idx, alignment)));
    if (!names.insert(records.back().info.name).second)
      return fail(ErrorCode::bad_file, "tensor '{}' appears twice", records.back().info.name);
  }
  const uint64_t padding = (alignment - in.position() % alignment) % alignment;
  OGAS_TRY(place_tensors(records, file.subspan(std::min<uint64_t>(file.size(), in.position() + padding))));
  contents.tensors.reserve(records.size());
  for (TensorRecord& record : records) contents.tensors.push_back(std::move(record.info));
  return contents;
}

}  // namespace ogas
