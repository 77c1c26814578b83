// The limits of this machine, with which measured speeds are compared.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "quant/format.h"

namespace ogas {

double seconds_since(std::chrono::steady_clock::time_point start);

// Middle value, and half the distance between the quartiles as a share of it.
struct Median {
  double value = 0, spread = 0;
};
Median median_of(std::vector<double> values);

// Bytes a second read from memory by all threads of the pool together.
double measure_read_bandwidth(ThreadPool& pool);
// The same for these bytes, in place; they must be several times as large as any cache for the result to be the
// memory's.
double measure_read_bandwidth(ThreadPool& pool, std::span<const std::byte> bytes);

struct Peak {
  std::string instruction;
  double kernels = 0;  // a second, on all threads together
};
// The peak of products with weights of each WeightKind, with an instruction set (CpuKernels::name): what the cores
// could do if only these products and their sums had to be computed.
std::array<Peak, kWeightKinds> measure_product_peaks(ThreadPool& pool, std::string_view isa);

// Bytes a second from the disk with this file, by direct I/O with the best size and depth. Errors: those of
// measure_disk_curve(); unsupported if the file system has no direct I/O.
Result<double> measure_disk(const std::filesystem::path& file);

}  // namespace ogas
