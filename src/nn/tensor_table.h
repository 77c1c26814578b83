// The one list of what an architecture reads from its file: names, shapes and where each tensor goes. Binding,
// validation and the forecast of sizes all follow from it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "files/tensor_file.h"
#include "nn/linear.h"

namespace ogas {

class TensorTable {
 public:
  // A matrix [n_out, n_in] of any format, left where it is mapped.
  void linear(std::string name, Linear& destination, uint64_t n_out, uint64_t n_in) {
    entries_.push_back({std::move(name), {n_out, n_in}, &destination, nullptr});
  }
  // A short row of n numbers in a plain format (norm weights, frequency factors), copied out as floats.
  void vector(std::string name, std::vector<float>& destination, uint64_t n) {
    entries_.push_back({std::move(name), {n, 0}, nullptr, &destination});
  }

  // Fills every destination. Errors (bad_file): a tensor is missing or has another shape; (unsupported): a short row in
  // a block format, or the file holds a tensor that is not in the table: ignoring weights would give wrong answers.
  Result<> bind(const TensorFile& file);

  // After bind(): numbers in the bound tensors, and the bytes they take.
  uint64_t n_params() const { return n_params_; }
  uint64_t n_bytes() const { return n_bytes_; }

 private:
  struct Entry {
    std::string name;
    uint64_t dims[2];  // {n_out, n_in}, or {n, 0} for a vector
    Linear* linear;
    std::vector<float>* vector;
  };
  static Result<> bind_entry(const Entry& entry, const TensorInfo& tensor);

  std::vector<Entry> entries_;
  uint64_t n_params_ = 0;
  uint64_t n_bytes_ = 0;
};

}  // namespace ogas
