// iq console: the page for all hosts of this machine, until SIGTERM or SIGINT.
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>

#include "host/admin/console.h"
#include "host/admin/endpoint.h"
#include "host/base/log.h"
#include "host/broker/broker.h"
#include "host/cli/sql_folder.h"
#include "host/cli/stop_request.h"
#include "host/cli/verbs.h"
#include "host/store/store.h"

namespace iq::cli {
namespace {

constexpr std::chrono::milliseconds kStep{50};  // How soon a signal is seen.

int Serve(const Config& config) {
  RequireUrls(config);
  std::signal(SIGHUP, SIG_IGN);
  const StopRequest stop;
  const auto broker = OpenBroker(config.broker.url, "iq console");
  const auto store = OpenStore(config.store.url);
  Console console(config, *broker, *store);
  const AdminEndpoint endpoint("admin.console", config.admin.console, {.console = &console});
  if (endpoint.address().empty()) return kFailed;
  while (!stop.Came()) std::this_thread::sleep_for(kStep);
  console.Stop();
  log::Info("stopped");
  return kDone;
}

}  // namespace

void AddConsole(CLI::App& app, Invocation& invocation) {
  CLI::App* verb =
      AddVerb(app, invocation, "console", "Serve the page that shows all hosts of this machine");
  const auto sql_directory = std::make_shared<std::string>();
  AddSqlOption(*verb, *sql_directory);
  verb->callback([&invocation, sql_directory] {
    invocation.work = [&invocation, sql_directory] {
      Config config = invocation.Load();
      config.sql_directory = SqlFolder(*sql_directory, invocation.config_path);
      return Serve(config);
    };
  });
}

}  // namespace iq::cli
