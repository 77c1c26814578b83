// One engine for many threads: a thread of its own steps a Scheduler; requests and other work are handed to it.
//
//   EngineThread engine_thread(*engine);
//   const auto id = engine_thread.submit(request, [](Result<Answer> answer) { ... });
//   engine_thread.cancel(id);
//
// All members but the destructor may be called from any thread, and take effect between two steps. Nothing but run()
// and the destructor waits. The engine belongs to this thread as long as it lives; its text() does not change, and any
// thread may use it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/function_ref.h"
#include "engine/scheduler.h"

namespace ogas {

class EngineThread {
 public:
  using RequestId = uint64_t;
  using Done = Scheduler::Done;
  using Work = std::move_only_function<void(Engine&)>;

  explicit EngineThread(Engine& engine, const SchedulerOptions& options = {});
  // Ends all requests as cancel() does, does what was posted, and waits for all that. Not on the engine's thread.
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // Queues a request. `done` is called once, whatever happens, and must not throw. It and the request's on_text run on
  // the engine's thread, where everybody waits for them, and may call submit, cancel and post.
  // Errors come through `done`: as Scheduler; out_of_memory (also of a step computed for another); cancelled (this is
  // being destroyed).
  RequestId submit(Request request, Done done);
  // Ends a request with what it has so far, after the step that is being computed. Nothing where there is none.
  void cancel(RequestId id);
  // Calls work(engine), which must not throw, on the engine's thread.
  void post(Work work);
  // The same, and waits for what it returns; throws what it throws. Not on the engine's thread, which would wait for
  // itself.
  template <class Function>
  std::invoke_result_t<Function&, Engine&> run(Function function) {
    OGAS_CHECK(!is_engine_thread(), "the engine's thread waits for itself");
    std::packaged_task<std::invoke_result_t<Function&, Engine&>(Engine&)> task(std::move(function));
    auto result = task.get_future();
    post(std::move(task));
    return result.get();
  }
  bool is_engine_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

  // As of the last step.
  struct Load {
    size_t n_running = 0, n_waiting = 0;
    uint64_t n_preemptions = 0;
  };
  Load load() const;

 private:
  struct Job {
    RequestId id = 0;
    Scheduler::RequestId number = 0;  // the scheduler's, once it has it
    Request request;                  // until then
    Done done;
  };
  struct Inbox {
    std::list<Job> jobs;
    std::vector<RequestId> cancelled;
    std::vector<Work> work;
    bool empty() const { return jobs.empty() && cancelled.empty() && work.empty(); }
  };

  void put(FunctionRef<void()> change);
  void loop() noexcept;
  bool wait(Inbox& inbox);
  void begin(std::list<Job>& jobs, bool closing);
  void step(const Inbox& inbox, bool closing);
  void cancel_now(const Job& job);
  void end(RequestId id, Result<Answer> answer) noexcept;
  void end_all(const Error& error) noexcept;
  std::list<Job>::iterator find(RequestId id);

  Engine& engine_;
  SchedulerOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Inbox inbox_;
  RequestId next_id_ = 1;
  Load load_;
  bool stopping_ = false;

  // The thread's own.
  std::list<Job> jobs_;  // those the scheduler has
  std::optional<Scheduler> scheduler_;
  bool busy_ = false;  // there is another step to compute

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace ogas
