#include "kernels/cpu_kernels.h"

namespace ogas {

void CpuKernels::matmul(const MatmulArgs& args) const {
  const bool has_blocks = facts_of(args.format).block_values > 1;
  if (args.format == Format::bf16 && matmul_bf16 && args.n_columns == 0 && !args.keeps_x) return matmul_bf16(args);
  if (!has_blocks) return matmul_floats(args);
  if (args.panels && args.bf16) return matmul_tiles(args);
  if (args.panels && args.quantized) return matmul_panels(args);
  if (args.quantized) return matmul_rows(args, unpack_tile);
  matmul_floats(args);
}

size_t CpuKernels::attend_scratch(const AttendArgs& args) const {
  return args.by_tiles ? attend_tiles_scratch(args) : attend_rows_scratch(args);
}

void CpuKernels::attend(const AttendArgs& args) const { args.by_tiles ? attend_tiles(args) : attend_rows(args); }

}  // namespace ogas
