#include "engine/scheduler.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "engine/engine_core.h"
#include "engine/model_kernels.h"
#include "engine/sequence.h"
#include "engine/step.h"

namespace ogas {
namespace {

// How many whole pages of both are the same, in tokens; each has more.
size_t n_shared(std::span<const TokenId> a, std::span<const TokenId> b) {
  const size_t n_max = std::min(a.size(), b.size()) - 1;
  const auto end = std::ranges::mismatch(a.first(n_max), b.first(n_max)).in1;
  return static_cast<size_t>(end - a.begin()) / KvLayout::kPagePositions * KvLayout::kPagePositions;
}

}  // namespace

struct Scheduler::Job {
  using Clock = std::chrono::steady_clock;

  Job(RequestId number, KvManager& kv, Request asked, Done when_done)
      : id(number), request(std::move(asked)), done(std::move(when_done)), session(kv.cache()) {
    // Beyond a century is never: the clock's numbers do not hold any time.
    constexpr double kNever = 3e9;
    if (request.deadline_seconds > 0 && request.deadline_seconds < kNever)
      deadline = Clock::now() +
                 std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(request.deadline_seconds));
  }

  RequestId id;
  Request request;
  Done done;
  Session session;
  Clock::time_point deadline = Clock::time_point::max();
  std::optional<Sequence> sequence;  // once it was running
};

Scheduler::Scheduler(Engine& engine, const SchedulerOptions& options)
    : core_(engine.core()), options_(options), steps_(std::make_unique<StepRunner>(core_.runner)) {
  if (options_.n_batch == 0) options_.n_batch = core_.options().n_batch;
  options_.n_running = std::max(options_.n_running, 1U);
  min_chunk_ = std::min(min_batch(core_.model.kernels), options_.n_batch);
  chunk_ = min_chunk_;
}

Scheduler::~Scheduler() = default;

Result<Scheduler::RequestId> Scheduler::submit(Request request, Done done) {
  OGAS_TRY(Sequence::check(core_.model, request));
  if (waiting_.size() >= options_.n_waiting)
    return fail(ErrorCode::unavailable, "{} requests are waiting; try again later", waiting_.size());
  start_counting(request.client);
  waiting_.push_back(std::make_unique<Job>(next_id_, core_.kv, std::move(request), std::move(done)));
  return next_id_++;
}

Result<std::vector<Scheduler::RequestId>> Scheduler::submit_choices(const Request& request, uint32_t n,
                                                                    uint32_t best_of, AllDone done) {
  const bool ranks = best_of > 0;
  const uint32_t n_all = ranks ? best_of : n;
  if (n == 0 || n_all < n) return fail(ErrorCode::usage, "the best {} of {} answers", n, n_all);
  if (n_all > options_.n_waiting - std::min<size_t>(waiting_.size(), options_.n_waiting))
    return fail(ErrorCode::unavailable, "{} requests are waiting, and at most {} may; these are {}", waiting_.size(),
                options_.n_waiting, n_all);
  struct Choices {
    std::vector<Answer> answers;
    std::optional<Error> error;
    size_t n_missing;
  };
  const auto choices = std::make_shared<Choices>(Choices{std::vector<Answer>(n_all), std::nullopt, n_all});
  std::vector<RequestId> ids;
  for (uint32_t idx = 0; idx < n_all; ++idx) {
    Request one = request;
    one.on_text = {};
    one.sampling.seed += idx;
    one.sampling.report_logprob |= ranks;
    ids.push_back(OGAS_TRY(submit(std::move(one), [choices, idx, n, ranks, done,
                                                   wants_logprobs = request.sampling.wants_logprobs()](auto answer) {
      if (answer)
        choices->answers[idx] = *std::move(answer);
      else
        choices->error = std::move(answer).error();
      if (--choices->n_missing > 0) return;
      if (choices->error) return done(std::unexpected(*choices->error));
      if (ranks) std::ranges::stable_sort(choices->answers, std::ranges::greater{}, &Answer::mean_logprob);
      choices->answers.resize(n);
      if (!wants_logprobs)
        for (Answer& kept : choices->answers) kept.logprobs.clear();
      done(std::move(choices->answers));
    })));  // none fails where the first did not
  }
  return ids;
}

// A client that was away is not owed for it: it begins where the client that had the least is now.
void Scheduler::start_counting(const std::string& client) {
  double min = std::numeric_limits<double>::infinity();
  bool is_active = false;
  for (const auto* jobs : {&waiting_, &running_})
    for (const JobPtr& job : *jobs) {
      min = std::min(min, served_[job->request.client]);
      is_active |= job->request.client == client;
    }
  if (min == std::numeric_limits<double>::infinity()) served_.clear();  // there are no other requests
  double& own = served_[client];
  if (!is_active && own < min && min < std::numeric_limits<double>::infinity()) own = min;
}

