#include "bench/profile.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "bench/report.h"
#include "tests/support/eventually.h"

namespace iq::bench {
namespace {

// Looks so often a second, at a rate that is no multiple of what recurs.
constexpr int kHertz = 997;
constexpr std::chrono::seconds kWriteMax{10};

std::string Trimmed(const std::string& text) {
  const std::size_t from = text.find_first_not_of(' ');
  if (from == std::string::npos) return {};
  return text.substr(from, text.find_last_not_of(' ') - from + 1);
}

// "12.34%|object|[k] symbol"
CpuShare ReadShare(const std::string& line) {
  std::istringstream fields(line);
  CpuShare share;
  std::getline(fields, share.percent, '|');
  std::getline(fields, share.object, '|');
  std::getline(fields, share.symbol);
  share.percent = Trimmed(share.percent);
  share.object = Trimmed(share.object);
  share.symbol = Trimmed(share.symbol);
  if (share.symbol.starts_with('[')) share.symbol = Trimmed(share.symbol.substr(3));
  return share;
}

std::vector<CpuShare> SharesBy(const std::string& data, const std::string& fields) {
  if (!test::Eventually(kWriteMax, [&] { return std::filesystem::exists(data); })) {
    throw std::runtime_error("perf left nothing: is linux-perf installed, and may you use it?");
  }
  std::vector<CpuShare> shares;
  for (const std::string& line : OutputLines(
           fmt::format("perf report -i {} --stdio --no-children -F {} -t '|'", data, fields))) {
    if (line.find('%') != std::string::npos && line.front() != '#') {
      shares.push_back(ReadShare(line));
    }
  }
  if (shares.empty()) throw std::runtime_error(data + ": perf saw nothing");
  return shares;
}

}  // namespace

// In a session of its own: it writes the most when the contender has ended, and is none of its
// processes. The contender waits for it: of threads that begin while it attaches, it may miss some.
Contender Profiled(Contender contender, const std::string& data) {
  const std::string script = fmt::format(
      "setsid sh -c 'perf record -q -e cpu-clock -F {0} -o {1}.part -p '$$'; mv {1}.part {1}' & "
      "for i in $(seq 100); do [ -e {1}.part ] && break; sleep 0.05; done; sleep 0.2; "
      "exec \"$0\" \"$@\"",
      kHertz, data);
  std::vector<std::string> argv = {"/bin/sh", "-c", script};
  argv.insert(argv.end(), contender.argv.begin(), contender.argv.end());
  contender.argv = std::move(argv);
  return contender;
}

std::vector<CpuShare> SharesByObject(const std::string& data) {
  return SharesBy(data, "overhead,dso");
}

std::vector<CpuShare> SharesBySymbol(const std::string& data) {
  return SharesBy(data, "overhead,dso,sym");
}

}  // namespace iq::bench
