#include "measure/machine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/disk_probe.h"
#include "base/memory.h"
#include "base/quote.h"
#include "kernels/peak.h"

namespace ogas {
namespace {

using Clock = std::chrono::steady_clock;

// The best of some runs: a limit is the speed of the undisturbed machine.
template <class Function>
double best_rate(int n_runs, const Function& amount_done) {
  double best = 0;
  for (int run = 0; run < n_runs; ++run) {
    const auto start = Clock::now();
    const double amount = amount_done();
    best = std::max(best, amount / seconds_since(start));
  }
  return best;
}

Peak measure_peak(ThreadPool& pool, const PeakLoop& loop) {
  constexpr size_t kRounds = 200'000;  // a few hundred microseconds
  const size_t n_chunks = size_t{pool.size()} * 64;
  return {std::string(loop.name), best_rate(5, [&] {
            std::vector<double> done(n_chunks);
            pool.parallel_for(n_chunks, [&](size_t chunk, unsigned) { done[chunk] = loop.run(kRounds); });
            return done.front() * static_cast<double>(n_chunks);
          })};
}

}  // namespace

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Median median_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const auto at = [&](double share) {
    const double position = share * static_cast<double>(values.size() - 1);
    const auto low = static_cast<size_t>(position);
    const double high = values[std::min(low + 1, values.size() - 1)];
    return values[low] + (position - std::floor(position)) * (high - values[low]);
  };
  const double middle = at(0.5);
  return {middle, middle > 0 ? (at(0.75) - at(0.25)) / 2 / middle : 0};
}

double measure_read_bandwidth(ThreadPool& pool) {
  // Several times any cache that two cores use alone; written once so that pages are there.
  constexpr size_t kBytes = size_t{256} << 20, kPiece = size_t{1} << 20;
  const PageBuffer buffer(kBytes);
  buffer.prefer_huge_pages();
  pool.parallel_for(kBytes / kPiece, [&](size_t piece, unsigned) {
    std::memset(buffer.data() + piece * kPiece, static_cast<int>(piece), kPiece);
  });
  return measure_read_bandwidth(pool, {buffer.data(), kBytes});
}

double measure_read_bandwidth(ThreadPool& pool, std::span<const std::byte> bytes) {
  constexpr size_t kChunk = size_t{1} << 20;
  // The hardware's prefetcher needs help, more on some processors than on others (kernels/tuning.h).
  constexpr size_t kAhead[] = {256, 2048};
  const size_t n_chunks = bytes.size() / kChunk;
  std::vector<uint64_t> sums(n_chunks);
  const auto read_chunk = [&](size_t chunk, size_t ahead) {
    // Eight sums, so that additions do not wait for each other.
    uint64_t sum[8]{};
    const auto* words = reinterpret_cast<const uint64_t*>(bytes.data() + chunk * kChunk);
    for (size_t i = 0; i < kChunk / sizeof(uint64_t); i += 8) {
      __builtin_prefetch(words + i + ahead / sizeof(uint64_t));
      for (size_t lane = 0; lane < 8; ++lane) sum[lane] ^= words[i + lane];
    }
    for (const uint64_t part : sum) sums[chunk] += part;
    asm volatile("" : : "r"(sums.data()) : "memory");
  };
  double best = 0;
  for (const size_t ahead : kAhead)
    best = std::max(best, best_rate(3, [&] {
                      pool.parallel_for(n_chunks, [&](size_t chunk, unsigned) { read_chunk(chunk, ahead); });
                      return static_cast<double>(n_chunks * kChunk);
                    }));
  return best;
}

std::array<Peak, kWeightKinds> measure_product_peaks(ThreadPool& pool, std::string_view isa) {
  std::array<Peak, kWeightKinds> peaks;
  for (size_t idx = kWeightKinds; idx-- > 0;) {
    const PeakLoop loop = peak_loop(static_cast<WeightKind>(idx), isa);
    const bool is_known = idx + 1 < kWeightKinds && peaks[idx + 1].instruction == loop.name;
    peaks[idx] = is_known ? peaks[idx + 1] : measure_peak(pool, loop);
    // If integers are slower, weights could be unpacked to floats instead.
    if (peaks[idx].kernels < peaks.back().kernels) peaks[idx] = peaks.back();
  }
  return peaks;
}

Result<double> measure_disk(const std::filesystem::path& path) {
  const DiskCurve curve = OGAS_TRY(measure_disk_curve(path));
  if (!curve.is_direct)
    return fail(ErrorCode::unsupported, "{}: the file system reads through the page cache only",
                in_quotes(path.string()));
  return std::ranges::max(curve.rates, {}, &DiskRate::bytes_per_second).bytes_per_second;
}

}  // namespace ogas
