#include "base/topology.h"

#include <gtest/gtest.h>
#include <hwloc.h>
#include <sched.h>
#include <sys/mman.h>

#include <cstring>
#include <thread>

namespace ogas {
namespace {

Topology of_machine(const char* description) {
  hwloc_topology_t topology = nullptr;
  EXPECT_EQ(hwloc_topology_init(&topology), 0);
  EXPECT_EQ(hwloc_topology_set_synthetic(topology, description), 0);
  EXPECT_EQ(hwloc_topology_load(topology), 0);
  const Topology summary = summarize(topology);
  hwloc_topology_destroy(topology);
  return summary;
}

TEST(Topology, CountsCoresAndNodes) {
  const Topology desktop = of_machine("package:1 core:8 pu:2");
  EXPECT_EQ(desktop.n_cores, 8U);
  EXPECT_EQ(desktop.n_nodes, 1U);
  const Topology server = of_machine("package:2 [numa] core:12 pu:1");
  EXPECT_EQ(server.n_cores, 24U);
  EXPECT_EQ(server.n_nodes, 2U);
  EXPECT_EQ(of_machine("pu:4").n_cores, 4U);
}

TEST(Topology, StaysWithinTheAffinityMask) {
  std::thread([] {
    cpu_set_t all, one;
    ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
    const Topology before = read_topology();
    EXPECT_GE(before.n_cores, 1U);
    EXPECT_LE(before.n_cores, static_cast<unsigned>(CPU_COUNT(&all)));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
      if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(read_topology().n_cores, 1U);
  }).join();
}

TEST(Topology, SpreadingLeavesMemoryUsable) {
  constexpr size_t kSize = 1 << 20;
  void* data = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(data, MAP_FAILED);
  spread_over_nodes(data, kSize);
  std::memset(data, 1, kSize);
  ::munmap(data, kSize);
}

}  // namespace
}  // namespace ogas
