// Measures a disk: its speed by read size and queue depth.
//
// Measured on the file that is to be read, at random offsets and with direct I/O, in half a second. If the system or
// the disk has cached parts of the file, that counts as the disk's speed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "base/direct_reader.h"
#include "base/result.h"

namespace ogas {

struct DiskRate {
  size_t piece_bytes;  // of each read
  unsigned depth;      // reads at a time
  double bytes_per_second;
};

struct DiskCurve {
  std::vector<DiskRate> rates;  // of each size from depth 1 on, until deeper queues gain nothing
  DiskRate best;                // see choose_rate()
  bool is_direct;               // false: the page cache's speed rather than the disk's
  DirectReader::Backend backend;
};

// Errors: those of DirectReader; bad_file for an empty file.
Result<DiskCurve> measure_disk_curve(const std::filesystem::path& file,
                                     DirectReader::Backend backend = DirectReader::Backend::automatic);

// The rate with the fewest bytes in flight among those within 5% of the fastest, so that a new read waits as little as
// possible for earlier ones. Among equals the larger pieces, which cost less CPU time. rates: not empty.
DiskRate choose_rate(std::span<const DiskRate> rates);

// Options for a reader of this disk whose poll() is called at this interval: the best rate, with a queue deep enough to
// keep the disk busy between polls.
DirectReader::Options reader_options(const DiskCurve& curve, double seconds_between_polls);

}  // namespace ogas
