// What the API's opaque types are.
#pragma once

#include <ogas/ogas.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "capi/exchange.h"
#include "capi/reply.h"
#include "engine/engine.h"
#include "engine/engine_thread.h"

namespace ogas::capi {

// Shared by the engine's handle and its sessions: the last of them ends it.
struct LoadedEngine {
  LoadedEngine(std::unique_ptr<Engine> loaded, const SchedulerOptions& options)
      : engine(std::move(loaded)), thread(*engine, options) {}

  std::unique_ptr<Engine> engine;
  EngineThread thread;
};

}  // namespace ogas::capi

// NOLINTBEGIN(readability-identifier-naming): the header's names.
struct ogas_engine {
  std::shared_ptr<ogas::capi::LoadedEngine> loaded;
};

struct ogas_session {
  std::shared_ptr<ogas::capi::LoadedEngine> loaded;
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  ogas::Answer answer;
  ogas::capi::Reply reply;  // the answer split into its parts, or its whole text as content
  int finish = OGAS_FINISH_NONE;

  std::atomic<bool> busy = false;  // a call is in it
  std::mutex mutex;
  std::shared_ptr<ogas::capi::Exchange> running;  // under the mutex; null: no request is
};
// NOLINTEND(readability-identifier-naming)