void Scheduler::finish(Job& job, Result<Answer> answer) {
  job.session.truncate(0);
  job.done(std::move(answer));
}

// With what it has, which may be nothing.
void Scheduler::end(Job& job, FinishReason reason) {
  if (!job.sequence) job.sequence.emplace(core_, job.session, job.request);
  job.sequence->end(reason);
  finish(job, job.sequence->take_answer());
}

bool Scheduler::cancel(RequestId id) {
  const auto cancel_among = [&](auto& jobs) {
    const auto found = std::ranges::find(jobs, id, &Job::id);
    if (found == jobs.end()) return false;
    const JobPtr job = std::move(*found);
    jobs.erase(found);
    end(*job, FinishReason::cancelled);
    return true;
  };
  return cancel_among(running_) || cancel_among(waiting_);
}

void Scheduler::end_overdue() {
  const auto now = Job::Clock::now();
  std::vector<JobPtr> overdue;  // callbacks may submit or cancel: what they change is not walked over
  for (auto* jobs : {&running_, &waiting_}) {
    for (JobPtr& job : *jobs)
      if (job->deadline <= now) overdue.push_back(std::move(job));
    std::erase(*jobs, nullptr);
  }
  for (const JobPtr& job : overdue) end(*job, FinishReason::deadline);
}

bool Scheduler::comes_before(const Job& a, const Job& b) const {
  if (a.request.priority != b.request.priority) return a.request.priority > b.request.priority;
  const double served_a = served_.at(a.request.client), served_b = served_.at(b.request.client);
  return std::tie(served_a, a.deadline, a.id) < std::tie(served_b, b.deadline, b.id);
}

// Whether there is memory for all that a request has to compute before it decodes.
bool Scheduler::fits(const Job& job) const {
  const size_t n = job.sequence ? job.sequence->tokens().size() : job.request.prompt.size();
  return core_.kv.layout().bytes_of_pages(n + 1, options_.n_batch) <= core_.kv.bytes_available();
}

// The first in rank, and none after one that does not fit yet: that one would wait for ever.
void Scheduler::admit() {
  while (!waiting_.empty()) {
    const auto first =
        std::ranges::min_element(waiting_, [&](const JobPtr& a, const JobPtr& b) { return comes_before(*a, *b); });
    if (!running_.empty() && (running_.size() >= options_.n_running || !fits(**first))) {
      const size_t last = last_in_rank();
      if (running_[last]->request.priority >= (*first)->request.priority) return;
      preempt(last);
      continue;
    }
    running_.push_back(std::move(*first));
    waiting_.erase(first);
    Job& job = *running_.back();
    if (!job.sequence) job.sequence.emplace(core_, job.session, job.request);
    job.sequence->match_prefix();
    share_beginning(job);
  }
}

// Where snapshots are needed only these are shared: the first one to come where prompts differ takes one.
void Scheduler::share_beginning(Job& job) {
  for (const JobPtr& other : running_) {
    if (other.get() == &job || other->sequence->is_decoding()) continue;
    const size_t n = n_shared(job.sequence->tokens(), other->sequence->tokens());
    if (n <= job.sequence->n_computed() || n <= other->sequence->n_computed()) continue;
    job.sequence->want_snapshot(n);
    other->sequence->want_snapshot(n);
  }
}

// The one that gives up its pages first: the youngest of the lowest priority.
size_t Scheduler::last_in_rank() const {
  const auto last = std::ranges::max_element(
      running_, {}, [](const JobPtr& job) { return std::pair(-int64_t{job->request.priority}, job->id); });
  return static_cast<size_t>(last - running_.begin());
}

void Scheduler::preempt(size_t running_idx) {
  JobPtr job = std::move(running_[running_idx]);
  running_.erase(running_.begin() + static_cast<ptrdiff_t>(running_idx));
  job->sequence->preempt();
  waiting_.push_back(std::move(job));
  ++n_preemptions_;
}

// Whether one of those before it is about to compute the page that the job needs next, or where snapshots are needed
// all that both have.
bool Scheduler::waits_for_shared_page(Job& job, std::span<Job* const> before) {
  constexpr size_t kPage = KvLayout::kPagePositions;
  const KvManager& kv = core_.kv;
  if (!kv.has_prefix_cache() || job.sequence->wants_prompt_logprobs() || job.sequence->n_computed() % kPage != 0)
    return false;
  job.sequence->match_prefix();  // what they have computed since
  const size_t n_computed = job.sequence->n_computed();
  return std::ranges::any_of(before, [&](const Job* other) {
    const size_t n = n_shared(job.sequence->tokens(), other->sequence->tokens());
    const size_t end = kv.layout().needs_snapshots() ? n : n_computed + kPage;
    return n > n_computed && other->sequence->n_computed() < end;
  });
}

