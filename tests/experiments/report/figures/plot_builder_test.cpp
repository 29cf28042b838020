#include "experiments/report/figures/plot_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace experiments::plot_builder_test {
namespace {

using testing::HasSubstr;

PlotBuilder a_plot() { return {"a plot", "Title", {"policy", "x", "y"}}; }

TEST(PlotBuilder, MakesTheDataOfItsRows) {
  PlotBuilder plot = a_plot();
  plot.row({"one, two", "1", digits(1.0 / 3, 4)});
  EXPECT_EQ(plot.figure("", "").plot.data, "policy,x,y\n\"one, two\",1,0.3333\n");
}

TEST(PlotBuilder, WritesAxesInTheirOrderAndTheCurvesLast) {
  PlotBuilder plot = a_plot();
  plot.curve("DATA using 2:3 with lines");
  plot.range("x", "0", "*");
  plot.tics("x", {{"half", 0.5}});
  plot.rows(2, {{"first", 0}});
  plot.label("x", "it's (ns)");
  plot.unset("grid");
  plot.curve("DATA using 2:1 with points");
  EXPECT_EQ(plot.figure("", "").plot.commands,
            "set xrange [0:*]\nset xtics ('half' 0.5)\nset yrange [2.6:-0.6]\nset ytics ('first' 0)\n"
            "set xlabel 'it''s (ns)'\nunset grid\n"
            "plot \\\n DATA using 2:3 with lines, \\\n DATA using 2:1 with points\n");
}

TEST(PlotBuilder, AFigureOfSeveralPlotsHasTheCurvesOfEachThere) {
  PlotBuilder plot = a_plot();
  plot.curve("DATA using 1");
  plot.plot();
  plot.unset("key");
  plot.curve("DATA using 2");
  EXPECT_EQ(plot.figure("", "").plot.commands, "plot \\\n DATA using 1\nunset key\nplot \\\n DATA using 2\n");
}

TEST(PlotBuilder, ALogarithmicAxisOfTimesHasRoomBeyondBothEnds) {
  PlotBuilder plot = a_plot();
  plot.log_times("y", 1300, 1e6);
  EXPECT_THAT(plot.figure("", "").plot.commands,
              HasSubstr("set logscale y\nset yrange [1000:1300000]\nset ytics ('1 µs' 1000, '10 µs' 10000"));
}

TEST(PlotBuilder, CarriesWhatIsSaidAboutIt) {
  PlotBuilder plot = a_plot();
  plot.height(500);
  const Figure figure = plot.figure("<b>caption</b>", "description");
  EXPECT_EQ(figure.plot.name, "a_plot");
  EXPECT_EQ(figure.plot.height, 500);
  EXPECT_EQ(figure.title, "Title");
  EXPECT_EQ(figure.caption, "<b>caption</b>");
  EXPECT_EQ(figure.description, "description");
}

TEST(PlotBuilder, ARowIsChosenByTheTextOfAColumn) {
  EXPECT_EQ(where(3, "it's", "$4"), "(strcol(3) eq 'it''s' ? $4 : NaN)");
}

}  // namespace
}  // namespace experiments::plot_builder_test
