// Whether this process may use Intel's matrix tiles (AMX-BF16: Sapphire Rapids and later).
#pragma once

namespace ogas {

// Requests them from the kernel the first time (Linux, Documentation/arch/x86/xstate.rst); all threads have them then.
// False on CPUs and kernels without.
bool may_use_amx();

}  // namespace ogas
