#include "tests/e2e/admin_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <sstream>

#include "host/base/digest.h"

namespace iq::test {

std::string AdminSettings() {
  return fmt::format(
      "listen: '127.0.0.1:0', console: '127.0.0.1:0', tokens: ["
      "{{name: tester, sha256: '{}', may: write}}, {{name: reader, sha256: '{}', may: read}}]",
      Sha256Hex(kWriteToken), Sha256Hex(kReadToken));
}

std::vector<int> PortsIn(const std::string& log) {
  static const std::regex said(R"(answering at http://127\.0\.0\.1:(\d+)/)");
  std::vector<int> ports;
  for (std::sregex_iterator line(log.begin(), log.end(), said), end; line != end; ++line) {
    ports.push_back(std::stoi((*line)[1]));
  }
  return ports;
}

std::vector<int> AdminPorts(const Installation& iq) { return PortsIn(iq.Log()); }

AdminAnswer Ask(int port, const std::string& path) {
  httplib::Client client("127.0.0.1", port);
  const auto answer = client.Get(path);
  if (!answer) return {};
  return {answer->status, answer->body};
}

Scraped::Scraped(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.rfind(' ');
    if (line.starts_with('#') || space == std::string::npos) continue;
    values_[line.substr(0, space)] = std::stod(line.substr(space + 1));
  }
}

double Scraped::Sum(const std::string& name, const std::vector<std::string>& labels) const {
  double sum = 0;
  for (const auto& [key, value] : values_) {
    const bool named = key == name || key.starts_with(name + '{');
    const bool fits = std::all_of(labels.begin(), labels.end(), [&key](const std::string& label) {
      return key.find(label) != std::string::npos;
    });
    if (named && fits) sum += value;
  }
  return sum;
}

}  // namespace iq::test