// None where it is not known yet how long a step takes without prompts, or the last steps took too long.
size_t Scheduler::prompt_tokens_with(size_t n_decoding) {
  if (options_.max_delay <= 0) return options_.n_batch;
  if (decode_seconds_.size() <= n_decoding) decode_seconds_.resize(n_decoding + 1);
  if (decode_seconds_[n_decoding] == 0 || delay_ > 0) return 0;
  return chunk_;
}

void Scheduler::learn_from(size_t n_decoding, bool has_prompts, double seconds) {
  if (options_.max_delay <= 0 || n_decoding == 0) return;
  if (decode_seconds_.size() <= n_decoding) decode_seconds_.resize(n_decoding + 1);
  double& alone = decode_seconds_[n_decoding];
  constexpr double kNew = 0.25;
  if (!has_prompts) alone = alone == 0 ? seconds : (1 - kNew) * alone + kNew * seconds;
  if (alone == 0) return;
  const double max = options_.max_delay * alone;
  delay_ = std::clamp(delay_ + seconds - max, 0.0, 4 * max);
  if (!has_prompts) return;
  constexpr double kMargin = 0.95;
  const double change = (kMargin * max - alone) / std::max(seconds - alone, 1e-9);
  chunk_ = static_cast<size_t>(static_cast<double>(chunk_) * std::clamp(change, 0.5, 1.5));
  chunk_ = std::clamp<size_t>(chunk_, min_chunk_, options_.n_batch);
}

// What is computed in this step: decoding requests, then chunks of prompts, by rank. Where pages run out, the last in
// rank is preempted until the others have enough. Valid until the next call.
std::span<Scheduler::Job* const> Scheduler::schedule() {
  while (true) {
    chosen_.clear();
    prompts_.clear();
    size_t rest = options_.n_batch;
    uint64_t n_bytes = 0;
    const auto choose = [&](Job& job, size_t n_max) {
      n_bytes += job.session.kv.prepare_to_extend(job.sequence->plan(n_max).tokens.size());
      chosen_.push_back(&job);
    };
    for (const JobPtr& job : running_)
      if (job->sequence->is_decoding())
        choose(*job, 1);
      else
        prompts_.push_back(job.get());
    if (!chosen_.empty() && !prompts_.empty()) rest = prompt_tokens_with(chosen_.size());
    std::ranges::sort(prompts_, [&](const Job* a, const Job* b) { return comes_before(*a, *b); });
    for (size_t idx = 0; idx < prompts_.size() && rest > 0; ++idx) {
      if (waits_for_shared_page(*prompts_[idx], std::span(prompts_).first(idx))) continue;
      choose(*prompts_[idx], rest);
      rest -= prompts_[idx]->sequence->planned().tokens.size();
    }
    const Result<> reserved = core_.kv.reserve(n_bytes);
    if (reserved) return chosen_;
    if (running_.size() > 1) {
      preempt(last_in_rank());
      continue;
    }
    const JobPtr job = std::move(running_.back());
    running_.pop_back();
    finish(*job, std::unexpected(reserved.error()));
    return {};
  }
}

// A pass could not be computed.
void Scheduler::fail_all(std::span<Job* const> jobs, const Error& error) {
  std::vector<JobPtr> failed;  // callbacks may submit or cancel: what they change is not walked over
  for (JobPtr& job : running_)
    if (std::ranges::find(jobs, job.get()) != jobs.end()) failed.push_back(std::move(job));
  std::erase(running_, nullptr);
  for (const JobPtr& job : failed) finish(*job, std::unexpected(error));
}

// A token of an answer counts twice: it takes a pass.
void Scheduler::charge(const Job& job) {
  const BatchItem& planned = job.sequence->planned();
  const double weight = planned.kind == RowKind::decode ? 2 : 1;
  served_[job.request.client] += weight * static_cast<double>(planned.tokens.size());
}

bool Scheduler::step() {
  end_overdue();
  admit();
  if (running_.empty()) return false;
  const std::span<Job* const> chosen = schedule();
  if (chosen.empty()) return true;
  sequences_.clear();
  for (Job* job : chosen) sequences_.push_back(&*job->sequence);
  const auto n_decoding =
      static_cast<size_t>(std::ranges::count_if(chosen, [](const Job* job) { return job->sequence->is_decoding(); }));
  for (const Job* job : chosen) charge(*job);
  const auto cost = steps_->run(sequences_);
  if (!cost) {
    fail_all(chosen, cost.error());
    return true;
  }
  learn_from(n_decoding, n_decoding < chosen.size(), cost->seconds);
  // Callbacks may submit or cancel: what they change is not walked over.
  std::vector<JobPtr> done;
  for (JobPtr& job : running_)
    if (job->sequence->done()) done.push_back(std::move(job));
  std::erase(running_, nullptr);
  for (const JobPtr& job : done) finish(*job, job->sequence->take_answer());
  return true;
}

}  // namespace ogas
