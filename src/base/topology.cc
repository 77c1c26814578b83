#include "base/topology.h"

#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <memory>
#include <thread>

namespace ogas {
namespace {

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using TopologyHandle = std::unique_ptr<hwloc_topology, Destroy>;

// This machine's topology, restricted to where this thread may run. Without caches and devices, which takes a tenth of
// the time. Null if the system does not tell.
TopologyHandle load_topology() {
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) return nullptr;
  TopologyHandle handle(topology);
  hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_type_filter(topology, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
  if (hwloc_topology_load(topology) != 0) return nullptr;
  hwloc_cpuset_t allowed = hwloc_bitmap_alloc();
  const bool is_known = hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_THREAD) == 0;
  if (is_known) hwloc_topology_restrict(topology, allowed, HWLOC_RESTRICT_FLAG_REMOVE_CPULESS);
  hwloc_bitmap_free(allowed);
  return is_known ? std::move(handle) : nullptr;
}

unsigned count(hwloc_topology_t topology, hwloc_obj_type_t type) {
  const int n = hwloc_get_nbobjs_by_type(topology, type);
  return n > 0 ? static_cast<unsigned>(n) : 0;
}

unsigned n_hardware_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1U, static_cast<unsigned>(CPU_COUNT(&set)));
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Topology summarize(hwloc_topology* topology) {
  const unsigned n_cores = count(topology, HWLOC_OBJ_CORE);
  return {.n_cores = std::max(1U, n_cores > 0 ? n_cores : count(topology, HWLOC_OBJ_PU)),
          .n_nodes = std::max(1U, count(topology, HWLOC_OBJ_NUMANODE))};
}

Topology read_topology() {
  const TopologyHandle topology = load_topology();
  return topology ? summarize(topology.get()) : Topology{.n_cores = n_hardware_threads()};
}

void spread_over_nodes(void* data, size_t size) {
  const TopologyHandle topology = load_topology();
  if (!topology || size == 0 || summarize(topology.get()).n_nodes == 1) return;
  hwloc_set_area_membind(topology.get(), data, size, hwloc_topology_get_topology_nodeset(topology.get()),
                         HWLOC_MEMBIND_INTERLEAVE, HWLOC_MEMBIND_BYNODESET);
}

}  // namespace ogas
