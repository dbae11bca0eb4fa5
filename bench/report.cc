#include "bench/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "tests/support/process.h"

namespace iq::bench {
namespace {

std::string FirstLine(const std::string& command) {
  const std::vector<std::string> lines = OutputLines(command);
  return lines.empty() ? "-" : lines.front();
}

std::string PackageVersion(const std::string& package) {
  return FirstLine("dpkg-query -W -f='${Version}' " + package);
}

}  // namespace

double Series::Median() const {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t count = sorted.size();
  return (sorted.at((count - 1) / 2) + sorted.at(count / 2)) / 2;
}

double Series::Min() const { return *std::min_element(values.begin(), values.end()); }
double Series::Max() const { return *std::max_element(values.begin(), values.end()); }

std::vector<std::string> OutputLines(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>/dev/null").c_str(), "re"),
                                                   pclose);
  std::string text;
  std::array<char, 4096> part{};
  while (pipe != nullptr && std::fgets(part.data(), part.size(), pipe.get()) != nullptr) {
    text += part.data();
  }
  std::vector<std::string> lines;
  std::istringstream rest(text);
  for (std::string line; std::getline(rest, line);) lines.push_back(line);
  return lines;
}

std::string MarkdownTable(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += fmt::format("| {} |\n", fmt::join(rows[i], " | "));
    if (i == 0) {
      const std::vector<std::string> rules(rows[0].size(), "---");
      text += fmt::format("|{}|\n", fmt::join(rules, "|"));
    }
  }
  return text;
}

std::string Svg(const std::string& title, const std::vector<Series>& series) {
  constexpr int kBarLeft = 220;
  constexpr int kBarsWidth = 460;
  constexpr int kRowHeight = 28;
  constexpr int kTop = 44;
  double most = 1;
  for (const Series& each : series) most = std::max(most, each.Max());
  const auto x = [&](double value) { return kBarLeft + value / most * kBarsWidth; };
  const int height = kTop + kRowHeight * static_cast<int>(series.size()) + 10;
  std::string svg = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {0}" font-family="sans-serif" font-size="13">
<rect width="760" height="{0}" fill="#ffffff"/>
<text x="16" y="24" font-size="15" font-weight="bold" fill="#1c2733">{1}</text>
)",
      height, title);
  for (std::size_t i = 0; i < series.size(); ++i) {
    const int y = kTop + kRowHeight * static_cast<int>(i);
    const Series& each = series[i];
    svg += fmt::format(
        R"(<text x="{}" y="{}" text-anchor="end" fill="#1c2733">{}</text>
<rect x="{}" y="{}" width="{:.1f}" height="18" fill="{}"/>
<line x1="{:.1f}" y1="{}" x2="{:.1f}" y2="{}" stroke="#1c2733"/>
<text x="{:.1f}" y="{}" fill="#1c2733">{:.0f}</text>
)",
        kBarLeft - 8, y + 14, each.label, kBarLeft, y, x(each.Median()) - kBarLeft,
        each.label.starts_with("iq") ? "#2f7d4f" : "#8aa3bd", x(each.Min()), y + 9, x(each.Max()),
        y + 9, x(each.Max()) + 6, y + 14, each.Median());
  }
  return svg + "</svg>\n";
}

std::string Surroundings() {
  return fmt::format(
      "* {} cores of {}, {}\n* {}, Linux {}\n* PostgreSQL {}, RabbitMQ {}, Redis {}\n",
      FirstLine("nproc"), FirstLine("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo"),
      FirstLine("awk '/MemTotal/ {printf \"%.0f GiB\", $2 / 1048576}' /proc/meminfo"),
      FirstLine("sed -n 's/^PRETTY_NAME=\"\\(.*\\)\"/\\1/p' /etc/os-release"),
      FirstLine("uname -r"), PackageVersion("postgresql-15"), PackageVersion("rabbitmq-server"),
      PackageVersion("redis-server"));
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error(path + ": cannot be written");
}

void WriteSection(const std::string& file, const std::string& name, const std::string& text) {
  const std::string begin = fmt::format("<!-- {} -->\n", name);
  const std::string end = fmt::format("<!-- /{} -->\n", name);
  std::string whole = test::ReadFile(file);
  const std::size_t from = whole.find(begin);
  const std::size_t to = whole.find(end);
  if (from == std::string::npos || to == std::string::npos || to < from) {
    throw std::runtime_error(fmt::format("{}: there is no place between {} and {}", file,
                                         begin.substr(0, begin.size() - 1),
                                         end.substr(0, end.size() - 1)));
  }
  whole.replace(from + begin.size(), to - from - begin.size(), text);
  WriteFile(file, whole);
}

}  // namespace iq::bench
