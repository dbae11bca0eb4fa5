// Arguments in, exit status out: 0 done, 1 the work failed, 2 wrong usage or configuration.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "host/base/error.h"
#include "host/base/terminal_text.h"
#include "host/broker/broker.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/store/store.h"
#include "host/version.h"

namespace iq::cli {
namespace {

std::string OneLineUsage(const CLI::App* /*app*/, const CLI::Error& error) {
  return fmt::format("iq: {}; `iq --help` lists the verbs, `iq VERB --help` what one takes\n",
                     OneLine(error.what()));
}

int Main(int argc, char** argv) {
  CLI::App app{"iq: carries out typed commands from a queue with plugins", "iq"};
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(1);
  app.failure_message(OneLineUsage);
  Invocation invocation;
  for (const auto add : {AddRun, AddConsole, AddMigrate, AddSeed, AddSend, AddEvents, AddPlugins,
                         AddPlugin, AddTop, AddDead, AddExplain, AddDoctor, AddConfig, AddToken,
                         AddAsyncApi, AddCompletion, AddPluginChildren}) {
    add(app, invocation);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;  // Help, or the line of OneLineUsage.
  }
  try {
    return invocation.work();
  } catch (const UsageError& error) {
    fmt::print(stderr, "iq: {}\n", error.what());
    return kUsage;
  } catch (const TopologyMismatch& error) {
    fmt::print(stderr, "iq: {}\n", error.what());
    return kUsage;
  } catch (const Unavailable& error) {
    fmt::print(stderr, "iq: {}; `iq doctor` looks at every server\n", error.what());
    return kFailed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "iq: {}\n", error.what());
    return kFailed;
  }
}

}  // namespace
}  // namespace iq::cli

int main(int argc, char** argv) {
  // A closed connection is an error to be read, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  return iq::cli::Main(argc, argv);
}
