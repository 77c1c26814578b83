#include "base/disk_probe.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <tuple>

#include "base/check.h"
#include "base/memory.h"
#include "base/quote.h"

namespace ogas {
namespace {

using Clock = std::chrono::steady_clock;

// The most promising size first: on a slow disk the time may run out.
constexpr size_t kPieceBytes[] = {size_t{512} << 10, size_t{2} << 20, size_t{128} << 10};
constexpr size_t kMaxBytesInFlight = size_t{16} << 20;
constexpr unsigned kMaxDepth = 64;
constexpr double kSeconds = 0.45, kSecondsEach = 0.025;  // the rest of half a second is for reads still in flight
constexpr double kGain = 1.05;                           // less is noise

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class DiskProbe {
 public:
  explicit DiskProbe(std::unique_ptr<DirectReader> reader)
      : buffers_(kMaxBytesInFlight), reader_(std::move(reader)), random_(std::random_device()()) {
    reader_->register_memory({buffers_.data(), buffers_.size()});
  }

  // Bytes a second. The queue is full from before the clock starts until it stops.
  Result<double> measure(size_t piece_bytes, unsigned depth) {
    if (piece_bytes != piece_bytes_ || depth < n_in_flight_) OGAS_TRY(drain());
    piece_bytes_ = piece_bytes;
    while (n_in_flight_ < depth) submit(n_in_flight_++);
    OGAS_TRY(replace_one());
    const auto start = Clock::now();
    size_t n = 0;
    double seconds = 0;
    for (; seconds < kSecondsEach; seconds = seconds_since(start), ++n) OGAS_TRY(replace_one());
    return static_cast<double>(n * piece_bytes) / seconds;
  }

 private:
  void submit(uint64_t slot) {
    const uint64_t n_offsets = (reader_->size(0) - piece_bytes_) / DirectReader::kBlock + 1;
    const uint64_t offset = random_() % n_offsets * DirectReader::kBlock;
    const size_t step = DirectReader::buffer_bytes(0, piece_bytes_);
    reader_->submit({0, offset, piece_bytes_, buffers_.data() + slot * step, slot});
  }

  Result<> replace_one() {
    const auto done = reader_->wait();
    OGAS_TRY(done.result);
    submit(done.tag);
    return {};
  }

  Result<> drain() {
    for (; n_in_flight_ > 0; --n_in_flight_) OGAS_TRY(reader_->wait().result);
    return {};
  }

  PageBuffer buffers_;
  std::unique_ptr<DirectReader> reader_;  // destroyed first: it waits for reads into the buffers
  std::mt19937_64 random_;
  size_t piece_bytes_ = 0;  // of the reads in flight
  unsigned n_in_flight_ = 0;
};

}  // namespace

DiskRate choose_rate(std::span<const DiskRate> rates) {
  OGAS_CHECK(!rates.empty());
  const double fastest = std::ranges::max(rates, {}, &DiskRate::bytes_per_second).bytes_per_second;
  const auto order = [&](const DiskRate& rate) {
    return std::tuple(rate.bytes_per_second * kGain < fastest, rate.piece_bytes * rate.depth, rate.depth);
  };
  return std::ranges::min(rates, {}, order);
}

Result<DiskCurve> measure_disk_curve(const std::filesystem::path& path, DirectReader::Backend backend) {
  const auto start = Clock::now();
  auto reader = OGAS_TRY(
      DirectReader::create({.backend = backend, .depth = kMaxDepth, .piece_bytes = std::ranges::max(kPieceBytes)}));
  OGAS_TRY(reader->open(path));
  const uint64_t size = reader->size(0);
  if (size == 0)
    return fail(ErrorCode::bad_file, "{}: empty, so that no disk can be measured with it", in_quotes(path.string()));
  const unsigned max_depth = reader->depth();
  DiskCurve curve{.rates = {}, .best = {}, .is_direct = reader->is_direct(0), .backend = reader->backend()};
  DiskProbe probe(std::move(reader));
  for (const size_t piece_bytes : kPieceBytes) {
    double fastest = 0;
    int n_without_gain = 0;
    for (unsigned depth = 1; depth <= max_depth && piece_bytes * depth <= kMaxBytesInFlight; depth *= 2) {
      if (!curve.rates.empty() && seconds_since(start) + kSecondsEach > kSeconds) break;
      const double rate = OGAS_TRY(probe.measure(std::min<uint64_t>(piece_bytes, size), depth));
      curve.rates.push_back({piece_bytes, depth, rate});
      // A single slow measurement may be due to another process on the disk or the CPU.
      n_without_gain = rate < fastest * kGain ? n_without_gain + 1 : 0;
      if (n_without_gain == 2) break;
      fastest = std::max(fastest, rate);
    }
  }
  curve.best = choose_rate(curve.rates);
  return curve;
}

DirectReader::Options reader_options(const DiskCurve& curve, double seconds_between_polls) {
  const DiskRate& best = curve.best;
  const double n_meanwhile = best.bytes_per_second * seconds_between_polls / static_cast<double>(best.piece_bytes);
  const double depth = std::clamp<double>(std::ceil(n_meanwhile), best.depth, DirectReader::kMaxDepth);
  return {.backend = curve.backend, .depth = static_cast<unsigned>(depth), .piece_bytes = best.piece_bytes};
}

}  // namespace ogas
