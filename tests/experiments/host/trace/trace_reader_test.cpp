#include "experiments/host/trace/trace_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "experiments/base/diagnostics.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"
#include "tests/support/trace_text.h"

namespace experiments::trace_reader_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string fixture(const std::string& name) {
  return (tests::source_tests() / "experiments" / "host" / "trace" / name).string();
}

TraceContents contents_of(const std::string& file) {
  TraceReader reader(file);
  while (reader.next()) {
  }
  return reader.contents();
}

TraceContents contents_of_text(const std::string& text) {
  const tests::TemporaryFolder folder;
  return contents_of(folder.write("trace.txt", text));
}

std::string complaint_about(const std::string& text) {
  try {
    (void)contents_of_text(text);
    return "";
  } catch (const InputError& error) {
    const std::string what = error.what();
    return what.substr(what.find("trace.txt"));
  } catch (const UsageError& error) {
    return error.what();
  }
}

std::string two_events() { return tests::TraceText().ask("a", 1, 10, "read").get("a", 1, 12, "read").text(); }

TEST(TraceReader, TellsTheFormsApart) {
  EXPECT_EQ(contents_of(fixture("linux-6.18-perf-script.txt")).form, "perf script");
  EXPECT_EQ(contents_of(fixture("linux-6.12-ftrace.txt")).form, "ftrace");
  EXPECT_EQ(contents_of_text("cpus=2\n" + two_events()).form, "trace-cmd report");
}

TEST(TraceReader, ReadsWhatIsPackedAsWhatIsNot) {
  const tests::TemporaryFolder folder;
  const std::string plain = folder.write("trace.txt", two_events());
  for (const char* const packer : {"gzip", "xz", "zstd"}) {
    const std::string packed = folder / "trace.packed";
    ASSERT_EQ(tests::run_program({"sh", "-c", std::string(packer) + " -c " + plain + " > " + packed}).code, 0);
    EXPECT_EQ(contents_of(packed).all(), 2U) << packer;
  }
}

TEST(TraceReader, PassesOverStacksCommentsAndNotesOfLostEvents) {
  const TraceContents contents = contents_of_text("# captured on: today\n" + two_events() +
                                                  "\tffffffff8124abcd do_fault+0x1 ([kernel.kallsyms])\n\n"
                                                  "CPU:1 [LOST 34 EVENTS]\n" +
                                                  tests::TraceText().drop("a", 1, 20, "read").text());
  EXPECT_EQ(contents.all(), 3U);
  EXPECT_TRUE(contents.lost_any);
  EXPECT_EQ(contents.lost, 34U);
}

TEST(TraceReader, ClocksOfCpusMayDifferAndTimeDoesNotGoBackForThat) {
  const tests::TemporaryFolder folder;
  TraceReader reader(folder.write(
      "trace.txt",
      tests::TraceText().ask("a", 1, 1000, "read").get("a", 1, 1100, "read").ask("b", 2, 1090, "read").text()));
  sim::Nanoseconds last{};
  while (const auto event = reader.next()) {
    EXPECT_GE(event->time, last);
    last = event->time;
  }
  EXPECT_EQ(last, std::chrono::microseconds{1100});
}

TEST(TraceReader, RefusesLinesThatAreOutOfOrder) {
  EXPECT_THAT(complaint_about(tests::TraceText().ask("a", 1, 9000, "read").get("a", 1, 1000, "read").text()),
              AllOf(HasSubstr("trace.txt:2:1: "), HasSubstr("in the order of time"), HasSubstr("8.00 ms")));
}

TEST(TraceReader, RefusesATraceThatIsCutInTheMiddleOfALine) {
  const std::string whole = two_events();
  for (const std::size_t left : {whole.size() - 1, whole.size() - 5, whole.size() - 30, whole.size() - 60}) {
    EXPECT_THAT(complaint_about(whole.substr(0, left)), AllOf(HasSubstr("trace.txt:2:1: "), HasSubstr("was it cut?")));
  }
}

TEST(TraceReader, RefusesWhatIsEmptyOrOfAnotherTool) {
  EXPECT_THAT(complaint_about(""), HasSubstr("expected a trace, found nothing"));
  EXPECT_THAT(complaint_about("# tracer: nop\n#\n"), HasSubstr("expected a trace, found nothing"));
  EXPECT_THAT(complaint_about("execve(\"/bin/true\", [\"true\"], 0x7ffe) = 0\n"),
              AllOf(HasSubstr("trace.txt:1:1: expected a line of perf script"), HasSubstr("found 'execve(")));
  EXPECT_THAT(complaint_about(two_events() + "Performance counter stats for 'true':\n"), HasSubstr("trace.txt:3:1: "));
  EXPECT_THAT(complaint_about("PERFILE2 and so on"), HasSubstr("perf script --ns -i"));
}

TEST(TraceReader, RefusesALineWithoutAnEnd) {
  EXPECT_THAT(complaint_about(two_events() + std::string(3'000'000, 'x')),
              AllOf(HasSubstr("trace.txt:3:1: "), HasSubstr("more than 64 KiB")));
}

TEST(TraceReader, RefusesWhatCannotBeUnpackedToItsEnd) {
  const tests::TemporaryFolder folder;
  const std::string plain = folder.write("plain", two_events());
  const std::string cut = folder / "trace.txt";
  ASSERT_EQ(tests::run_program({"sh", "-c", "gzip -c " + plain + " | head -c 60 > " + cut}).code, 0);
  EXPECT_THROW((void)contents_of(cut), InputError);
}

TEST(TraceReader, RefusesWhatIsNotThere) { EXPECT_THROW(TraceReader("/no/such/file"), UsageError); }

}  // namespace
}  // namespace experiments::trace_reader_test
