#include "ops/kv_view.h"

#include <algorithm>
#include <iterator>

#include "kernels/cpu_kernels.h"

namespace ogas {

bool is_kv_format(Format format) { return std::ranges::find(kKvFormats, format) != std::end(kKvFormats); }

}  // namespace ogas
