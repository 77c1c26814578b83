// The operations as their papers write them, in F32, one value at a time. Every other implementation is tested against
// this one, and `serial` figures in benchmarks are measured with it. Do not optimize.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <span>
#include <vector>

#include "base/check.h"
#include "kernels/implementations.h"
#include "kernels/read_row.h"
#include "quant/formats.h"
#include "quant/half.h"

namespace ogas {
namespace {

void quantize(const float* x, size_t n, const QuantizedRow& row) {
  for (size_t begin = 0; begin < n; begin += kActivationBlock) {
    float largest = 0;
    for (size_t i = begin; i < begin + kActivationBlock; ++i) largest = std::max(largest, std::fabs(x[i]));
    const float scale = largest / 127 < kSmallestScale ? 0 : largest / 127;
    const float inverse = scale == 0 ? 0 : 1 / scale;
    row.scales[begin / kActivationBlock] = scale;
    for (size_t i = begin; i < begin + kActivationBlock; ++i)
      row.codes[i] = static_cast<int8_t>(std::nearbyint(x[i] * inverse));
    int total = 0;
    for (size_t group = begin; group < begin + kActivationBlock; group += kSumGroup) {
      int sum = 0;
      for (size_t i = group; i < group + kSumGroup; ++i) sum += row.codes[i];
      row.minus_codes16[group / kSumGroup] = -sum;
      row.sums16[group / kSumGroup] = scale * static_cast<float>(sum);
      total += sum;
    }
    row.minus_codes32[begin / kActivationBlock] = -total;
    row.sums32[begin / kActivationBlock] = scale * static_cast<float>(total);
  }
}

void matmul(const MatmulArgs& args) {
  std::vector<float> row(args.n_in);
  for (size_t o = args.o_begin; o < args.o_end; ++o) {
    read_row(args, o, row);
    for (size_t t = 0; t < args.n_tokens; ++t) {
      float sum = 0;
      for (size_t i = 0; i < args.n_in; ++i) sum += row[i] * args.x[t * args.n_in + i];
      args.y[t * args.y_stride + o - args.o_begin] = sum;
    }
  }
}

void rms_norm(const float* x, const float* weight, float eps, size_t n, float* y) {
  float sum = 0;
  for (size_t i = 0; i < n; ++i) sum += x[i] * x[i];
  const float scale = 1 / std::sqrt(sum / static_cast<float>(n) + eps);
  for (size_t i = 0; i < n; ++i) y[i] = x[i] * scale * weight[i];
}

void rope(const RopeArgs& args) {
  const bool interleaved = args.style == RopeStyle::interleaved;
  for (size_t h = 0; h < args.n_heads; ++h) {
    float* x = args.x + h * args.head_stride;
    for (size_t j = 0; j < args.n_rot / 2; ++j) {
      float& a = x[interleaved ? 2 * j : j];
      float& b = x[interleaved ? 2 * j + 1 : j + args.n_rot / 2];
      const float cos = args.cos_sin[2 * j];
      const float sin = args.cos_sin[2 * j + 1];
      const float rotated = a * cos - b * sin;
      b = a * sin + b * cos;
      a = rotated;
    }
  }
}

// The values of one position's key or value.
void load_position(const AttendArgs& args, size_t p, size_t offset, size_t stride, std::span<float> out) {
  const FormatFacts& format = facts_of(args.kv_format);
  const std::byte* page = args.pages[p / args.page_size];
  format.decode(page + offset + (p % args.page_size) * stride, out.data(), out.size() / format.block_values);
}

void soft_cap(float* x, size_t n, float cap) {
  for (size_t i = 0; i < n; ++i) x[i] = cap * std::tanh(x[i] / cap);
}

void attend_row(const AttendArgs& args, size_t t, size_t h) {
  const size_t row = t * args.n_heads + h;
  const size_t begin = std::max(args.p_begin, args.first_seen(t)), end = std::min(args.p_end, args.end_seen(t));
  std::vector<float> key(args.k_dim), value(args.v_dim), scores;
  float* sums = args.sums + row * args.v_dim;
  std::fill_n(sums, args.v_dim, 0.0F);
  SoftmaxPart& part = args.parts[row] = {-INFINITY, 0};
  for (size_t p = begin; p < end; ++p) {
    load_position(args, p, args.k_offset, args.k_stride, key);
    float dot = 0;
    for (size_t d = 0; d < args.k_dim; ++d) dot += args.q[t * args.q_stride + h * args.k_dim + d] * key[d];
    scores.push_back(dot * args.scale);
    if (args.soft_cap > 0) soft_cap(&scores.back(), 1, args.soft_cap);
    part.largest = std::max(part.largest, scores.back());
  }
  for (size_t p = begin; p < end; ++p) {
    load_position(args, p, args.v_offset, args.v_stride, value);
    const float weight = std::exp(scores[p - begin] - part.largest);
    part.sum += weight;
    for (size_t d = 0; d < args.v_dim; ++d) sums[d] += weight * value[d];
  }
}

void attend(const AttendArgs& args) {
  for (size_t t = 0; t < args.n_tokens; ++t)
    for (size_t h = 0; h < args.n_heads; ++h) attend_row(args, t, h);
}

void merge(const MergeArgs& args) {
  const size_t n_rows = args.n_tokens * args.n_heads;
  for (size_t row = 0; row < n_rows; ++row) {
    const size_t t = row / args.n_heads, h = row % args.n_heads;
    float largest = args.sinks ? args.sinks[h] : -INFINITY;
    for (size_t part = 0; part < args.n_parts; ++part)
      largest = std::max(largest, args.parts[part * n_rows + row].largest);
    float sum = args.sinks ? std::exp(args.sinks[h] - largest) : 0;
    float* out = args.out + t * args.out_stride + h * args.v_dim;
    std::fill_n(out, args.v_dim, 0.0F);
    for (size_t part = 0; part < args.n_parts; ++part) {
      const size_t idx = part * n_rows + row;
      const float weight = std::exp(args.parts[idx].largest - largest);
      sum += weight * args.parts[idx].sum;
      for (size_t d = 0; d < args.v_dim; ++d) out[d] += weight * args.sums[idx * args.v_dim + d];
    }
    for (size_t d = 0; d < args.v_dim; ++d) out[d] /= sum;
  }
}

void hadamard(float* x, size_t n, size_t n_blocks) {
  const float scale = 1 / std::sqrt(static_cast<float>(n));
  std::vector<float> block(n);
  for (size_t b = 0; b < n_blocks; ++b, x += n) {
    for (size_t i = 0; i < n; ++i) {
      float sum = 0;
      for (size_t j = 0; j < n; ++j) sum += std::popcount(i & j) % 2 == 0 ? x[j] : -x[j];
      block[i] = sum * scale;
    }
    std::ranges::copy(block, x);
  }
}

void swiglu(float* gate, const float* up, size_t n) {
  for (size_t i = 0; i < n; ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
}

void swiglu_clamped(float* gate, const float* up, size_t n, const SwigluClamp& clamp) {
  for (size_t i = 0; i < n; ++i) {
    const float g = std::min(gate[i], clamp.limit);
    gate[i] = (std::clamp(up[i], -clamp.limit, clamp.limit) + 1) * g / (1 + std::exp(-clamp.alpha * g));
  }
}

void geglu(float* gate, const float* up, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const double x = gate[i];  // 1 + tanh loses most of its bits in F32
    const double gelu = x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x))) / 2;
    gate[i] = static_cast<float>(gelu * up[i]);
  }
}

