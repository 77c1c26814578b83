// What replies of OpenAI's two APIs of completions, and all pieces of their streams, begin and end with.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "server/answer/usage.h"
#include "server/api.h"

namespace ogas::server {

struct CompletionHead {
  std::string id;
  int64_t created = unix_time();

  // {"id", "object", "created", "model", "system_fingerprint"}
  Json json(const Api& api, std::string_view object) const {
    return {{"id", id},
            {"object", object},
            {"created", created},
            {"model", api.model()},
            {"system_fingerprint", api.fingerprint}};
  }
};

// A whole reply: its head, and what came.
inline void reply_completion(HttpExchange& exchange, Json head, Json choices, const Usage& usage) {
  head["choices"] = std::move(choices);
  head["usage"] = usage.json();
  reply_json(exchange, head);
}

// The end of a stream of pieces with this head, with the usage where it is to be told.
inline void end_completion(HttpExchange& exchange, Json head, const Usage& usage, bool tells_usage) {
  if (tells_usage) {
    head["choices"] = Json::array();
    head["usage"] = usage.json();
    exchange.write(event(head));
  }
  exchange.write("data: [DONE]\n\n");
  exchange.end_stream();
}

}  // namespace ogas::server
