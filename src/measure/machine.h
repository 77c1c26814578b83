// What this machine could do at most: the limits that measured speeds stand beside.
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
// The same of these bytes, from where they lie; several times any cache, if it is to be the memory's.
double measure_read_bandwidth(ThreadPool& pool, std::span<const std::byte> bytes);

struct Peak {
  std::string instruction;
  double ops = 0;  // a second, on all threads together
};
// Of products with weights of each WeightKind, by an instruction set (Ops::name): what its cores could do if nothing
// but these products and their sums had to be computed.
std::array<Peak, kWeightKinds> measure_product_peaks(ThreadPool& pool, std::string_view isa);

// Bytes a second from the disk that holds this file, around the page cache, in the way it likes best. Errors: those of
// measure_disk_curve(); unsupported where the file system cannot read around it.
Result<double> measure_disk(const std::filesystem::path& file);

}  // namespace ogas