void sigmoid_gate(float* y, const float* gate, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] /= 1 + std::exp(-gate[i]);
}

void short_conv(const ShortConvArgs& args) {
  for (size_t i = 0; i < args.n; ++i) {
    float sum = 0;
    for (size_t tap = 0; tap < args.n_taps; ++tap) sum += args.weight[tap * args.n + i] * args.x[tap][i];
    args.y[i] = sum / (1 + std::exp(-sum));
  }
}

void delta_rule(const DeltaRuleArgs& args) {
  for (size_t j = 0; j < args.v_dim; ++j) {
    float* row = args.state + j * args.k_dim;
    float known = 0;  // what the state holds for this key
    for (size_t d = 0; d < args.k_dim; ++d) known += (row[d] *= args.decay) * args.k[d];
    const float delta = args.beta * (args.v[j] - known);
    float out = 0;
    for (size_t d = 0; d < args.k_dim; ++d) out += (row[d] += delta * args.k[d]) * args.q[d];
    args.out[j] = out;
  }
}

void add(float* y, const float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] += x[i];
}

void store(const float* x, size_t n, Format format, std::byte* out) {
  if (format == Format::f32) {
    std::memcpy(out, x, n * sizeof *x);
    return;
  }
  if (format == Format::q8_0) return encode_blocks<Q8_0>(x, out, n / Q8_0::values);
  if (format == Format::q4_0) return encode_blocks<Q4_0>(x, out, n / Q4_0::values);
  OGAS_CHECK(format == Format::f16 || format == Format::bf16, "keys and values in {}", facts_of(format).name);
  for (size_t i = 0; i < n; ++i) {
    const uint16_t half = format == Format::f16 ? f32_to_f16(x[i]) : f32_to_bf16(x[i]);
    std::memcpy(out + i * sizeof half, &half, sizeof half);
  }
}

void set_all(CpuKernels& kernels) {
  kernels = {.quantize = quantize,
             .matmul_floats = matmul,
             .matmul_rows = [](const MatmulArgs& args, UnpackTile) { matmul(args); },
             .panel_bytes = [](Format, size_t) -> size_t { return 0; },
             .pack_panel = [](const PackArgs&) {},
             .read_panel_row = [](Format, const std::byte*, size_t, size_t, float*) {},
             .rms_norm = rms_norm,
             .rope = rope,
             .attend_rows_scratch = [](const AttendArgs&) -> size_t { return 0; },
             .attend_rows = attend,
             .merge = merge,
             .hadamard = hadamard,
             .swiglu = swiglu,
             .swiglu_clamped = swiglu_clamped,
             .geglu = geglu,
             .soft_cap = soft_cap,
             .sigmoid_gate = sigmoid_gate,
             .short_conv = short_conv,
             .delta_rule = delta_rule,
             .add = add,
             .store = store};
}

}  // namespace

const IsaKernels kReferenceKernels = {.name = "reference", .base = nullptr, .set = set_all};

}  // namespace ogas
