#include "synth/random_blocks.h"

#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "quant/half.h"

namespace ogas {
namespace {

// SplitMix64 (Steele et al. 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
  }
  float symmetric() { return static_cast<float>(static_cast<int64_t>(next()) >> 40) * 0x1p-23F; }  // [-1, 1)

 private:
  uint64_t state_;
};

void put_half(std::byte* at, float value) {
  const uint16_t bits = f32_to_f16(value);
  std::memcpy(at, &bits, sizeof bits);
}

// d of random sign, since codes that reach further down than up have a mean.
void put_signed_half(std::byte* at, float d, uint64_t bits) { put_half(at, (bits & 1) != 0 ? d : -d); }

// d, dmin and the 12 packed bytes of Q4_K and Q5_K: scales 32..63, each group's minimum its scale, and dmin such that
// the codes' middle is zero.
void put_k_header(std::byte* block, float d, float middle, uint64_t bits) {
  put_half(block, d);
  put_half(block + 2, d * middle);
  for (size_t g = 0; g < 4; ++g) {
    const auto low = static_cast<unsigned>(32 | (bits >> 10 * g & 31));
    const auto high = static_cast<unsigned>(32 | (bits >> (10 * g + 5) & 31));
    block[4 + g] = static_cast<std::byte>(low | high >> 4 << 6);
    block[8 + g] = block[4 + g];
    block[12 + g] = static_cast<std::byte>((high & 15) * 17);
  }
}

// The fields of one block whose bytes are random.
void put_fields(Format format, std::byte* block, float d, uint64_t bits) {
  switch (format) {
    case Format::q8_0:
      // No quantizer writes -128, and kernels may rely on that.
      for (size_t i = 2; i < 34; ++i)
        if (block[i] == std::byte{0x80}) block[i] = std::byte{0};
      [[fallthrough]];
    case Format::q4_0:
    case Format::q5_0:
    case Format::iq4_nl:
    case Format::iq4_xs: return put_signed_half(block, d, bits);
    case Format::q4_1: return put_half(block, d), put_half(block + 2, -7.5F * d);
    case Format::q5_1: return put_half(block, d), put_half(block + 2, -15.5F * d);
    case Format::q2_k:
      for (size_t g = 0; g < 16; ++g)
        block[g] = static_cast<std::byte>((8 | (static_cast<unsigned>(block[g]) & 7)) * 17);
      return put_half(block + 80, d), put_half(block + 82, 1.5F * d);
    case Format::q3_k: return put_signed_half(block + 108, d, bits);
    case Format::q4_k: return put_k_header(block, d, 7.5F, bits);
    case Format::q5_k: return put_k_header(block, d, 15.5F, bits);
    case Format::q6_k:
      for (size_t g = 192; g < 208; ++g) {
        const auto byte = static_cast<unsigned>(block[g]);
        const int size = static_cast<int>(32 | (byte & 31));
        block[g] = static_cast<std::byte>(byte >= 128 ? -size : size);
      }
      return put_half(block + 208, d);
    default: OGAS_CHECK(false, "no random blocks of {}", facts_of(format).name);
  }
}

void fill_plain(Format format, std::span<std::byte> out, float width, Random& random) {
  const size_t size = facts_of(format).block_bytes;
  for (size_t at = 0; at < out.size(); at += size) {
    const float value = width * random.symmetric();
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if (format == Format::bf16) bits >>= 16;
    if (format == Format::f16) bits = f32_to_f16(value);
    std::memcpy(out.data() + at, &bits, size);
  }
}

// Random bits, and fields such that d is the scale.
void fill_blocks(Format format, std::span<std::byte> blocks, float d, Random& random) {
  const size_t n_whole = blocks.size() / 8 * 8;
  for (size_t at = 0; at < n_whole; at += 8) {
    const uint64_t bits = random.next();
    std::memcpy(blocks.data() + at, &bits, sizeof bits);
  }
  const uint64_t last = random.next();
  std::memcpy(blocks.data() + n_whole, &last, blocks.size() - n_whole);
  const size_t block_bytes = facts_of(format).block_bytes;
  for (size_t at = 0; at < blocks.size(); at += block_bytes) put_fields(format, blocks.data() + at, d, random.next());
}

// What d = 1 gives, measured on enough blocks that a thousandth is right; once for each format.
float deviation_of_unit(Format format) {
  static std::mutex mutex;
  static std::map<Format, float> known;
  const std::lock_guard lock(mutex);
  const auto [entry, is_new] = known.try_emplace(format);
  if (!is_new) return entry->second;
  const FormatFacts& facts = facts_of(format);
  constexpr size_t kValues = 1 << 18;
  std::vector<std::byte> blocks(facts.bytes_for(kValues));
  std::vector<float> values(kValues);
  Random random(1);
  fill_blocks(format, blocks, 1, random);
  facts.decode(blocks.data(), values.data(), kValues / facts.block_values);
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return entry->second = static_cast<float>(std::sqrt(sum / kValues));
}

}  // namespace

uint64_t mix_seeds(uint64_t seed, uint64_t stream) { return Random(Random(seed).next() ^ stream).next(); }

bool has_random_blocks(Format format) {
  switch (format) {
    case Format::q4_0:
    case Format::q4_1:
    case Format::q5_0:
    case Format::q5_1:
    case Format::q8_0:
    case Format::q2_k:
    case Format::q3_k:
    case Format::q4_k:
    case Format::q5_k:
    case Format::q6_k:
    case Format::iq4_nl:
    case Format::iq4_xs: return true;
    default: return is_plain(format);
  }
}

RandomBlocks::RandomBlocks(Format format, float deviation) : format_(format) {
  if (is_plain(format)) {
    scale_ = deviation * std::sqrt(3.0F);
    return;
  }
  scale_ = deviation / deviation_of_unit(format);
}

void RandomBlocks::fill(std::span<std::byte> blocks, uint64_t seed) const {
  Random random(seed);
  if (is_plain(format_)) return fill_plain(format_, blocks, scale_, random);
  fill_blocks(format_, blocks, scale_, random);
}

}  // namespace ogas
