#include "forecast/roofline_svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

namespace ogas {
namespace {

Roofline roofline(std::vector<RooflinePoint> points) {
  return {.title = "a model", .bandwidth = 20e9, .peak = 0.7e12, .peak_name = "peak", .points = std::move(points)};
}

// Whether every element that is opened is closed, in order, with text that has no markup of its own.
bool is_well_formed(const std::string& xml) {
  std::vector<std::string> open;
  const std::regex tag(R"(<(/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<&]*")*)(/?)>)");
  size_t end = 0;
  for (auto it = std::sregex_iterator(xml.begin(), xml.end(), tag); it != std::sregex_iterator(); ++it) {
    const std::string between = xml.substr(end, static_cast<size_t>(it->position()) - end);
    if (between.find('<') != std::string::npos || std::regex_search(between, std::regex("&(?!(amp|lt|gt|quot);)")))
      return false;
    end = static_cast<size_t>(it->position() + it->length());
    if ((*it)[1] == "/") {
      if (open.empty() || open.back() != (*it)[2]) return false;
      open.pop_back();
    } else if ((*it)[4] != "/") {
      open.push_back((*it)[2]);
    }
  }
  return open.empty() && xml.substr(end) == "\n";
}

struct Point {
  double x, y;
};

// The values of attributes a and b of all elements of this class.
std::vector<Point> points_of(const std::string& svg, const std::string& name, const std::string& a,
                             const std::string& b) {
  std::vector<Point> found;
  const std::regex element("class=\"" + name + "\" " + a + "=\"([0-9.-]+)\" " + b + "=\"([0-9.-]+)\"");
  for (auto it = std::sregex_iterator(svg.begin(), svg.end(), element); it != std::sregex_iterator(); ++it)
    found.push_back({std::stod((*it)[1]), std::stod((*it)[2])});
  return found;
}

TEST(RooflineSvg, IsWellFormedWhateverNamesSay) {
  Roofline r = roofline({{"<b>&\"", 3, 1e10}});
  r.title = "a<b> & \"c\"";
  const std::string svg = roofline_svg(r);
  EXPECT_TRUE(is_well_formed(svg)) << svg;
  EXPECT_THAT(svg, ::testing::HasSubstr(">a&lt;b&gt; &amp; &quot;c&quot;</text>"));
  EXPECT_FALSE(is_well_formed("<svg><text>a & b</text></svg>\n"));
  EXPECT_FALSE(is_well_formed("<svg><text></svg></text>\n"));
}

TEST(RooflineSvg, PointsAndNamesLieInsideTheAxes) {
  // The frame: grid lines at its edges.
  for (const double intensity : {1e-3, 1.0, 35.0, 1e3, 99999.0}) {
    for (const double kernels : {1.0, 1e9, 6.9e11}) {
      const std::string svg = roofline_svg(roofline({{"a point with a name", intensity, kernels}, {"other", 2, 3e10}}));
      const auto grid = points_of(svg, "grid", "x1", "y1");
      ASSERT_FALSE(grid.empty());
      const auto [left, right] = std::ranges::minmax(grid, {}, &Point::x);
      const auto [top, bottom] = std::ranges::minmax(grid, {}, &Point::y);
      const auto points = points_of(svg, "point", "cx", "cy");
      const auto names = points_of(svg, "name", "x", "y");
      ASSERT_EQ(points.size(), 2U);
      ASSERT_EQ(names.size(), 2U);
      for (const auto& all : {points, names}) {
        for (const Point& point : all) {
          EXPECT_GE(point.x, left.x) << svg;
          EXPECT_LE(point.x, 836) << svg;
          EXPECT_GE(point.y, top.y) << svg;
          EXPECT_LE(point.y, bottom.y) << svg;
        }
      }
    }
  }
}

TEST(RooflineSvg, AxesAreLogarithmicAndSharesRelativeToTheRoof) {
  // Below the corner at 35 operations a byte memory is the roof, beyond it the peak.
  const std::string svg = roofline_svg(roofline({{"a", 1, 1e10}, {"b", 10, 1e11}, {"c", 100, 0.35e12}}));
  for (const char* label : {">a · 50%<", ">b · 50%<", ">c · 50%<"}) EXPECT_THAT(svg, ::testing::HasSubstr(label));
  const auto points = points_of(svg, "point", "cx", "cy");
  ASSERT_EQ(points.size(), 3U);
  EXPECT_NEAR(points[1].x - points[0].x, points[2].x - points[1].x, 0.2);
  EXPECT_LT(points[1].y, points[0].y);  // up is more
}

TEST(RooflineSvg, NamesOfPointsInOnePlaceDoNotCoverEachOther) {
  std::vector<RooflinePoint> points(6, {"prefill 512", 70, 3e11});
  const auto names = points_of(roofline_svg(roofline(points)), "name", "x", "y");
  ASSERT_EQ(names.size(), 6U);
  for (size_t a = 0; a < names.size(); ++a)
    for (size_t b = a + 1; b < names.size(); ++b)
      EXPECT_TRUE(std::abs(names[a].x - names[b].x) > 70 || std::abs(names[a].y - names[b].y) > 12) << a << " " << b;
}

}  // namespace
}  // namespace ogas
