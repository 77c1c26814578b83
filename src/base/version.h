// What this build is.
#pragma once

#include <string_view>

namespace ogas {

std::string_view version();  // "0.1.0"
std::string_view commit();  // the commit it was built from: "1c2d3e4f5a6b", with "-dirty" appended if files had changed

}  // namespace ogas
