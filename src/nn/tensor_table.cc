#include "nn/tensor_table.h"

#include <set>

namespace ogas {

Result<> TensorTable::bind_entry(const Entry& entry, const TensorInfo& tensor) {
  const bool is_matrix = entry.linear != nullptr;
  const Shape expected =
      is_matrix ? Shape{{entry.dims[0], entry.dims[1], 1, 1}, 2} : Shape{{entry.dims[0], 1, 1, 1}, 1};
  if (tensor.shape.dims != expected.dims)
    return fail(ErrorCode::bad_file, "tensor '{}' has shape {}; the metadata calls for {}", entry.name,
                tensor.shape.to_string(), expected.to_string());
  const FormatFacts& format = facts_of(tensor.format);
  if (is_matrix) {
    *entry.linear = Linear(tensor.format, tensor.data.data(), entry.dims[0], entry.dims[1]);
    return {};
  }
  if (format.block_values != 1)
    return fail(ErrorCode::unsupported, "tensor '{}' is {}; a plain format (F32, F16, BF16) is expected", entry.name,
                format.name);
  entry.vector->resize(entry.dims[0]);
  format.decode(tensor.data.data(), entry.vector->data(), entry.dims[0]);
  return {};
}

Result<> TensorTable::bind(const TensorFile& file) {
  std::set<std::string_view> bound;
  for (const Entry& entry : entries_) {
    const TensorInfo* tensor = file.find(entry.name);
    if (!tensor) return fail(ErrorCode::bad_file, "tensor '{}' is missing", entry.name);
    OGAS_TRY(bind_entry(entry, *tensor));
    if (!bound.insert(tensor->name).second) continue;
    n_params_ += tensor->shape.n_values();
    n_bytes_ += tensor->data.size();
  }
  for (const auto& [name, tensor] : file.tensors())
    if (!bound.contains(name))
      return fail(ErrorCode::unsupported,
                  "tensor '{}' {} is not one this architecture uses; running without it would give wrong answers", name,
                  tensor.shape.to_string());
  return {};
}

}  // namespace ogas
