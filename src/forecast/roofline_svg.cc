#include "forecast/roofline_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace ogas {
namespace {

// In pixels: the picture, and the frame of the axes in it.
constexpr double kWidth = 860, kHeight = 560;
constexpr double kLeft = 90, kRight = 836, kTop = 56, kBottom = 496;
constexpr double kLetterWidth = 6.6, kLineHeight = 15;  // of labels of 12 pixels, in most fonts

constexpr std::string_view kStyle = R"(<style>
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .name { stroke: #ffffff; stroke-width: 4px; paint-order: stroke }
  .paper { fill: #ffffff }
  .grid { stroke: #d8dee4; stroke-width: 1 }
  .roof { fill: none; stroke: #57606a; stroke-width: 2 }
  .gap { stroke: #0969da; stroke-width: 1; stroke-dasharray: 2 3 }
  .lead { stroke: #8c959f; stroke-width: 1 }
  .point { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .name { stroke: #0d1117 }
    .paper { fill: #0d1117 }
    .grid { stroke: #30363d }
    .roof { stroke: #9198a1 }
    .gap { stroke: #58a6ff }
    .lead { stroke: #6e7681 }
    .point { fill: #58a6ff }
  }
</style>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

// A logarithmic axis from 10^low to 10^high.
struct Axis {
  double low, high;
  double begin, end;  // in pixels

  double slot(double value) const { return begin + (std::log10(value) - low) / (high - low) * (end - begin); }
};

// Decades around all of these values, with a margin.
Axis axis_around(const std::vector<double>& values, double begin, double end) {
  const auto [min, max] = std::ranges::minmax(values);
  const double low = std::floor(std::log10(min / 1.5)), high = std::ceil(std::log10(max * 1.5));
  return {low, std::max(high, low + 1), begin, end};
}

struct Box {
  double left, top, right, bottom;

  bool meets(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

// "10 k", "1 M", "100 G": powers of ten with the letters of SI.
std::string short_number(double decade) {
  constexpr std::array<std::string_view, 6> kLetters = {"", " k", " M", " G", " T", " P"};
  const int exponent = static_cast<int>(decade);
  const int idx = std::clamp(exponent / 3, 0, static_cast<int>(kLetters.size()) - 1);
  return fmt::format("{:g}{}", std::pow(10.0, exponent - 3 * idx), kLetters[static_cast<size_t>(idx)]);
}

class Drawing {
 public:
  explicit Drawing(const Roofline& roofline) : r_(roofline) {
    std::vector<double> intensities = {corner()}, kernels = {r_.peak};
    for (const RooflinePoint& point : r_.points) {
      intensities.push_back(point.intensity);
      kernels.push_back(point.kernels);
    }
    x_ = axis_around(intensities, kLeft, kRight);
    y_ = axis_around(kernels, kBottom, kTop);
  }

  std::string draw() {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" height=\"{1:g}\">\n",
        kWidth, kHeight);
    out_ += kStyle;
    out_ += fmt::format("<rect class=\"paper\" width=\"{:g}\" height=\"{:g}\"/>\n", kWidth, kHeight);
    text(kLeft, 32, "start", r_.title, "title");
    draw_grid();
    draw_roof();
    for (const RooflinePoint& point : r_.points) {
      const double x = x_.slot(point.intensity), y = y_.slot(point.kernels);
      line("gap", x, y_.slot(roof_at(point.intensity)), x, y);
      out_ += fmt::format("<circle class=\"point\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\"/>\n", x, y);
      taken_.push_back({x - 6, y - 6, x + 6, y + 6});
    }
    for (const RooflinePoint& point : r_.points) name_point(point);
    return out_ + "</svg>\n";
  }

 private:
  double corner() const { return r_.peak / r_.bandwidth; }
  double roof_at(double intensity) const { return std::min(r_.peak, r_.bandwidth * intensity); }

  void text(double x, double y, std::string_view anchor, std::string_view content, std::string_view name = "label",
            double degrees = 0) {
    const std::string turned =
        degrees == 0 ? "" : fmt::format(" transform=\"rotate({:.1f} {:.1f} {:.1f})\"", degrees, x, y);
    out_ += fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", name, x, y,
                        anchor, turned, escaped(content));
  }

  void line(std::string_view name, double x1, double y1, double x2, double y2) {
    out_ += fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", name, x1, y1,
                        x2, y2);
  }

  void draw_grid() {
    for (double decade = x_.low; decade <= x_.high; ++decade) {
      const double x = x_.slot(std::pow(10, decade));
      line("grid", x, kTop, x, kBottom);
      text(x, kBottom + 18, "middle", short_number(decade));
    }
    for (double decade = y_.low; decade <= y_.high; ++decade) {
      const double y = y_.slot(std::pow(10, decade));
      line("grid", kLeft, y, kRight, y);
      text(kLeft - 8, y + 4, "end", short_number(decade));
    }
    text((kLeft + kRight) / 2, kBottom + 42, "middle",
         "8-bit operations for each byte of weights, keys and values read");
    text(24, (kTop + kBottom) / 2, "middle", "operations a second", "label", -90);
  }

  void draw_roof() {
    const double min = std::max(std::pow(10, x_.low), std::pow(10, y_.low) / r_.bandwidth);
    const double x1 = x_.slot(min), y1 = y_.slot(r_.bandwidth * min);
    const double x2 = x_.slot(corner()), y2 = y_.slot(r_.peak);
    out_ += fmt::format("<polyline class=\"roof\" points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}\"/>\n", x1, y1, x2,
                        y2, kRight, y2);
    const double degrees = std::atan2(y2 - y1, x2 - x1) * 180 / M_PI;
    const double middle_x = (x1 + x2) / 2, middle_y = (y1 + y2) / 2;
    text(middle_x - 6, middle_y - 6, "middle", fmt::format("memory {:.1f} GB/s", r_.bandwidth / 1e9), "label", degrees);
    text(kRight - 6, y2 - 8, "end", fmt::format("{}: {:.2f} Top/s", r_.peak_name, r_.peak / 1e12));
    // Neither ceiling nor its name is written over.
    constexpr int kSteps = 40;
    for (int step = 0; step <= kSteps; ++step) {
      const double share = double(step) / kSteps;
      const double x = x1 + share * (x2 - x1), y = y1 + share * (y2 - y1);
      taken_.push_back({x - 8, y - 16, x + 2, y + 2});
    }
    taken_.push_back({x2, y2 - 24, kRight, y2 + 2});
  }

  // The free position for a label of this width that is nearest to its point, inside the axes.
  Box place_label(double x, double y, double width) const {
    Box best{x + 10, y - kLineHeight / 2, x + 10 + width, y + kLineHeight / 2};
    double nearest = std::numeric_limits<double>::max();
    for (int row = -20; row <= 20; ++row) {
      for (const double left : {x + 10, x - 10 - width, x + 50, x - 50 - width, x - width / 2}) {
        const double top = y - kLineHeight / 2 + row * kLineHeight / 2;
        const Box box{left, top, left + width, top + kLineHeight};
        const bool is_inside = left > kLeft + 2 && box.right < kRight - 2 && top > kTop + 2 && box.bottom < kBottom - 2;
        const double distance = std::hypot(left + width / 2 - x, (top + kLineHeight / 2 - y) * 2);
        if (!is_inside || distance >= nearest) continue;
        if (std::ranges::any_of(taken_, [&](const Box& other) { return box.meets(other); })) continue;
        nearest = distance;
        best = box;
      }
    }
    return best;
  }

  void name_point(const RooflinePoint& point) {
    const double x = x_.slot(point.intensity), y = y_.slot(point.kernels);
    const std::string label = fmt::format("{} · {:.0f}%", point.name, 100 * point.kernels / roof_at(point.intensity));
    const Box box = place_label(x, y, kLetterWidth * static_cast<double>(label.size()));
    taken_.push_back(box);
    const double middle = (box.top + box.bottom) / 2;
    if (std::abs(middle - y) > kLineHeight || box.left - x > 20 || x - box.right > 20)
      line("lead", x, y, std::clamp(x, box.left, box.right), middle);
    text(box.left + 2, box.bottom - 4, "start", label, "name");
  }

  const Roofline& r_;
  Axis x_{}, y_{};
  std::vector<Box> taken_;  // by points, names and the roof
  std::string out_;
};

}  // namespace

std::string roofline_svg(const Roofline& roofline) { return Drawing(roofline).draw(); }

}  // namespace ogas
