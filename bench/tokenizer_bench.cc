// Times the tokenizer for bench/tokenizer_bench.py, which says how to use it. It reads commands from stdin, and answers
// each with a line: the nanoseconds of processor time that it took.
//   open PATH     opens a tokenizer.json: read, parsed, all tables built
//   text PATH     takes this file as the text (answers its size in bytes)
//   encode        encodes the text as one (answers nanoseconds and tokens)
//   lines         encodes each line separately
#include <ctime>
#include <iostream>
#include <string>

#include "base/file.h"
#include "files/tokenizer_json.h"
#include "text/tokenizer.h"

namespace {

// Of this thread, so that other programs on the machine do not count.
int64_t processor_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
}

size_t encode_lines(const ogas::Tokenizer& tokenizer, std::string_view text) {
  size_t n_tokens = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    n_tokens += tokenizer.encode(text.substr(0, end)).size();
    text.remove_prefix(end);
  }
  return n_tokens;
}

std::unique_ptr<ogas::Tokenizer> open(const std::string& path) {
  auto vocab = ogas::open_tokenizer_json(path);
  auto tokenizer = vocab ? ogas::Tokenizer::create(*std::move(vocab)) : std::unexpected(vocab.error());
  if (tokenizer) return *std::move(tokenizer);
  std::cerr << tokenizer.error().message << '\n';
  std::exit(1);
}

}  // namespace

int main() {
  std::unique_ptr<ogas::Tokenizer> tokenizer;
  std::string text;
  std::string command;
  std::string path;
  while (std::cin >> command) {
    if (command == "open" || command == "text") std::cin >> path;
    const int64_t start = processor_ns();
    size_t answer = 0;
    if (command == "open")
      tokenizer = open(path);
    else if (command == "text")
      answer = (text = ogas::read_file(path).value()).size();
    else
      answer = command == "lines" ? encode_lines(*tokenizer, text) : tokenizer->encode(text).size();
    std::cout << processor_ns() - start << ' ' << answer << std::endl;
  }
}
