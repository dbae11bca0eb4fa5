// What a benchmark found, for people: on the terminal while it runs, and in docs/benchmarks.md.
#pragma once

#include <string>
#include <vector>

namespace iq::bench {

// Figures of one kind from several runs, in the order of the runs.
struct Series {
  std::string label;
  std::vector<double> values{};

  double Median() const;
  double Min() const;
  double Max() const;
};

// A table in Markdown; the first row is of titles.
std::string MarkdownTable(const std::vector<std::vector<std::string>>& rows);

// Bars from zero to the medians, with a line from minimum to maximum on each.
std::string Svg(const std::string& title, const std::vector<Series>& series);

// What the shell command prints.
std::vector<std::string> OutputLines(const std::string& command);

// The machine and the versions of what runs on it, as a list in Markdown.
std::string Surroundings();

// Puts `text` between the comments <!-- NAME --> and <!-- /NAME --> of the file. Throws
// std::runtime_error where they are not there.
void WriteSection(const std::string& file, const std::string& name, const std::string& text);

void WriteFile(const std::string& path, const std::string& text);

}  // namespace iq::bench
