// ogas top: a running server, live.
#include <poll.h>

#include <algorithm>
#include <chrono>

#include "cli/commands/commands.h"
#include "cli/options/help.h"
#include "cli/report/traffic_report.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/full_screen.h"
#include "cli/terminal/terminal.h"
#include "client/http_client.h"
#include "client/prometheus.h"
#include "client/server_traffic.h"
#include "client/server_url.h"

namespace ogas::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct TopOptions {
  std::string url = "http://127.0.0.1:8080";
  double interval = 1;  // seconds
  bool once = false, json = false;
};

std::chrono::milliseconds to_duration(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

// The server and what was seen of it.
class Watch {
 public:
  static Result<Watch> create(const TopOptions& options);

  // Asks once.
  Result<> look();
  void set_interrupts(std::vector<int> descriptors) { http_.set_interrupts(std::move(descriptors)); }
  const client::TrafficHistory& history() const { return history_; }
  client::TrafficHistory& history() { return history_; }
  const std::string& root() const { return root_; }

 private:
  Watch(client::HttpClient http, std::string root) : http_(std::move(http)), root_(std::move(root)) {}

  client::HttpClient http_;
  std::string root_;
  client::TrafficHistory history_;
};

Result<Watch> Watch::create(const TopOptions& options) {
  client::ServerUrl url = OGAS_TRY(client::parse_server_url(options.url));
  client::HttpOptions http{.key = OGAS_TRY(client::key_from_environment(url))};
  http.connect_time = http.silence_time = http.whole_time = std::chrono::seconds(5);
  return Watch(OGAS_TRY(client::HttpClient::create(std::move(http))), std::move(url.root));
}

Result<> Watch::look() {
  const std::string url = root_ + "/metrics";
  const std::string text = OGAS_TRY(http_.get(url));
  const auto samples = client::parse_prometheus(text);
  if (!samples) return fail_within(samples.error(), "{}", url);
  auto counters = client::ServerCounters::of(*samples);
  if (counters.is_empty())
    return fail(ErrorCode::unsupported, "{}: among {} metrics there is none of a server that ogas top knows", url,
                samples->size());
  history_.add(Clock::now(), std::move(counters));
  return {};
}

// Two looks, since rates are differences.
Result<int> report_once(Watch& watch, const TopOptions& options) {
  OGAS_TRY(watch.look());
  ::poll(nullptr, 0, static_cast<int>(to_duration(options.interval).count()));
  OGAS_TRY(watch.look());
  if (options.json) {
    write_json(load_json(watch.history(), watch.root()), 2);
    return kSuccess;
  }
  std::string text = style_stdout(Style::bold, watch.root()) + "\n";
  for (const std::string& line : load_lines(watch.history(), 80, /*with_history=*/false)) text += line + "\n";
  write_stdout(text);
  return kSuccess;
}

void draw(FullScreen& screen, const Watch& watch, const std::string& problem) {
  std::vector<std::string> lines = {style_stdout(Style::bold, "ogas top") + " " + watch.root()};
  if (!problem.empty()) {
    lines.push_back(style_stdout(Style::error, printable_line(problem)));
    lines.emplace_back("trying again");
  } else if (!watch.history().is_empty()) {
    for (std::string& line : load_lines(watch.history(), screen.n_columns(), /*with_history=*/true))
      lines.push_back(std::move(line));
  } else {
    lines.emplace_back("asking");
  }
  // The hint is in the last row, if that is free.
  const auto n_rows = static_cast<size_t>(screen.n_rows());
  while (lines.size() + 1 < n_rows) lines.emplace_back();
  lines.push_back(style_stdout(Style::dim, "q leaves"));
  screen.draw(lines);
}

Result<int> show_live(Watch& watch, const TopOptions& options) {
  FullScreen screen;
  watch.set_interrupts(screen.descriptors());
  std::string problem;
  draw(screen, watch, problem);
  for (;;) {
    const Clock::time_point next = Clock::now() + to_duration(options.interval);
    const auto seen = watch.look();
    // A key ends the look early; what it says is read below.
    if (seen || seen.error().code != ErrorCode::cancelled) problem = seen ? "" : seen.error().message;
    if (!problem.empty()) watch.history().forget();
    draw(screen, watch, problem);
    for (;;) {
      const FullScreen::Event event = screen.wait_until(next);
      if (event == FullScreen::Event::leave) return kSuccess;
      if (event == FullScreen::Event::none) break;
      draw(screen, watch, problem);
    }
  }
}

Result<int> top(const TopOptions& options) {
  Watch watch = OGAS_TRY(Watch::create(options));
  if (options.once || options.json || !FullScreen::is_possible()) return report_once(watch, options);
  return show_live(watch, options);
}

CLI::Validator interval() {
  return {[](const std::string& text) -> std::string {
            double seconds = 0;
            return CLI::detail::lexical_cast(text, seconds) && seconds >= 0.1 && seconds <= 3600
                       ? ""
                       : "the interval is not a number of seconds between 0.1 and 3600";
          },
          ""};
}

}  // namespace

void add_top(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* top_app = app.add_subcommand("top", "Watch a running server");
  top_app->add_option("URL", options->url, "The server (default: http://127.0.0.1:8080)")->type_name("URL");
  top_app->add_option("-i,--interval", options->interval, "Seconds between two reports")
      ->type_name("S")
      ->check(interval())
      ->capture_default_str();
  top_app->add_flag("--once", options->once, "One report, of one interval; the default if stdout is not a terminal");
  top_app->add_flag("--json", options->json, "The report as JSON");
  top_app->footer(
      "Reads /metrics of ogas serve, and what it knows of other servers. q or Ctrl-C quits.\n"
      "Token rates are of the last 10 seconds, latencies of the last minute.\n"
      "A key is taken from OGAS_API_KEY or, over https or on this machine, from OPENAI_API_KEY.\n"
      "Examples:\n"
      "  ogas top\n"
      "  ogas top https://models.example.com --interval 5\n"
      "  ogas top localhost:8080 --json | jq .generated_tokens_per_second");
  when_asked(top_app, chosen, options, top);
}

}  // namespace ogas::cli
