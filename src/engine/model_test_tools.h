// The default model, for tests that need a real one. ./test fetches it and passes its path.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "engine/engine.h"

namespace ogas::testing {

// Fails the test, rather than skipping it, where the variable is missing.
inline std::string default_model_path() {
  const char* path = std::getenv("OGAS_TEST_MODEL");
  EXPECT_NE(path, nullptr) << "OGAS_TEST_MODEL must name the default model's .gguf; ./test sets it";
  return path ? path : "";
}

inline std::unique_ptr<Engine> load_default_model(const EngineOptions& options = {}) {
  auto engine = Engine::load(default_model_path(), options);
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? *std::move(engine) : nullptr;
}

}  // namespace ogas::testing
