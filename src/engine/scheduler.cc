#include "engine/scheduler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/generation.h"
#include "engine/loaded_model.h"

namespace ogas {

struct Scheduler::Job {
  Job(RequestId number, const LoadedModel& model, Request asked, Done when_done)
      : id(number), request(std::move(asked)), done(std::move(when_done)), session(*model.kv_cache) {}

  RequestId id;
  Request request;
  Done done;
  Session session;
  std::optional<Generation> generation;  // once it was running
  Extension next = {};                   // in this step
};

Scheduler::Scheduler(Engine& engine, const SchedulerOptions& options) : engine_(engine), options_(options) {
  if (options_.n_batch == 0) options_.n_batch = engine.options().n_batch;
  options_.n_running = std::max(options_.n_running, 1U);
}

Scheduler::~Scheduler() = default;

Result<Scheduler::RequestId> Scheduler::submit(Request request, Done done) {
  OGAS_TRY(Generation::check(*engine_.model_, request));
  if (waiting_.size() >= options_.n_waiting)
    return fail(ErrorCode::unavailable, "{} requests are waiting; try again later", waiting_.size());
  waiting_.push_back(std::make_unique<Job>(next_id_, *engine_.model_, std::move(request), std::move(done)));
  return next_id_++;
}

void Scheduler::finish(Job& job, Result<Answer> answer) {
  job.session.truncate(0);
  job.done(std::move(answer));
}

bool Scheduler::cancel(RequestId id) {
  const auto cancel_among = [&](auto& jobs) {
    const auto found = std::ranges::find(jobs, id, &Job::id);
    if (found == jobs.end()) return false;
    const JobPtr job = std::move(*found);
    jobs.erase(found);
    if (!job->generation) job->generation.emplace(*engine_.model_, job->session, job->request);
    job->generation->cancel();
    finish(*job, job->generation->take_answer());
    return true;
  };
  return cancel_among(running_) || cancel_among(waiting_);
}

// Whether there are pages for all that a request has to compute before it decodes.
bool Scheduler::fits(const Job& job) const {
  const size_t n = job.generation ? job.generation->n_tokens() : job.request.prompt.size();
  return job.session.kv.pages_to_extend(n + 1) <= engine_.model_->n_available_pages();
}

// The oldest first, and nobody past one who does not fit yet: it would wait for ever.
void Scheduler::admit() {
  while (!waiting_.empty() && running_.size() < options_.n_running && (running_.empty() || fits(*waiting_.front()))) {
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    Job& job = *running_.back();
    if (!job.generation) job.generation.emplace(*engine_.model_, job.session, job.request);
    job.generation->find_prefix();
  }
}

void Scheduler::pause_youngest() {
  JobPtr job = std::move(running_.back());
  running_.pop_back();
  job->session.truncate(0);
  waiting_.push_front(std::move(job));
  ++n_pauses_;
}

// Who is computed in this step, and how much: those who decode, then prompts, oldest first. Where pages run out, the
// youngest gives up its own until the others have enough.
std::vector<Scheduler::Job*> Scheduler::schedule() {
  while (true) {
    std::vector<Job*> chosen;
    size_t rest = options_.n_batch, n_pages = 0;
    const auto choose = [&](Job& job, size_t n_most) {
      job.next = job.generation->next(n_most);
      n_pages += job.session.kv.pages_to_extend(job.next.tokens.size());
      chosen.push_back(&job);
    };
    for (const JobPtr& job : running_)
      if (job->generation->is_decoding()) choose(*job, 1);
    for (const JobPtr& job : running_) {
      if (rest == 0 || job->generation->is_decoding()) continue;
      choose(*job, rest);
      rest -= job->next.tokens.size();
    }
    const Result<> room = engine_.model_->make_room(n_pages);
    if (room) return chosen;
    if (running_.size() > 1) {
      pause_youngest();
      continue;
    }
    const JobPtr job = std::move(running_.back());
    running_.pop_back();
    finish(*job, std::unexpected(room.error()));
    return {};
  }
}

bool Scheduler::step() {
  admit();
  if (running_.empty()) return false;
  const std::vector<Job*> chosen = schedule();
  if (chosen.empty()) return true;
  std::vector<Extension> extensions;
  for (const Job* job : chosen) extensions.push_back(job->next);
  std::span<const float> logits = engine_.model_->compute(extensions);
  const size_t n_vocab = engine_.facts().n_vocab;
  for (Job* job : chosen) {
    job->generation->take(job->next.wants_logits ? logits.first(n_vocab) : std::span<const float>());
    if (job->next.wants_logits) logits = logits.subspan(n_vocab);
  }
  // Callbacks may submit or cancel: what they change is not walked over.
  std::vector<JobPtr> done;
  for (JobPtr& job : running_)
    if (job->generation->done()) done.push_back(std::move(job));
  std::erase(running_, nullptr);
  for (const JobPtr& job : done) finish(*job, job->generation->take_answer());
  return true;
}

}  // namespace ogas
