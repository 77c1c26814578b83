#!/usr/bin/env python3
"""Writes src/base/unicode_tables.h: where the Unicode of a tokenizer's library and that of ours differ.

    tools/make_unicode_tables.py        (Python 3.11, with PyPI unicodedata2 16.0.0 and tokenizers 0.23.3)

  kSinceUnicode14   general categories of the characters assigned in Unicode 15.0 to 16.0. Debian 12's PCRE2 10.42 knows
                    Unicode 14.0, the regular expressions of `tokenizers` 16.0. From the two Unicode data bases.
  kNormalizerBreaks characters with a combining class or a composition in Unicode 16.0 or in utf8proc 2.8 that the
                    normalizer of `tokenizers`, of Unicode 9, passes through as unassigned. Asked of that normalizer.
"""

import pathlib
import sys
import unicodedata

import unicodedata2
from tokenizers import normalizers

TARGET = pathlib.Path(__file__).resolve().parent.parent / "src/base/unicode_tables.h"
CODE_POINTS = [c for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]


def ranges(values):
    """[(code point, value)] in order to [[first, last, value]]."""
    result = []
    for code_point, value in values:
        if result and result[-1][1] == code_point - 1 and result[-1][2] == value:
            result[-1][1] = code_point
        else:
            result.append([code_point, code_point, value])
    return result


def since_unicode_14():
    changed = [(c, unicodedata2.category(chr(c))) for c in CODE_POINTS
               if unicodedata.category(chr(c)) == "Cn" and unicodedata2.category(chr(c)) != "Cn"]
    return ranges(changed)


def normalizer_breaks():
    normalize = normalizers.NFC().normalize_str
    breaks = {0x11A7}  # composes to nothing in utf8proc 2.8: it is one before the first Hangul final
    for c in CODE_POINTS:
        letter = chr(c)
        contexts = ("a" + letter + "\u0301", "a\u0323" + letter + "\u0301", "\u0301" + letter + "\u0323")
        if any(unicodedata2.normalize("NFC", s) != normalize(s) for s in contexts):
            breaks.add(c)
        parts = unicodedata2.decomposition(letter)
        if parts and not parts.startswith("<"):
            text = "".join(chr(int(part, 16)) for part in parts.split())
            if unicodedata2.normalize("NFC", text) == letter != normalize(text):
                breaks |= {c, max(map(ord, text))}  # one unknown part is enough; the other may be a common accent
    return ranges((c, None) for c in sorted(breaks))


def rows(items):
    lines, line = [], " "
    for item in items:
        if len(line) + len(item) + 2 > 120:
            lines.append(line)
            line = " "
        line += f" {item},"
    return "\n".join(lines + [line])


def main():
    if unicodedata.unidata_version != "14.0.0" or unicodedata2.unidata_version != "16.0.0":
        sys.exit("needs Unicode 14.0 in Python's own unicodedata (Python 3.11) and 16.0 in unicodedata2")
    categories = [f"{{0x{a:04X}, 0x{b:04X}, \"{value}\"}}" for a, b, value in since_unicode_14()]
    breaks = [f"{{0x{a:04X}, 0x{b:04X}}}" for a, b, _ in normalizer_breaks()]
    TARGET.write_text(f"""// Written by tools/make_unicode_tables.py, which says where this comes from.
#pragma once

#include <cstdint>

namespace ogas {{

struct CategoryRange {{
  char32_t first, last;
  char category[3];  // general category: "Lu", "Nd", ...
}};

// Characters assigned in Unicode 15.0 to 16.0.
// clang-format off
inline constexpr CategoryRange kSinceUnicode14[] = {{
{rows(categories)}
}};

struct CodePointRange {{
  char32_t first, last;
}};

// Characters that normalization passes through, and that nothing composes or reorders across.
inline constexpr CodePointRange kNormalizerBreaks[] = {{
{rows(breaks)}
}};
// clang-format on

}}  // namespace ogas
""", encoding="utf-8")


if __name__ == "__main__":
    main()
