// Many requests at once. Each step computes one token of every request that is decoding and, with what is left of a
// batch, pieces of the prompts of the others: a long prompt holds nobody up by more than a batch.
//
//   Scheduler scheduler(*engine);
//   scheduler.submit(request, [](Result<Answer> answer) { ... });
//   while (scheduler.step()) {
//   }
//
// An answer is the same bits whatever is computed beside it. Belongs to the engine's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/request.h"

namespace ogas {

struct SchedulerOptions {
  uint32_t n_batch = 0;      // tokens a step, those of decoding requests on top; 0: the engine's
  uint32_t n_running = 32;   // requests that are computed together at most
  uint32_t n_waiting = 256;  // requests that wait for their turn at most; more are refused
};

class Scheduler {
 public:
  using RequestId = uint64_t;
  // An answer, also of a cancelled request. Errors: out_of_memory (sessions outside hold the pages that it needs).
  using Done = std::function<void(Result<Answer>)>;

  explicit Scheduler(Engine& engine, const SchedulerOptions& options = {});
  ~Scheduler();

  // Queues a request; `done` is called within a later step(), or cancel(), and may call the scheduler. So is the
  // request's on_text, which must not. Errors: usage (as Engine::generate), unavailable (too
  // many are waiting).
  Result<RequestId> submit(Request request, Done done);
  // Ends a request with what it has so far, before this returns. False where there is none of that id.
  bool cancel(RequestId id);
  // Computes one step. False where nobody waits for anything.
  bool step();

  size_t n_running() const { return running_.size(); }
  size_t n_waiting() const { return waiting_.size(); }
  // How often a request lost its pages to older ones, to be computed again later.
  uint64_t n_pauses() const { return n_pauses_; }

 private:
  struct Job;
  using JobPtr = std::unique_ptr<Job>;

  void admit();
  bool fits(const Job& job) const;
  std::vector<Job*> schedule();
  void pause_youngest();
  void finish(Job& job, Result<Answer> answer);

  Engine& engine_;
  SchedulerOptions options_;
  std::deque<JobPtr> waiting_;   // oldest first
  std::vector<JobPtr> running_;  // oldest first
  RequestId next_id_ = 1;
  uint64_t n_pauses_ = 0;
};

}  // namespace ogas
