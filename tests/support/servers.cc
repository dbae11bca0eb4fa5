#include "tests/support/servers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "tests/support/process.h"

namespace iq::test {
namespace {

constexpr const char* kScript = IQ_SOURCE_DIR "/tests/servers/private_servers.sh";

const char* NameOf(Server server) {
  switch (server) {
    case Server::kPostgres:
      return "postgres";
    case Server::kRabbit:
      return "rabbitmq";
    case Server::kRedis:
      return "redis";
  }
  throw std::logic_error("no such server");
}

std::string MakeDirectory() {
  constexpr mode_t kReachable = 0755;  // PostgreSQL runs as another user when we are root.
  std::string path = "/tmp/iq-servers-XXXXXX";
  if (mkdtemp(path.data()) == nullptr || chmod(path.c_str(), kReachable) != 0) {
    throw std::system_error(errno, std::generic_category(), path);
  }
  return path;
}

}  // namespace

Servers::Servers(std::initializer_list<Server> which, const std::optional<ServerTls>& tls)
    : directory_(MakeDirectory()),
      watchdog_(
          std::make_unique<Watchdog>(std::vector<std::string>{kScript, "remove", directory_})) {
  if (tls) {
    std::filesystem::create_directory(directory_ + "/tls");
    CopyTls(tls->server.certificate, "server.pem");
    CopyTls(tls->server.key, "server.key");
    CopyTls(tls->client_authorities, "clients.pem");
  }
  std::vector<std::string> args = {"start", directory_};
  for (const Server server : which) {
    args.emplace_back(NameOf(server));
  }
  try {
    Run(std::move(args));
  } catch (const std::runtime_error&) {
    Run({"remove", directory_});
    throw;
  }
  std::ifstream env(directory_ + "/env");
  for (std::string line; std::getline(env, line);) {
    const auto equals = line.find('=');
    const std::string name = line.substr(0, equals);
    std::string& url = name == "IQ_BROKER_URL"  ? broker_url_
                       : name == "IQ_STORE_URL" ? store_url_
                                                : locks_url_;
    url = line.substr(equals + 1);
  }
}

Servers::~Servers() {
  try {
    Run({"remove", directory_});
  } catch (const std::exception& error) {
    // The tests have their results already; what is left over is said, not thrown.
    fmt::print(stderr, "{}\n", error.what());
  }
}

void Servers::Start(Server server) { Run({"start", directory_, NameOf(server)}); }
void Servers::Stop(Server server) { Run({"stop", directory_, NameOf(server)}); }
void Servers::Kill(Server server) { Run({"kill", directory_, NameOf(server)}); }
void Servers::Pause(Server server) { Run({"pause", directory_, NameOf(server)}); }
void Servers::Resume(Server server) { Run({"resume", directory_, NameOf(server)}); }

void Servers::Show(const KeyPair& server) {
  CopyTls(server.certificate, "server.pem");
  CopyTls(server.key, "server.key");
  Stop(Server::kPostgres);
  Start(Server::kPostgres);
  Rabbitmqctl({"eval", "ssl:clear_pem_cache()."});
}

std::uint16_t Servers::broker_tls_port() const {
  return static_cast<std::uint16_t>(std::stoul(ReadFile(directory_ + "/ports/rabbitmq_tls")));
}

void Servers::CopyTls(const std::string& from, const std::string& name) const {
  std::filesystem::copy_file(from, directory_ + "/tls/" + name,
                             std::filesystem::copy_options::overwrite_existing);
}

void Servers::FlushDeclarations() const {
  constexpr std::string_view kSynced = "ok";
  const std::string answer = Rabbitmqctl({"eval", "mnesia:sync_log()."});
  if (answer.substr(0, kSynced.size()) != kSynced) {
    throw std::runtime_error("mnesia:sync_log: " + answer);
  }
}

std::string Servers::Rabbitmqctl(const std::vector<std::string>& args) const {
  std::vector<std::string> all = {"rabbitmqctl", directory_};
  all.insert(all.end(), args.begin(), args.end());
  return Run(std::move(all));
}

std::string Servers::Run(std::vector<std::string> args) const {
  constexpr std::chrono::minutes kDeadline{2};
  const std::string output = fmt::format("{}.{}", directory_, commands_.fetch_add(1));
  const std::string command = fmt::format("{}", fmt::join(args, " "));
  args.insert(args.begin(), kScript);
  Process script(std::move(args), {.stdout_file = output + ".out", .stderr_file = output + ".err"});
  const auto exit = script.Wait(kDeadline);
  std::string out = ReadFile(output + ".out");
  const std::string err = ReadFile(output + ".err");
  std::filesystem::remove(output + ".out");
  std::filesystem::remove(output + ".err");
  if (exit != ExitStatus{.code = 0}) {
    throw std::runtime_error(fmt::format("private_servers.sh {}: {}{}{}", command,
                                         exit ? "failed: " : "takes too long: ", err, out));
  }
  return out;
}

}  // namespace iq::test
