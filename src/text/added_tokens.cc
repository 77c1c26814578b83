#include "text/added_tokens.h"

#include <algorithm>

#include "base/unicode.h"

namespace ogas {
namespace {

size_t spaces_at_end(std::string_view text) {
  size_t n = 0;
  while (n < text.size()) {
    const size_t start = last_character(text.substr(0, text.size() - n));
    const Utf8Step step = next_utf8(text.substr(start));
    if (step.kind != Utf8Kind::valid || !is_white_space(step.code_point)) break;
    n = text.size() - start;
  }
  return n;
}

size_t spaces_at_start(std::string_view text) {
  size_t n = 0;
  while (n < text.size()) {
    const Utf8Step step = next_utf8(text.substr(n));
    if (step.kind != Utf8Kind::valid || !is_white_space(step.code_point)) break;
    n += step.length;
  }
  return n;
}

bool is_word_between(std::string_view before, std::string_view after) {
  const bool joins_left =
      !before.empty() && is_word_character(next_utf8(before.substr(last_character(before))).code_point);
  return !joins_left && (after.empty() || !is_word_character(next_utf8(after).code_point));
}

}  // namespace

void AddedTokens::insert(std::string_view content, const AddedToken& token) {
  if (content.empty()) return;
  uint32_t node = 0;
  for (const char c : content) {
    uint32_t next = child(node, c);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes_.size());
      nodes_.emplace_back();
      nodes_[node].children.emplace_back(c, next);
    }
    node = next;
  }
  begins_[static_cast<unsigned char>(content[0])] = true;
  nodes_[node].token_idx = static_cast<int32_t>(tokens_.size());
  tokens_.push_back(token);
}

void AddedTokens::cut(std::string_view text, const SpecialTokens& special, OnText on_text, OnToken on_token) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    if (!begins_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    const auto [token, length] = longest_at(text.substr(at));
    if (!token) {
      ++at;
      continue;
    }
    size_t begin = at;
    size_t end = at += length;
    if (token->is_special && !special.allows(begin, end)) continue;
    if (token->whole_word && !is_word_between(text.substr(0, begin), text.substr(end))) continue;
    if (token->takes_left) begin = std::max(done, begin - spaces_at_end(text.substr(0, begin)));
    if (token->takes_right) end += spaces_at_start(text.substr(end));
    if (begin > done) on_text(text.substr(done, begin - done), done);
    on_token(token->id);
    done = std::max(done, end);
  }
  if (done < text.size()) on_text(text.substr(done), done);
}

uint32_t AddedTokens::child(uint32_t node, char c) const {
  for (const auto& [letter, next] : nodes_[node].children)
    if (letter == c) return next;
  return 0;
}

AddedTokens::Match AddedTokens::longest_at(std::string_view text) const {
  Match best;
  uint32_t node = 0;
  for (size_t length = 1; length <= text.size(); ++length) {
    node = child(node, text[length - 1]);
    if (node == 0) break;
    if (nodes_[node].token_idx >= 0) best = {&tokens_[static_cast<size_t>(nodes_[node].token_idx)], length};
  }
  return best;
}

}  // namespace ogas
