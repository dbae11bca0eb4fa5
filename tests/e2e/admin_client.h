// What a host tells over http.
#pragma once

#include <httplib.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/e2e/installation.h"

namespace iq::test {

inline constexpr const char* kWriteToken = "test-token";  // "tester"'s.
inline constexpr const char* kReadToken = "read-token";   // "reader"'s.

// Settings of `admin`, in flow style: free ports and the two tokens.
std::string AdminSettings();

// The ports at which processes that listen at port 0 have said in `log` to answer, in the order of
// their start.
std::vector<int> PortsIn(const std::string& log);
// Likewise of the hosts of an installation.
std::vector<int> AdminPorts(const Installation& iq);

// A path's status and text; status 0 when nobody answers.
struct AdminAnswer {
  int status = 0;
  std::string text;
};
AdminAnswer Ask(int port, const std::string& path);

// A scrape: the values by name and labels, as they are written.
class Scraped {
 public:
  explicit Scraped(const std::string& text);
  // The sum of `name` over those whose labels have all of `labels`, each written as key="value".
  double Sum(const std::string& name, const std::vector<std::string>& labels = {}) const;

 private:
  std::map<std::string, double> values_;
};

}  // namespace iq::test
