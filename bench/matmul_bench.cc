// How close the matrix products of each instruction set come to the limits of one core, on one thread.
//
//   matmul_bench [--isa NAME] [--format NAME] [--n-in N] [--n-out N] [--tokens N] [--kind prompt|generated]
//
// One token: bytes of weights a second, from memory, as a share of what the same thread reads without computing. More:
// operations a second as a share of the peak of the widest 8-bit dot product this CPU has (measure/machine.h).
// Formats that have panels are read from them. Figures are the best of several rounds.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory.h"
#include "kernels/dispatch.h"
#include "measure/machine.h"
#include "ops/linear.h"
#include "synth/random_blocks.h"

namespace {

using namespace ogas;

constexpr size_t kMaxTokens = 512;
constexpr double kSecondsOfRound = 0.05;
constexpr int kRounds = 5;

struct Options {
  std::string_view isa, format;
  size_t n_in = 4096, n_out = 4096;
  std::vector<size_t> token_counts = {1, 2, 4, 6, 8, 12, 16, 24, 32, 64, 128, kMaxTokens};
  RowKind kind = RowKind::prefill;
};

// Enough layers that a pass over their rows does not fit into any cache; rows of a chunk.
constexpr size_t kWeightBytes = size_t{96} << 20, kRowsTogether = 256;

class Subject {
 public:
  Subject(const CpuKernels& kernels, const FormatFacts& facts, size_t n_in, size_t n_out, RowKind kind)
      : kernels_(kernels), n_in_(n_in), n_out_(kWeightBytes / facts.bytes_for(n_in) / n_out * n_out) {
    bytes_ = PageBuffer(n_out_ * facts.bytes_for(n_in));
    RandomBlocks(facts.format, 0.02F).fill({bytes_.data(), n_out_ * facts.bytes_for(n_in)}, 1);
    linear_ = Linear(facts.format, bytes_.data(), n_out_, n_in);
    if (const uint64_t n = linear_.panel_bytes(kernels); n > 0) {
      panels_ = PageBuffer(n);
      panels_.prefer_huge_pages();
      for (size_t panel = 0; panel < linear_.n_panels(kernels); ++panel)
        linear_.pack_panel(kernels, panel, panels_.data());
      linear_.use_panels(panels_.data());
    }
    x_ = Activations(kMaxTokens, n_in);
    y_ = Matrix(kMaxTokens, n_out);
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    for (size_t t = 0; t < kMaxTokens; ++t) {
      for (float& value : std::span(x_.write(t, 1).row(t), n_in)) value = normal(random);
      x_.quantize_row(kernels, t, kind);
    }
  }

  bool has_panels() const { return panels_.size() > 0; }
  // Rows a second, all of them again and again for some time.
  double rows_per_second(size_t n_tokens) const {
    double best = 0;
    for (int round = 0; round < kRounds; ++round) {
      const auto start = std::chrono::steady_clock::now();
      size_t n_rows = 0;
      double seconds = 0;
      for (size_t row = 0; seconds < kSecondsOfRound; row = (row + kRowsTogether) % n_out_) {
        const size_t first = row / y_.n_cols() * y_.n_cols();
        const Linear layer = linear_.rows(first, y_.n_cols());
        MatmulCall{layer, x_, 0, n_tokens, row - first, row - first + kRowsTogether}.run(kernels_, y_);
        n_rows += kRowsTogether;
        seconds = seconds_since(start);
      }
      best = std::max(best, static_cast<double>(n_rows) / seconds);
    }
    return best;
  }

 private:
  const CpuKernels& kernels_;
  size_t n_in_, n_out_;
  PageBuffer bytes_, panels_;
  Linear linear_;
  Activations x_;
  Matrix y_;
};

void measure(const CpuKernels& kernels, const Options& options, double bandwidth, double peak) {
  for (const FormatFacts& facts : all_formats()) {
    if (!options.format.empty() && facts.name != options.format) continue;
    if (!has_random_blocks(facts.format)) continue;
    if (options.format.empty() && (facts.block_values == 1 || options.n_in % facts.block_values != 0)) continue;
    const Subject subject(kernels, facts, options.n_in, options.n_out, options.kind);
    std::string line =
        fmt::format("{:<12} {:<9}{}", kernels.name, facts.name, subject.has_panels() ? " panels" : "       ");
    for (const size_t n_tokens : options.token_counts) {
      const double rows = subject.rows_per_second(n_tokens);
      const double share = n_tokens == 1 ? rows * static_cast<double>(facts.bytes_for(options.n_in)) / bandwidth
                                         : rows * 2 * static_cast<double>(options.n_in * n_tokens) / peak;
      line += fmt::format("  {:5.1f}%", 100 * share);
    }
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int idx = 1; idx < argc; idx += 2) {
    const std::string_view name = argv[idx];
    const char* value = idx + 1 < argc ? argv[idx + 1] : "";
    if (name == "--isa") {
      options.isa = value;
    } else if (name == "--format") {
      options.format = value;
    } else if (name == "--n-in") {
      options.n_in = std::stoul(value);
    } else if (name == "--n-out") {
      options.n_out = std::max(std::stoul(value) / kRowsTogether, size_t{1}) * kRowsTogether;
    } else if (name == "--tokens") {
      options.token_counts = {std::clamp<size_t>(std::stoul(value), 1, kMaxTokens)};
    } else if (name == "--kind") {
      options.kind = value == std::string_view("generated") ? RowKind::decode : RowKind::prefill;
    } else {
      fmt::print(stderr, "matmul_bench: there is no option {}\n", name);
      return 2;
    }
  }
  ThreadPool pool(1);
  const double bandwidth = measure_read_bandwidth(pool);
  const Peak peak = measure_product_peaks(pool, available_kernels().front()->name).front();
  fmt::print("one thread: {:.1f} GB/s, {:.1f} GOP/s ({}); {} inputs, {} outputs\n", bandwidth / 1e9, peak.kernels / 1e9,
             peak.instruction, options.n_in, options.n_out);
  fmt::print("{:<29}", "tokens");
  for (const size_t n_tokens : options.token_counts) fmt::print("  {:>6}", n_tokens);
  fmt::print("\n");
  for (const CpuKernels* kernels : available_kernels())
    if (options.isa.empty() ? kernels->quantizes_activations : kernels->name == options.isa)
      measure(*kernels, options, bandwidth, peak.kernels);
}
