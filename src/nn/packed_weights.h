// Linear layers' weights as the panels that an instruction set multiplies fastest (kernels/panels.h), made while a
// model is loaded. What has no panels stays where it is mapped.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "ops/linear.h"

namespace ogas {

class PackedWeights {
 public:
  // How the bytes of a mapped file come and go; called from all threads.
  struct Mapping {
    std::function<Result<>(std::span<const std::byte>)> read;
    std::function<void(std::span<const std::byte>)> release;
  };
  // Bytes read since the last call; on the thread that packs. An error ends it.
  using Progress = std::function<Result<>(uint64_t n_bytes)>;

  PackedWeights() = default;
  enum class Others : uint8_t { mapped, copied };
  // Space for the panels of those of these layers that have any, and for copies of the others where they are to be
  // copied; then also of the rows that some keep in addition to their panels. The layers must stay where they are.
  PackedWeights(const CpuKernels& kernels, std::span<Linear* const> linears, Others others = Others::mapped);

  // Bytes of the panels and copies, and of the rows they are made of.
  uint64_t n_bytes() const { return n_bytes_; }
  uint64_t n_stored_bytes() const { return n_stored_bytes_; }
  std::span<const std::byte> panels() const { return {panels_.data(), panels_.size()}; }
  // Whether all of these mapped bytes become panels.
  bool replaces(std::span<const std::byte> stored) const;

  // Makes all panels, in the order of the file, and has the layers use them. About a megabyte for each thread is mapped
  // at a time. Errors: those of mapping.read and of progress; the layers are then to be given up.
  Result<> pack(ThreadPool& pool, const Mapping& mapping, const Progress& progress);

 private:
  struct Item {
    std::vector<Linear*> linears;       // the same rows
    std::span<const std::byte> stored;  // where they are mapped
    uint64_t offset;                    // of its panels, or of its copy
    bool has_panels;
    uint64_t rows_offset = 0;  // of a copy of its rows in addition to its panels
    bool copies_rows = false;
  };
  Result<> pack_item(ThreadPool& pool, const Item& item, const Mapping& mapping, const Progress& progress) const;

  CpuKernels kernels_;
  std::vector<Item> items_;  // by address
  uint64_t n_bytes_ = 0, n_stored_bytes_ = 0;
  PageBuffer panels_;
};

}  // namespace ogas
