#include "engine/engine_thread.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>

namespace ogas {
namespace {

// How often a limit on memory is checked while there is nothing to do.
constexpr std::chrono::seconds kIdleLook{2};

// Of the exception being handled.
Error error_of_exception() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return {ErrorCode::out_of_memory, "the machine has no memory left for this"};
  } catch (const std::exception& exception) {
    return {ErrorCode::unavailable, std::string("the engine failed: ") + exception.what()};
  } catch (...) {
    return {ErrorCode::unavailable, "the engine failed"};
  }
}

}  // namespace

EngineThread::EngineThread(Engine& engine, const SchedulerOptions& options) : engine_(engine), options_(options) {
  scheduler_.emplace(engine_, options_);
  thread_ = std::thread([this] { loop(); });
}

EngineThread::~EngineThread() {
  OGAS_CHECK(!is_engine_thread(), "the engine's thread waits for its own end");
  put([&] { stopping_ = true; });
  thread_.join();
}

void EngineThread::put(FunctionRef<void()> change) {
  {
    const std::lock_guard lock(mutex_);
    change();
  }
  wake_.notify_one();
}

EngineThread::RequestId EngineThread::submit(Request request, Done done) {
  // A node of a list: what has been handed over needs no more memory until it reaches `done`.
  std::list<Job> jobs;
  jobs.push_back({.request = std::move(request), .done = std::move(done)});
  RequestId id = 0;
  put([&] {
    id = jobs.front().id = next_id_++;
    inbox_.jobs.splice(inbox_.jobs.end(), jobs);
  });
  return id;
}

void EngineThread::cancel(RequestId id) {
  put([&] { inbox_.cancelled.push_back(id); });
}

void EngineThread::post(Work work) {
  put([&] { inbox_.work.push_back(std::move(work)); });
}

EngineThread::Load EngineThread::load() const {
  const std::lock_guard lock(mutex_);
  return load_;
}

// Sleeps until there is something to do, and takes it. Whether this is being destroyed.
bool EngineThread::wait(Inbox& inbox) {
  std::unique_lock lock(mutex_);
  load_ = {scheduler_->n_running(), scheduler_->n_waiting(), scheduler_->n_preemptions()};
  const auto has_work = [&] { return stopping_ || busy_ || !inbox_.empty(); };
  while (engine_.experts() && !wake_.wait_for(lock, kIdleLook, has_work)) {
    lock.unlock();
    engine_.follow_memory_limit();
    lock.lock();
  }
  wake_.wait(lock, has_work);
  std::swap(inbox, inbox_);
  return stopping_;
}

void EngineThread::loop() noexcept {
  while (true) {
    Inbox inbox;
    const bool closing = wait(inbox);
    if (closing && inbox.empty() && jobs_.empty()) return;
    begin(inbox.jobs, closing);
    for (Work& work : inbox.work) work(engine_);
    try {
      step(inbox, closing);
    } catch (...) {  // whatever the scheduler was doing
      end_all(error_of_exception());
    }
  }
}

// Hands new jobs to the scheduler.
void EngineThread::begin(std::list<Job>& jobs, bool closing) {
  while (!jobs.empty()) {
    jobs_.splice(jobs_.end(), jobs, jobs.begin());
    Job& job = jobs_.back();
    const auto submit_job = [&]() -> Result<> {
      if (closing) return fail(ErrorCode::cancelled, "the engine is being closed");
      try {
        job.number = OGAS_TRY(scheduler_->submit(
            std::move(job.request), [this, id = job.id](Result<Answer> answer) { end(id, std::move(answer)); }));
        return {};
      } catch (...) {
        return std::unexpected(error_of_exception());
      }
    };
    if (auto submitted = submit_job(); !submitted) end(job.id, std::unexpected(std::move(submitted).error()));
  }
}

void EngineThread::step(const Inbox& inbox, bool closing) {
  for (const RequestId id : inbox.cancelled)
    if (const auto job = find(id); job != jobs_.end()) cancel_now(*job);
  while (closing && !jobs_.empty()) cancel_now(jobs_.front());
  busy_ = scheduler_->step();
}

void EngineThread::cancel_now(const Job& job) {
  const RequestId id = job.id;
  OGAS_CHECK(scheduler_->cancel(job.number), "the scheduler has no request {}", id);
}

void EngineThread::end(RequestId id, Result<Answer> answer) noexcept {
  std::list<Job> ended;
  ended.splice(ended.end(), jobs_, find(id));
  ended.front().done(std::move(answer));
}

// Continues with a new scheduler, which has no requests; what the old one held is given back.
void EngineThread::end_all(const Error& error) noexcept {
  busy_ = false;
  scheduler_.emplace(engine_, options_);
  while (!jobs_.empty()) end(jobs_.front().id, std::unexpected(error));
}

std::list<EngineThread::Job>::iterator EngineThread::find(RequestId id) {
  return std::ranges::find(jobs_, id, &Job::id);
}

}  // namespace ogas
