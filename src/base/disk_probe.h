// How a disk wants to be asked: its speed by the size of reads and by how many it is given at a time.
//
// Measured on the file that is to be read, at random places and past the page cache, in half a second. Where the system
// or the disk itself holds parts of the file in a cache of their own, that counts as the disk's speed.
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

// What keeps the fewest bytes on their way, of all that come within 5% of the quickest: nothing waits longer than it
// must behind what was asked for before. Of equals the larger pieces, which cost the processor less. rates: not empty.
DiskRate choose_rate(std::span<const DiskRate> rates);

// For a reader of this disk whose poll() is called every so many seconds: the best rate, and deep enough for the disk
// to have work meanwhile.
DirectReader::Options reader_options(const DiskCurve& curve, double seconds_between_polls);

}  // namespace ogas
