// What a forward pass runs on: a device, memory for intermediate results, and the other ranks.
#pragma once

#include "ops/comm.h"
#include "ops/device.h"
#include "ops/scratch.h"

namespace ogas {

struct Exec {
  Device& device;
  Scratch& scratch;  // the device's
  Comm& comm;
};

}  // namespace ogas
