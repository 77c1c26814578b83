#include "nn/tensor_table.h"

#include <algorithm>

#include "base/check.h"
#include "base/quote.h"

namespace ogas {
namespace {

Linear as_linear(const TensorInfo& tensor, uint64_t first_row, uint64_t n_out, uint64_t n_in) {
  const FormatFacts& format = facts_of(tensor.format);
  const std::byte* scales = tensor.scales.data();
  return {tensor.format,
          tensor.data.data() + first_row * format.bytes_for(n_in),
          n_out,
          n_in,
          tensor.block_scales.data(),
          scales ? scales + first_row * (n_in / format.block_values) : nullptr};
}

std::vector<uint64_t> without_ones(const Shape& shape) {
  std::vector<uint64_t> dims(shape.dims.begin(), shape.dims.end());
  std::erase(dims, 1);
  return dims;
}

uint64_t row_length(const Shape& shape) { return shape.n_dims == 0 ? 1 : shape[shape.n_dims - 1]; }

}  // namespace

void TensorTable::begin_layer(uint32_t layer_idx) {
  gguf_prefix_ = fmt::format("blk.{}.", layer_idx);
  hf_prefix_ = fmt::format("model.layers.{}.", layer_idx);
}

std::string TensorTable::full_name(const TensorName& name) const {
  const bool is_gguf = file_.naming() == Naming::gguf;
  const std::string_view own = is_gguf ? name.gguf : name.hf;
  return own.empty() ? std::string() : (is_gguf ? gguf_prefix_ : hf_prefix_) + std::string(own);
}

bool TensorTable::has(const TensorName& name) const { return file_.find(full_name(name)) != nullptr; }

void TensorTable::linear(const TensorName& name, Linear& destination, uint64_t n_out, uint64_t n_in,
                         const Shard& shard) {
  add({full_name(name),
       {{n_out, n_in, 1, 1}, 2},
       Weights{&destination, Role::multiplied},
       is_head_,
       1,
       n_out,
       n_in,
       shard});
}

void TensorTable::output(const TensorName& name, Linear& destination, uint64_t n_out, uint64_t n_in,
                         const Shard& shard) {
  add({full_name(name),
       {{n_out, n_in, 1, 1}, 2},
       Weights{&destination, Role::output},
       is_head_,
       1,
       n_out,
       n_in,
       shard});
}

void TensorTable::embeddings(const TensorName& name, Linear& destination, uint64_t n_rows, uint64_t n_cols,
                             const Shard& shard) {
  add({full_name(name),
       {{n_rows, n_cols, 1, 1}, 2},
       Weights{&destination, Role::embeddings},
       is_head_,
       1,
       n_rows,
       n_cols,
       shard});
}

void TensorTable::vector(const TensorName& name, std::vector<float>& destination, uint64_t n, const Shard& shard) {
  add({full_name(name), {{n, 1, 1, 1}, 1}, Floats{&destination}, is_head_, 1, n, 1, shard});
}

void TensorTable::copy(const TensorName& name, std::vector<float>& destination, uint64_t n_rows, uint64_t n_cols,
                       const Shard& shard) {
  add({full_name(name), {{n_rows, n_cols, 1, 1}, 2}, Floats{&destination}, is_head_, 1, n_rows, n_cols, shard});
}

void TensorTable::experts(const TensorName& name, std::vector<Linear>& destination, uint64_t n_expert, uint64_t n_out,
                          uint64_t n_in, const Shard& shard) {
  if (file_.naming() == Naming::gguf)
    return stacked(name, destination, {.n_expert = n_expert, .n_out = n_out, .n_in = n_in}, shard);
  destination.resize(n_expert);
  const size_t number_at = name.hf.find("{}");
  OGAS_CHECK(number_at != std::string_view::npos, "'{}' has no {{}} for the expert's number", name.hf);
  for (uint64_t expert_idx = 0; expert_idx < n_expert; ++expert_idx) {
    std::string own(name.hf);
    own.replace(number_at, 2, std::to_string(expert_idx));
    add({hf_prefix_ + own,
         {{n_out, n_in, 1, 1}, 2},
         OfExpert{&destination, expert_idx},
         is_head_,
         1,
         n_out,
         n_in,
         shard});
  }
}

void TensorTable::stacked(const TensorName& name, std::vector<Linear>& destination, const ExpertStack& s,
                          const Shard& shard) {
  destination.resize(s.n_expert);
  const uint64_t n_rows = s.n_out * s.n_parts;
  const Shape shape =
      s.is_transposed ? Shape{{s.n_expert, s.n_in, n_rows, 1}, 3} : Shape{{s.n_expert, n_rows, s.n_in, 1}, 3};
  add({full_name(name), shape, Stacked{&destination, s, /*is_heads=*/false}, is_head_, s.n_expert, s.n_out, s.n_in,
       shard});
}

void TensorTable::heads(const TensorName& name, std::vector<Linear>& destination, const ExpertStack& s,
                        const Shard& shard) {
  destination.resize(s.n_expert);
  add({full_name(name),
       {{s.n_expert, s.n_out, s.n_in, 1}, 3},
       Stacked{&destination, s, /*is_heads=*/true},
       is_head_,
       s.n_expert,
       s.n_out,
       s.n_in,
       shard});
}

void TensorTable::stacked_bias(const TensorName& name, std::vector<float>& destination, const ExpertStack& s,
                               const Shard& shard) {
  add({full_name(name),
       {{s.n_expert, s.n_out * s.n_parts, 1, 1}, 2},
       Floats{&destination, s.part, s.n_parts},
       is_head_,
       s.n_expert,
       s.n_out,
       1,
       shard});
}

void TensorTable::ignore(const TensorName& name) {
  if (has(name)) add({.name = full_name(name), .shape = {}, .destination = {}, .is_head = is_head_});
}

Result<> TensorTable::bind_stack(const Stacked& stacked, const TensorInfo& tensor) {
  const ExpertStack& s = stacked.stack;
  const FormatFacts& format = facts_of(tensor.format);
  const uint64_t n_rows = s.n_out * s.n_parts;
  if (s.is_transposed && !is_plain(tensor.format))
    return fail(ErrorCode::unsupported,
                "tensor '{}' is {}; it is stored transposed, for which ogas reads F32, F16, BF16", tensor.name,
                format.name);
  for (uint64_t expert_idx = 0; expert_idx < s.n_expert; ++expert_idx) {
    const std::byte* own = tensor.data.data() + expert_idx * n_rows * format.bytes_for(s.n_in);
    const Linear whole = s.is_transposed ? Linear::transposed(tensor.format, own, n_rows, s.n_in)
                                         : as_linear(tensor, expert_idx * n_rows, n_rows, s.n_in);
    (*stacked.matrices)[expert_idx] =
        s.has_blocks ? whole.rows(s.part * s.n_out, s.n_out) : whole.every(s.n_parts, s.part);
  }
  return {};
}

Result<> TensorTable::bind_floats(const Floats& floats, const TensorInfo& tensor) {
  const FormatFacts& format = facts_of(tensor.format);
  if (!is_plain(tensor.format))
    return fail(ErrorCode::unsupported, "tensor '{}' is {}; a plain format (F32, F16, BF16) is expected", tensor.name,
                format.name);
  floats.values->resize(tensor.shape.n_values() / floats.n_parts);
  std::vector<float> all(tensor.shape.n_values());
  format.decode(tensor.data.data(), all.data(), all.size());
  for (size_t i = 0; i < floats.values->size(); ++i) (*floats.values)[i] = all[i * floats.n_parts + floats.part];
  return {};
}

Result<> TensorTable::bind_entry(const Entry& entry, const TensorInfo& tensor) {
  if (std::holds_alternative<std::monostate>(entry.destination)) return {};
  // What stays in the file's format stays in its rows, too.
  const bool is_copied = std::holds_alternative<Floats>(entry.destination);
  if (without_ones(tensor.shape) != without_ones(entry.shape) ||
      (!is_copied && row_length(tensor.shape) != row_length(entry.shape)))
    return fail(ErrorCode::bad_file, "tensor '{}' has shape {}; the metadata calls for {}", entry.name,
                tensor.shape.to_string(), entry.shape.to_string());
  const auto& dims = entry.shape.dims;
  if (const auto* matrix = std::get_if<Weights>(&entry.destination)) {
    *matrix->linear = as_linear(tensor, 0, dims[0], dims[1]);
  } else if (const auto* of_expert = std::get_if<OfExpert>(&entry.destination)) {
    (*of_expert->experts)[of_expert->expert_idx] = as_linear(tensor, 0, dims[0], dims[1]);
  } else if (const auto* stacked = std::get_if<Stacked>(&entry.destination)) {
    return bind_stack(*stacked, tensor);
  } else {
    return bind_floats(std::get<Floats>(entry.destination), tensor);
  }
  return {};
}

bool TensorTable::makes_logits(std::string_view name) const {
  return std::ranges::any_of(entries_, [&](const Entry& e) {
    const auto* matrix = std::get_if<Weights>(&e.destination);
    return matrix && matrix->role == Role::output && e.name == name;
  });
}

std::vector<Linear*> TensorTable::linears() const {
  std::vector<Linear*> all;
  for (const Entry& entry : entries_) {
    if (const auto* matrix = std::get_if<Weights>(&entry.destination))
      if (matrix->role != Role::embeddings || makes_logits(entry.name)) all.push_back(matrix->linear);
    if (const auto* one = std::get_if<OfExpert>(&entry.destination)) all.push_back(&(*one->experts)[one->expert_idx]);
    if (const auto* stacked = std::get_if<Stacked>(&entry.destination))
      for (Linear& matrix : *stacked->matrices) all.push_back(&matrix);
  }
  return all;
}

std::vector<TensorShard> TensorTable::shards() const {
  std::vector<TensorShard> all;
  for (const Entry& e : entries_)
    if (!std::holds_alternative<std::monostate>(e.destination))
      all.push_back({e.name, e.n_matrices, e.n_rows, e.n_cols, e.shard});
  return all;
}

std::vector<const Linear*> TensorTable::linears_of_token(uint32_t n_expert_used) const {
  std::vector<const Linear*> all;
  for (const Entry& entry : entries_) {
    if (entry.is_head) continue;
    if (const auto* matrix = std::get_if<Weights>(&entry.destination))
      if (matrix->role != Role::embeddings) all.push_back(matrix->linear);
    const auto* one = std::get_if<OfExpert>(&entry.destination);
    if (one && one->expert_idx < n_expert_used) all.push_back(&(*one->experts)[one->expert_idx]);
    if (const auto* stacked = std::get_if<Stacked>(&entry.destination))
      for (size_t idx = 0; idx < (stacked->is_heads ? stacked->matrices->size() : n_expert_used); ++idx)
        all.push_back(&(*stacked->matrices)[idx]);
  }
  return all;
}

bool TensorTable::is_expert(const Destination& destination) {
  const auto* stacked = std::get_if<Stacked>(&destination);
  return std::holds_alternative<OfExpert>(destination) || (stacked && !stacked->is_heads);
}

// Each tensor counts once for all entries that multiply with it.
void TensorTable::add_work() {
  std::set<std::string_view> counted;
  const auto count = [&](const Entry& entry, uint64_t& bytes, WeightCounts* weights) {
    if (!counted.insert(entry.name).second) return;
    const TensorInfo& tensor = *file_.find(entry.name);
    bytes += tensor.n_bytes();
    if (weights) (*weights)[static_cast<size_t>(weight_kind(tensor.format))] += tensor.shape.n_values();
  };
  for (const Entry& entry : entries_) {
    const Destination& destination = entry.destination;
    if (entry.is_head || std::holds_alternative<std::monostate>(destination)) continue;
    const auto* matrix = std::get_if<Weights>(&destination);
    if (matrix && matrix->role == Role::embeddings) {
      const TensorInfo& tensor = *file_.find(entry.name);
      work_.row_bytes += facts_of(tensor.format).bytes_for(entry.shape[1]);
    } else if (matrix && matrix->role == Role::output) {
      count(entry, work_.output_bytes, &work_.output_weights);
    } else if (is_expert(destination)) {
      count(entry, work_.expert_bytes, &work_.expert_weights);
    } else {
      count(entry, work_.n_bytes, std::holds_alternative<Floats>(destination) ? nullptr : &work_.weights);
    }
  }
}

Result<> TensorTable::bind() {
  std::set<std::string_view> bound;
  for (const Entry& entry : entries_) {
    const TensorInfo* tensor = file_.find(entry.name);
    if (!tensor) return fail(ErrorCode::bad_file, "tensor '{}' is missing", entry.name);
    OGAS_TRY(bind_entry(entry, *tensor));
    if (!bound.insert(tensor->name).second || std::holds_alternative<std::monostate>(entry.destination)) continue;
    const uint64_t n_values = tensor->shape.n_values();
    n_params_ += n_values;
    n_bytes_ += tensor->n_bytes();
    if (is_expert(entry.destination)) n_expert_params_ += n_values;
  }
  for (const auto& [name, tensor] : file_.tensors())
    if (!bound.contains(name))
      return fail(ErrorCode::unsupported,
                  "tensor {} {} is not one this architecture uses; running without it would give wrong answers",
                  in_quotes(name), tensor.shape.to_string());
  add_work();
  return {};
}

}  // namespace ogas
