#include "text/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/unicode.h"
#include "base/unicode_tables.h"

namespace ogas {
namespace {

enum class Inertness : uint8_t {
  inert,   // begins a character of its own, and normalization leaves it: text can be cut before it
  active,  // may decompose, compose with the character before it, or be reordered
  broken,  // passed through, and nothing crosses it
};

bool is_break(char32_t c) {
  const auto* range = std::ranges::upper_bound(kNormalizerBreaks, c, {}, &CodePointRange::first);
  return range != std::begin(kNormalizerBreaks) && c <= (range - 1)->last;
}

Inertness inertness_of(char32_t c) {
  if (c < 0x300) return Inertness::inert;
  if (is_break(c)) return Inertness::broken;
  if (c >= 0x1100 && c < 0x1200) return Inertness::active;  // Hangul letters compose by arithmetic, not by table
  const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
  // comb_index: 0xFFFF for what never composes. Below 0x8000 it marks the first of two, which the second decides about.
  const bool is_second = property->comb_index != UINT16_MAX && property->comb_index >= 0x8000;
  const bool stays = property->combining_class == 0 && property->decomp_seqindex == UINT16_MAX && !is_second;
  return stays ? Inertness::inert : Inertness::active;
}

void append_normalized(std::string_view text, std::string& result) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &mapped, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  OGAS_CHECK(length >= 0, "utf8proc: {}", utf8proc_errmsg(length));
  result.append(reinterpret_cast<const char*>(mapped), static_cast<size_t>(length));
}

std::string_view replace_all(std::string_view text, const TextStep& step, std::string& storage) {
  size_t found = step.what.empty() ? std::string_view::npos : text.find(step.what);
  if (found == std::string_view::npos) return text;
  std::string result;
  size_t done = 0;
  for (; found != std::string_view::npos; found = text.find(step.what, done)) {
    result += text.substr(done, found - done);
    result += step.with;
    done = found + step.what.size();
  }
  result += text.substr(done);
  storage = std::move(result);
  return storage;
}

std::string_view prepend(std::string_view text, std::string_view what, std::string& storage) {
  std::string result(what);
  result += text;
  storage = std::move(result);
  return storage;
}

std::string_view apply(const TextStep& step, std::string_view text, TextStart start, std::string& storage) {
  switch (step.kind) {
    case TextStep::Kind::nfc: return normalize_nfc(text, storage);
    case TextStep::Kind::prepend: return start == TextStart::text ? text : prepend(text, step.what, storage);
    case TextStep::Kind::prepend_once:
      return start == TextStart::text || text.starts_with(step.what) ? text : prepend(text, step.what, storage);
    case TextStep::Kind::prepend_first:
      return start != TextStart::nothing || text.starts_with(step.what) ? text : prepend(text, step.what, storage);
    case TextStep::Kind::replace: return replace_all(text, step, storage);
  }
  return text;
}

}  // namespace

std::string_view apply_steps(std::span<const TextStep> steps, std::string_view text, TextStart start,
                             std::string& storage) {
  if (text.empty()) return text;
  for (const TextStep& step : steps) {
    std::string changed;
    const std::string_view result = apply(step, text, start, changed);
    if (result.data() == text.data()) continue;  // unchanged
    storage = std::move(changed);
    text = storage;
  }
  return text;
}

// Only the stretches around active characters are handed to utf8proc: each from the last inert character before to the
// next one after.
std::string_view normalize_nfc(std::string_view text, std::string& storage) {
  std::string result;
  bool changed = false;
  size_t done = 0;      // what is in result
  size_t segment = 0;   // start of the stretch that may have to be normalized together
  bool active = false;  // whether anything in it asks for that
  const auto close = [&](size_t end) {
    if (active) {
      result += text.substr(done, segment - done);
      append_normalized(text.substr(segment, end - segment), result);
      done = end;
      changed = true;
    }
    segment = end;
    active = false;
  };
  for (size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      if (active) close(at);
      segment = at++;
      continue;
    }
    const Utf8Step step = next_utf8(text.substr(at));
    const Inertness inertness = step.kind == Utf8Kind::valid ? inertness_of(step.code_point) : Inertness::broken;
    if (inertness == Inertness::active) {
      active = true;
    } else {
      close(at);
      if (inertness == Inertness::broken) segment = at + step.length;
    }
    at += step.length;
  }
  close(text.size());
  if (!changed) return text;
  result += text.substr(done);
  storage = std::move(result);
  return storage;
}

}  // namespace ogas
