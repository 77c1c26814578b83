// The speed of a model on this machine, from its memory plan and from rates measured in a second.
#pragma once

#include <cstdint>

#include "arch/model_facts.h"
#include "engine/memory_plan.h"
#include "quant/format.h"

namespace ogas {

struct CpuKernels;

// Of this machine, on all threads.
struct Rates {
  double memory = 0;        // bytes a second that are read
  double products = 0;      // weights times tokens a second, of prompts,
  double few_products = 0;  // and if a matrix is used by few of a prompt's tokens, as experts are
  double packing = 0;       // bytes a second of weights made into panels
  double disk = 0;          // bytes a second, past the page cache; 0: unknown
};
// All but the disk's: products and packing with a matrix of this format.
Rates measure_rates(const CpuKernels& kernels, unsigned n_threads, Format format);

// How tokens use experts: all equally, as in models with random weights, or by Zipf's law, about as in trained models
// with a warm cache.
enum class Routing { even, skewed };

struct Forecast {
  double token_seconds = 0;   // to decode one, after an empty context
  double prompt_seconds = 0;  // of 512 tokens, from an empty cache of experts on
  double bytes_a_token = 0;   // from disk
  double hits = 1;            // share of uses that find their expert in memory
  double load_seconds = 0;    // from disk; 0: unknown
};
// expert_bytes: for experts in memory, as the plan has it or otherwise. n_moe: layers with experts.
Forecast forecast(const ModelFacts& facts, const MemoryPlan& plan, uint64_t expert_bytes, size_t n_moe,
                  const Rates& rates, Routing routing);

// The share of draws that fall on the most popular share of n experts, by Zipf's law with exponent 1.
double skewed_hits(double share, uint32_t n_expert);

}  // namespace ogas
