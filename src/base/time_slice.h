// How long the kernel lets a thread run before it looks at the others that want the core.
#pragma once

namespace ogas {

// The calling thread, and those it starts, are to run in the shortest turns there are, which is also to be given the
// core soon when they want it. Their share of the core stays the same. A step of a model is finished when the last
// thread has done its part: beside a busy program on each core of two, threads that take short turns decode a seventh
// faster. Linux 6.12 and later; nothing happens elsewhere, nor to a thread of a real-time class. Whether the kernel
// took it.
bool ask_for_short_time_slices();

}  // namespace ogas
