// A roofline (Williams et al. 2009) as an SVG picture: measured points, below the limits of memory and arithmetic.
#pragma once

#include <string>
#include <vector>

namespace ogas {

struct RooflinePoint {
  std::string name;
  double intensity = 0;  // operations a byte read
  double kernels = 0;    // operations a second
};

struct Roofline {
  std::string title;
  double bandwidth = 0;  // bytes a second
  double peak = 0;       // operations a second
  std::string peak_name;
  std::vector<RooflinePoint> points;
};

// Both axes are logarithmic and reach from decade to decade around all points and the corner of the roof. Every point
// has a label with its share of the roof above it. Needs no font or style sheet of its own, and follows the reader's
// light or dark colours. All numbers must be greater than 0.
std::string roofline_svg(const Roofline& roofline);

}  // namespace ogas
