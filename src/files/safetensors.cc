#include "files/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/quote.h"
#include "files/json.h"

namespace ogas {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the bound of the format's own library
constexpr size_t kMaxNameBytes = 1024;

struct DataType {
  std::string_view name;
  std::optional<Format> format;  // none: no weight has it
  uint64_t bytes;
};

constexpr DataType kDataTypes[] = {
    {"F32", Format::f32, 4},
    {"F16", Format::f16, 2},
    {"BF16", Format::bf16, 2},
    {"F8_E4M3", Format::f8_e4m3, 1},
    {"F64", {}, 8},
    {"I64", {}, 8},
    {"I32", {}, 4},
    {"I16", {}, 2},
    {"I8", {}, 1},
    {"U8", {}, 1},
    {"U16", {}, 2},
    {"U32", {}, 4},
    {"U64", {}, 8},
    {"BOOL", {}, 1},
};

// Numbers of an array that are not negative; at most `max` of them.
Result<std::vector<uint64_t>> read_numbers(const Json& entry, const char* key, size_t max, const std::string& what) {
  if (!entry.contains(key) || !entry[key].is_array() || entry[key].size() > max)
    return fail(ErrorCode::bad_file, "{}: '{}' is not an array of at most {} numbers", what, key, max);
  std::vector<uint64_t> numbers;
  for (const Json& number : entry[key]) {
    if (!number.is_number_unsigned())
      return fail(ErrorCode::bad_file, "{}: '{}' holds {}; a whole number is expected", what, key, excerpt(number));
    numbers.push_back(number.get<uint64_t>());
  }
  return numbers;
}

// Checks the dimensions' product against overflow.
Result<Shape> read_shape(const Json& entry, const std::string& what) {
  const auto dims = OGAS_TRY(read_numbers(entry, "shape", 4, what));
  Shape shape;
  shape.n_dims = static_cast<uint32_t>(std::max<size_t>(dims.size(), 1));
  uint64_t n_values = 1;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    shape.dims[axis] = dims[axis];
    if (dims[axis] == 0) return fail(ErrorCode::bad_file, "{}: dimension {} is 0", what, axis);
    if (__builtin_mul_overflow(n_values, dims[axis], &n_values) || n_values > UINT64_MAX / 8)
      return fail(ErrorCode::bad_file, "{}: the shape has more than 2^61 values", what);
  }
  return shape;
}

struct TensorRange {
  uint64_t begin, end;
  std::string_view name;
};

Result<std::optional<SafetensorsEntry>> read_entry(const std::string& name, const Json& entry, Bytes data,
                                                   std::vector<TensorRange>& ranges) {
  const std::string what = fmt::format("tensor {}", in_quotes(name));
  if (name.empty() || name.size() > kMaxNameBytes)
    return fail(ErrorCode::bad_file, "{}: its name has {} bytes; 1 to {} are expected", what, name.size(),
                kMaxNameBytes);
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string())
    return fail(ErrorCode::bad_file, "{}: an object with 'dtype', 'shape' and 'data_offsets' is expected", what);
  const auto& dtype_name = entry["dtype"].get_ref<const std::string&>();
  const auto* type = std::ranges::find(kDataTypes, dtype_name, &DataType::name);
  if (type == std::end(kDataTypes))
    return fail(ErrorCode::unsupported, "{}: ogas does not know the dtype {}", what, in_quotes(dtype_name));
  const Shape shape = OGAS_TRY(read_shape(entry, what));
  const auto offsets = OGAS_TRY(read_numbers(entry, "data_offsets", 2, what));
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data.size())
    return fail(ErrorCode::bad_file, "{}: 'data_offsets' is {}; begin and end within {} bytes are expected", what,
                excerpt(entry["data_offsets"]), data.size());
  const uint64_t n_bytes = offsets[1] - offsets[0];
  if (n_bytes != shape.n_values() * type->bytes)
    return fail(ErrorCode::bad_file, "{}: 'data_offsets' span {} bytes; {} {} takes {}", what, n_bytes, type->name,
                shape.to_string(), shape.n_values() * type->bytes);
  ranges.push_back({offsets[0], offsets[1], name});
  const bool is_bytes = type->name == "U8";
  if (!type->format && !is_bytes) return std::nullopt;
  return SafetensorsEntry{name,
                          {.name = {},
                           .format = type->format.value_or(Format::f32),
                           .shape = shape,
                           .data = data.subspan(offsets[0], n_bytes),
                           .shard = 0},
                          is_bytes};
}

Result<> check_overlaps(std::vector<TensorRange>& ranges) {
  std::ranges::sort(ranges, {}, &TensorRange::begin);
  for (size_t idx = 1; idx < ranges.size(); ++idx)
    if (ranges[idx].begin < ranges[idx - 1].end)
      return fail(ErrorCode::bad_file, "tensor {} at offset {} overlaps tensor {}, which ends at {}",
                  in_quotes(ranges[idx].name), ranges[idx].begin, in_quotes(ranges[idx - 1].name), ranges[idx - 1].end);
  return {};
}

}  // namespace

Result<std::vector<SafetensorsEntry>> parse_safetensors(Bytes file, FunctionRef<bool(std::string_view)> is_wanted) {
  uint64_t n_header = 0;
  if (file.size() < sizeof n_header)
    return fail(ErrorCode::bad_file, "the file has {} bytes; a safetensors file has at least 8", file.size());
  std::memcpy(&n_header, file.data(), sizeof n_header);
  const uint64_t n_rest = file.size() - sizeof n_header;
  if (n_header > kMaxHeaderBytes || n_header > n_rest)
    return fail(ErrorCode::bad_file, "the header claims {} bytes; {} follow in the file, and at most {} make sense",
                n_header, n_rest, kMaxHeaderBytes);
  const Json header = OGAS_TRY(parse_json(file.subspan(sizeof n_header, n_header), "the header"));
  if (!header.is_object()) return fail(ErrorCode::bad_file, "the header is not a JSON object");
  const Bytes data = file.subspan(sizeof n_header + n_header);
  std::vector<SafetensorsEntry> entries;
  std::vector<TensorRange> ranges;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__" || !is_wanted(name)) continue;
    auto read = OGAS_TRY(read_entry(name, entry, data, ranges));
    if (read) entries.push_back(*std::move(read));
  }
  OGAS_TRY(check_overlaps(ranges));
  return entries;
}

}  // namespace ogas
