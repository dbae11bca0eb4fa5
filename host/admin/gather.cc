#include "host/admin/gather.h"

#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "host/config_text.h"
#include "host/plugin_report.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr auto kPatience = 300ms;
constexpr int kOk = 200;

Json Ask(const std::string& address) {
  const auto place = ParseHostAndPort(address);
  if (!place) return nullptr;
  httplib::Client client(place->host, place->port);
  client.set_connection_timeout(kPatience);
  client.set_read_timeout(kPatience);
  client.set_write_timeout(kPatience);
  const auto answer = client.Get("/process");
  if (!answer || answer->status != kOk) return nullptr;
  Json report = Json::parse(answer->body, nullptr, false);
  return report.is_object() ? report : Json();
}

}  // namespace

std::vector<LookedAtProcess> LookAtProcesses(const std::string& flight_recorder) {
  std::vector<LookedAtProcess> processes;
  for (const PluginReport& report : ReadPluginReports(flight_recorder)) {
    processes.push_back({report.pid, report.admin, Ask(report.admin)});
  }
  std::sort(processes.begin(), processes.end(),
            [](const LookedAtProcess& a, const LookedAtProcess& b) { return a.pid < b.pid; });
  return processes;
}

}  // namespace iq
