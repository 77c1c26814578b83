#include "cli/bench/bench_report.h"

#include <algorithm>

#include "base/file.h"
#include "base/memory.h"
#include "base/quote.h"
#include "cli/terminal/terminal.h"
#include "engine/answer_figures.h"

namespace ogas::cli {
namespace {

using Json = nlohmann::ordered_json;

double giga(double value) { return value / 1e9; }

Json machine_json(const Machine& machine) {
  Json products = Json::object();
  for (size_t kind = 0; kind < kWeightKinds; ++kind)
    products[std::string(name_of(static_cast<WeightKind>(kind)))] = {
        {"ops_per_s", machine.product[kind].kernels}, {"instruction", machine.product[kind].instruction}};
  return {{"read_bytes_per_s", machine.bandwidth}, {"products", products}};
}

Json figure_json(const Figure& figure, const Machine& machine) {
  if (!figure.skipped.empty()) return {{"skipped", figure.skipped}};
  const double limit = figure.work.limit(machine);
  Json json = {{"tokens_per_s", figure.rate.value},
               {"spread", figure.rate.spread},
               {"limit", limit},
               {"limited_by", figure.work.is_bound_by_memory(machine) ? "memory" : "products"},
               {"peak_ops_per_s", figure.work.peak(machine)},
               {"fraction", figure.rate.value / limit},
               {"ops_per_byte", figure.work.intensity()},
               {"ops_per_s", figure.kernels()}};
  if (const auto& overlap = figure.overlap)
    json["overlap"] = {{"tokens", overlap->experts.n_tokens},        {"seconds", overlap->seconds},
                       {"reading_s", overlap->experts.busy_seconds}, {"computing_s", overlap->computing()},
                       {"bytes_read", overlap->experts.n_bytes},     {"of_longer", overlap->of_longer()}};
  return json;
}

// Below a figure.
std::string overlap_line(const Overlap& overlap) {
  const double n = static_cast<double>(std::max<uint64_t>(overlap.experts.n_tokens, 1)), ms = 1e3 / n;
  return fmt::format("{:18} {} a token from disk, {:.1f} ms; computing {:.1f}; both {:.1f}, {:.2f} x the longer\n", "",
                     format_bytes(static_cast<uint64_t>(static_cast<double>(overlap.experts.n_bytes) / n)),
                     overlap.experts.busy_seconds * ms, overlap.computing() * ms, overlap.seconds * ms,
                     overlap.of_longer());
}

// How many times faster than serial code a figure is; 0 where it was not measured.
double times_serial(const BenchReport& report, std::string_view name, double serial_rate) {
  const auto found = std::ranges::find(report.figures, name, &Figure::name);
  return found == report.figures.end() ? 0 : found->rate.value / serial_rate;
}

struct SerialRow {
  std::string_view name;
  double rate, times;
};

std::vector<SerialRow> serial_rows(const BenchReport& report) {
  std::vector<SerialRow> rows;
  const SerialSpeed& serial = *report.serial;
  for (const auto& [name, rate] : {std::pair<std::string_view, double>{"prefill 512", serial.prefill_rate},
                                   std::pair<std::string_view, double>{"decode at 0", serial.decode_rate}})
    if (const double times = times_serial(report, name, rate); times > 0) rows.push_back({name, rate, times});
  return rows;
}

Json serial_json(const BenchReport& report) {
  Json json = {{"slice", report.serial->slice}};
  for (const SerialRow& row : serial_rows(report))
    json[std::string(row.name)] = {{"serial_tokens_per_s", row.rate},
                                   {"times_serial", row.times},
                                   {"times_serial_per_thread", row.times / report.n_threads}};
  return json;
}

std::string machine_table(const BenchReport& report) {
  const Machine& machine = report.machine;
  std::string text = "memory read       ";
  for (const double bandwidth : machine.bandwidth) text += fmt::format(" {:.1f}", giga(bandwidth));
  text += fmt::format(" GB/s (1 to {} threads)\n", report.n_threads);
  for (size_t kind = 0; kind < kWeightKinds;) {
    const Peak& peak = machine.product[kind];
    std::string names;
    for (; kind < kWeightKinds && machine.product[kind].instruction == peak.instruction; ++kind)
      names += (names.empty() ? "" : ", ") + std::string(name_of(static_cast<WeightKind>(kind)));
    text += fmt::format("products           {:8.1f} Gop/s of {} weights ({})\n", giga(peak.kernels), names,
                        peak.instruction);
  }
  text += report.disk ? fmt::format("disk read          {:8.2f} GB/s\n", giga(*report.disk))
                      : "disk read           unknown\n";
  return text;
}

std::string serial_table(const BenchReport& report) {
  std::string text =
      fmt::format("\nserial: reference loops, one thread, F32, without attention;\n{}\n", report.serial->slice);
  for (const SerialRow& row : serial_rows(report))
    text += fmt::format("{:18} {:9.2f} tokens/s; here {:.0f} x serial, {:.0f} x for each thread\n", row.name, row.rate,
                        row.times, row.times / report.n_threads);
  return text;
}

}  // namespace

Json as_json(const BenchReport& report) {
  Json figures = Json::object();
  for (const Figure& figure : report.figures) figures[figure.name] = figure_json(figure, report.machine);
  Json json = {{"model", report.model},
               {"isa", report.isa},
               {"threads", report.n_threads},
               {"machine", machine_json(report.machine)},
               {"disk_bytes_per_s", report.disk ? Json(*report.disk) : Json(nullptr)},
               {"file_bytes", report.file_bytes},
               {"load_s", report.load_seconds}};
  add_figures(json, report.first_answer, &AnswerFigure::bench_json);
  json["peak_memory_bytes"] = report.peak_memory_bytes;
  json["figures"] = std::move(figures);
  if (!report.experts.is_null()) json["experts"] = report.experts;
  if (report.serial) json["serial"] = serial_json(report);
  return json;
}

std::string as_table(const BenchReport& report) {
  std::string text = fmt::format("{} · {} · {} threads\n", printable_line(report.model), report.isa, report.n_threads);
  text += machine_table(report);
  text +=
      fmt::format("load               {:8.2f} s (file of {})\n", report.load_seconds, format_bytes(report.file_bytes));
  const auto first = [&](std::string_view figure) { return answer_figure(figure).text(report.first_answer); };
  text += fmt::format("first token        {:>8} s (prompt of {})\n", first("first_token_seconds"), first("n_prompt"));
  text += fmt::format("peak memory        {:>8}\n\n", format_bytes(report.peak_memory_bytes));
  text += fmt::format("{:18} {:>9} {:>8} {:>10} {:>9}  {}\n", "", "tokens/s", "spread", "limit", "of limit", "by");
  for (const Figure& figure : report.figures) {
    const double limit = figure.work.limit(report.machine);
    text += figure.skipped.empty()
                ? fmt::format("{:18} {:9.1f} {:7.1f}% {:10.1f} {:8.1f}%  {}\n", figure.name, figure.rate.value,
                              100 * figure.rate.spread, limit, 100 * figure.rate.value / limit,
                              figure.work.is_bound_by_memory(report.machine)
                                  ? "memory"
                                  : fmt::format("{} products", name_of(figure.work.main_kind(report.machine))))
                : fmt::format("{:18} left out: {}\n", figure.name, figure.skipped);
    if (figure.overlap) text += overlap_line(*figure.overlap);
  }
  if (report.serial) text += serial_table(report);
  return text;
}

Roofline as_roofline(const BenchReport& report) {
  const Machine& machine = report.machine;
  Roofline roofline{
      .title = fmt::format("{} · {} · {} threads", printable_line(report.model), report.isa, report.n_threads),
      .bandwidth = machine.bandwidth.back(),
      .peak = 0,
      .peak_name = {},
      .points = {}};
  for (const Figure& figure : report.figures)
    if (figure.skipped.empty()) {
      // Figures differ in how much of their work is the output matrix, which may be of another kind: the highest roof.
      if (const double peak = figure.work.peak(machine); peak > roofline.peak) {
        const WeightKind kind = figure.work.main_kind(machine);
        roofline.peak = peak;
        roofline.peak_name = fmt::format("peak of {} weights ({})", name_of(kind),
                                         machine.product[static_cast<size_t>(kind)].instruction);
      }
      roofline.points.push_back({figure.name, figure.work.intensity(), figure.kernels()});
    }
  return roofline;
}

Result<Json> read_report(const std::string& path) {
  Json json = Json::parse(OGAS_TRY(read_file(path, size_t{1} << 20)), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("figures") || !json["figures"].is_object())
    return fail(ErrorCode::usage, "{} is not a report of ogas bench --json", in_quotes(path));
  return json;
}

Json compare_reports(const Json& a, const Json& b) {
  const auto rate = [](const Json& report, const std::string& name) {
    const Json& figures = report["figures"];
    const auto found = figures.find(name);
    if (found == figures.end() || !found->is_object() || !found->contains("tokens_per_s")) return 0.0;
    const Json& value = (*found)["tokens_per_s"];
    return value.is_number() ? value.get<double>() : 0.0;
  };
  Json comparison = Json::object();
  for (const auto& [name, figure] : a["figures"].items()) {
    const double first = rate(a, name), second = rate(b, name);
    if (first > 0 && second > 0) comparison[name] = {{"first", first}, {"second", second}, {"ratio", second / first}};
  }
  return comparison;
}

std::string as_table(const Json& comparison) {
  std::string table = fmt::format("{:18} {:>9} {:>9} {:>8}\n", "tokens/s", "first", "second", "ratio");
  for (const auto& [name, row] : comparison.items())
    table += fmt::format("{:18} {:9.1f} {:9.1f} {:7.2f}x\n", printable_line(name), row["first"].get<double>(),
                         row["second"].get<double>(), row["ratio"].get<double>());
  return table;
}

}  // namespace ogas::cli
