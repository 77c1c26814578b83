"""Texts to test a tokenizer: random Unicode of several kinds and real writing. The same seed gives the same texts."""

import random
import unicodedata

CODE = [
    "def f(x, *args, **kwargs):\n    return {k: v for k, v in zip(x, args)}  # comment\n",
    "#include <vector>\n\ttemplate <class T> auto sum(const std::vector<T>& v) -> T { return v[0]+1'000; }\r\n",
    "SELECT * FROM t WHERE a >= 10 AND b <> 'it''s';\n\n\n-- done\n",
    "for (let i = 0; i < n; i++) {\n\t\tconsole.log(`${i}: ${a[i]}`);\n\t}\n",
    "0x1F + 3.14159e-10 == 1234567890123 // ÷ × ≠\n",
]
WRITING = [
    "I'm sure it's what they'll've said: DON'T, WE'RE, I'D, YOU'VE; 'Tis the season’s end.",
    "Der Fuß maß 12,5 Öre – „Größe“ zählt nicht. Ça va, où est l'élève? Ñandú, pingüino.",
    "敏捷的棕色狐狸跳过了懒狗。人工智能模型,2024年3月15日!今天天气怎么样?",
    "いろはにほへと ちりぬるを。カタカナとひらがな、漢字。ー・々〆",
    "다람쥐 헌 쳇바퀴에 타고파. 한글 자모: \u1112\u1161\u11ab",
    "النص العربي مع التشكيل: مُحَمَّدٌ ١٢٣٤٥، هل هذا صحيح؟",
    "हिन्दी में क्षत्रिय और ज्ञान। বাংলা ভাষা। தமிழ் மொழி",
    "ภาษาไทยไม่มีช่องว่าง 1234 ខ្មែរ",
    "עִבְרִית עם ניקוד; Ελληνικά ΆΈΉ; Русский язык, ёлка; Հայերեն; ქართული",
    "👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ❤️‍🔥 🇩🇪🇯🇵 😶‍🌫️ 1️⃣ ☝🏿✊",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
]
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|begin_of_text|>", "<|eot_id|>", "<think>", "</think>",
           "<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜tool▁sep｜>", "<|tool_call_start|>", "<tool_call>", "<|", "|>"]
SPACES = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2003", "\u200b", "\u180e", "\u0085", "\x0b", "\x0c", "\r", "   \n"]
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
LETTERS = [chr(c) for c in CODE_POINTS if unicodedata.category(chr(c))[0] in "LNPSMZ" and c < 0x3400]
ASCII = [chr(c) for c in range(32, 127)]
MARKS = [chr(c) for c in CODE_POINTS if unicodedata.combining(chr(c))]


def any_character(r):
    return chr(r.choice(CODE_POINTS))


def letter(r):
    return r.choice(LETTERS)


def ascii_letter(r):
    return r.choice(ASCII)


def mixed(r):
    kind = r.randrange(8)
    if kind == 0:
        return r.choice(SPACES)
    if kind == 1:
        return r.choice(SPECIAL)
    if kind == 2:
        return r.choice(["'s", "'S", "'ſ", "'re", "'LL", "'t", "’s", "'d"])
    if kind == 3:
        return str(r.randrange(10 ** r.randrange(1, 9)))
    if kind == 4:
        return letter(r) + r.choice(MARKS) * r.randrange(3) + r.choice(MARKS)
    if kind == 5:
        return any_character(r)
    if kind == 6:
        return "".join(ascii_letter(r) for _ in range(r.randrange(1, 8)))
    return r.choice(WRITING)[r.randrange(20):][:r.randrange(1, 20)]


def one_text(r):
    kind = r.randrange(10)
    if kind < 3:
        make = (any_character, letter, ascii_letter)[kind]
        return "".join(make(r) for _ in range(r.randrange(1, 40)))
    if kind < 7:
        return "".join(mixed(r) for _ in range(r.randrange(1, 20)))
    if kind == 7:
        text = r.choice(CODE + WRITING)
        cut = r.randrange(len(text))
        return text[cut:] + text[:cut]
    if kind == 8:
        return r.choice([ascii_letter, letter])(r) * r.randrange(1, 300)
    words = (r.choice(CODE + WRITING) + " ").split(" ")
    return r.choice(SPACES).join(r.choice(words) for _ in range(r.randrange(1, 12)))


def texts(n, seed):
    """n texts; the first are the writing and code as they are, and long runs of one letter."""
    r = random.Random(seed)
    fixed = ["", " "] + CODE + WRITING + [letter * 5000 for letter in "a 好\n9"]
    return (fixed + [one_text(r) for _ in range(max(0, n - len(fixed)))])[:n]


def checksum(numbers):
    """The upper half of FNV-1a over the numbers as 32-bit little-endian words."""
    value = 0xCBF29CE484222325
    for number in numbers:
        for byte in number.to_bytes(4, "little"):
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value >> 32:08x}"
