#include "cli/report/npy.h"

#include <fmt/format.h>

namespace ogas::cli {

std::string npy_header(uint64_t n_rows, uint64_t n_cols) {
  std::string dict = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", n_rows, n_cols);
  // Magic, version and length are 10 bytes; the whole is padded to a multiple of 64 and ends in a newline.
  dict.append(63 - (10 + dict.size()) % 64, ' ');
  dict += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dict.size() & 255);
  header += static_cast<char>(dict.size() >> 8);
  return header + dict;
}

}  // namespace ogas::cli
