// The cores and the memory nodes this process may use (hwloc).
#pragma once

#include <cstddef>

struct hwloc_topology;

namespace ogas {

struct Topology {
  // Cores, not hardware threads: two threads of a core share its units and its memory path, and gain nothing here.
  // Efficiency cores count: chunks are handed out one by one, so each core takes as many as it can.
  unsigned n_cores = 1;
  unsigned n_nodes = 1;  // memory nodes (NUMA) of these cores
};

// Within the affinity mask of the calling thread. If the system does not tell: one node, and a core per hardware
// thread.
Topology read_topology();
// The same for a loaded topology, within its root's allowed set.
Topology summarize(hwloc_topology* topology);

// Interleaves a range that is not touched yet page by page over the memory nodes of these cores, so that all threads
// read with the bandwidth of all nodes. Does nothing with one node, or if the system refuses.
void spread_over_nodes(void* data, size_t size);

}  // namespace ogas
