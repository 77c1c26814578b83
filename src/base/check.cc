#include "base/check.h"

namespace ogas::detail {

void check_failed(const char* file, int line, const char* condition, const std::string& text) {
  fmt::print(stderr, "ogas: internal error at {}:{}: {} does not hold{}{}\n", file, line, condition,
             text.empty() ? "" : ": ", text);
  std::abort();
}

}  // namespace ogas::detail
