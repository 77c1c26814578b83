// Regular expressions of tokenizers: compiled once by PCRE2 to machine code, safe to share between threads.
//
// tokenizer.json means Oniguruma with Unicode 16; PCRE2 10.42 has Unicode 14 and counts U+180E as white space. So
// character classes are rewritten, and what the two read differently is refused. Not a general regular-expression
// class.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;

namespace ogas {

class Pattern {
 public:
  // Errors: unsupported, with what and where; bad_file, if PCRE2 cannot read it.
  static Result<Pattern> compile(std::string_view source);

  // Scratch memory of one search; not to be shared between threads.
  class Matcher {
   public:
    explicit Matcher(const Pattern& pattern);
    // The first match in text at or after `from`, as [begin, end), maybe empty; false if there is none, or if the
    // pattern needs more steps than any sane one (10 million). text must be valid UTF-8, and `from` the start of a
    // character.
    bool find(std::string_view text, size_t from, size_t& begin, size_t& end);

   private:
    struct Free {
      void operator()(pcre2_real_match_data_8* data) const;
    };
    const pcre2_real_code_8* code_;
    std::unique_ptr<pcre2_real_match_data_8, Free> data_;
  };

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

// The pattern as PCRE2 must read it to mean what tokenizer.json means. Errors: unsupported.
Result<std::string> rewrite_pattern(std::string_view source);

// The pattern that matches exactly this text.
std::string pattern_of_text(std::string_view text);

}  // namespace ogas
