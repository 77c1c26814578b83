// Many requests at once. Each step computes one token of every request that is decoding and, with what is left of a
// batch, chunks of the prompts of others, small enough that decoding is hardly slower.
//
//   Scheduler scheduler(*engine);
//   scheduler.submit(request, [](Result<Answer> answer) { ... });
//   while (scheduler.step()) {
//   }
//
// Ranks: higher priorities come first; of these, clients that had less of the machine (virtual token counters, Sheng et
// al. 2024); of a client, the nearer deadline, then the older request. A waiting request of higher priority preempts
// one of lower, which continues later. A prompt that begins like a running one waits for the part they share.
//
// An answer has the same bits whatever is computed with it. Belongs to the engine's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/request.h"

namespace ogas {

class Sequence;
class StepRunner;

class Scheduler {
 public:
  using RequestId = uint64_t;
  // An answer, also of a cancelled request. Errors: out_of_memory (sessions outside hold the pages that it needs).
  using Done = std::function<void(Result<Answer>)>;

  explicit Scheduler(Engine& engine, const SchedulerOptions& options = {});
  ~Scheduler();

  // Queues a request; `done` is called within a later step(), or cancel(), and may call the scheduler. The request's
  // on_text is called within a step(), too, and must not. Errors: usage (as Engine::generate), unavailable (too many
  // are waiting).
  Result<RequestId> submit(Request request, Done done);
  // best_of answers to a request, with seeds one after the other, of which the n with the highest mean log-probability
  // are kept, best first; best_of 0: n of them, in the order of their seeds. Their prompt is computed once, but for the
  // end of it. on_text is not called. Errors: as submit(); usage where best_of is less than n.
  using AllDone = std::function<void(Result<std::vector<Answer>>)>;
  Result<std::vector<RequestId>> submit_choices(const Request& request, uint32_t n, uint32_t best_of, AllDone done);
  // Ends a request with what it has so far, before this returns. False where there is none of that id.
  bool cancel(RequestId id);
  // Computes one step. False where there is nothing to compute.
  bool step();

  size_t n_running() const { return running_.size(); }
  size_t n_waiting() const { return waiting_.size(); }
  // How often a request lost its pages to others, to be computed again later.
  uint64_t n_preemptions() const { return n_preemptions_; }

 private:
  struct Job;
  using JobPtr = std::unique_ptr<Job>;

  void end_overdue();
  bool comes_before(const Job& a, const Job& b) const;
  void admit();
  bool fits(const Job& job) const;
  std::span<Job* const> schedule();
  void share_beginning(Job& job);
  void preempt(size_t running_idx);
  size_t last_in_rank() const;
  bool waits_for_shared_page(Job& job, std::span<Job* const> before);
  size_t prompt_tokens_with(size_t n_decoding);
  void learn_from(size_t n_decoding, bool has_prompts, double seconds);
  void finish(Job& job, Result<Answer> answer);
  void end(Job& job, FinishReason reason);
  void fail_all(std::span<Job* const> jobs, const Error& error);
  void charge(const Job& job);
  void start_counting(const std::string& client);

  EngineCore& core_;
  SchedulerOptions options_;
  std::unique_ptr<StepRunner> steps_;
  std::vector<JobPtr> waiting_, running_;
  std::map<std::string, double> served_;  // by client: tokens, those of answers twice
  std::vector<double> decode_seconds_;    // of a step without prompts, by how many decode; 0: not measured yet
  size_t min_chunk_, chunk_;              // tokens of prompts in a step with others who decode
  double delay_ = 0;                      // by which the last steps were too long, in seconds
  RequestId next_id_ = 1;
  uint64_t n_preemptions_ = 0;
  // A step's own, kept for their capacity: steps do not allocate.
  std::vector<Job*> chosen_, prompts_;
  std::vector<Sequence*> sequences_;
};

}  // namespace ogas
