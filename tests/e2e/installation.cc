#include "tests/e2e/installation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <utility>

#include "host/base/uuid.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kProgram = IQ_BINARY_DIR "/iq";
constexpr auto kPatience = 20s;

std::string MakeDirectory() {
  std::string pattern = "/tmp/iq-e2e-XXXXXX";
  return mkdtemp(pattern.data());
}

}  // namespace

std::uint16_t PortOf(const std::string& url) {
  const auto host_end = url.find(':', url.find('@'));
  return static_cast<std::uint16_t>(std::stoul(url.substr(host_end + 1)));
}

std::string NewId() { return RandomUuid(); }

CliRun::CliRun(std::vector<std::string> argv, ProcessOptions options, const std::string& output)
    : out_(output + ".out"), err_(output + ".err"), process_(std::move(argv), [&] {
        options.stdout_file = out_;
        options.stderr_file = err_;
        return options;
      }()) {}

CliResult CliRun::Finish() {
  const auto status = process_.Wait(60s);
  CliResult result;
  result.status = status && status->code ? *status->code : -1;
  result.out = ReadFile(out_);
  result.err = ReadFile(err_);
  return result;
}

Installation::Installation(InstallationOptions options)
    : options_(std::move(options)),
      directory_(MakeDirectory()),
      config_(directory_ + "/config.yaml"),
      log_(directory_ + "/iq.log"),
      profile_(OpenProfile(options_.profile, directory_)) {
  profile_->Clear();
  broker_ = profile_->OpenBroker();
  store_ = profile_->OpenStore();
  Configure(options_);
  if (options_.migrate) {
    const CliResult migrated = Cli({"migrate"});
    EXPECT_EQ(migrated.status, 0) << migrated.err;
  }
  events_queue_ = broker_->DeclareTemporaryQueue();
  broker_->BindToEvents(events_queue_);
}

Installation::~Installation() {
  hosts_.clear();
  if (testing::Test::HasFailure()) {
    fmt::print("the hosts' log is kept in {}\n", log_);
  } else {
    std::filesystem::remove_all(directory_);
  }
}

void Installation::Configure(const InstallationOptions& options) {
  std::ofstream(config_) << fmt::format(
      "broker: {{url: '${{IQ_BROKER_URL:-}}', publish_patience: 5s}}\n"
      "store: {{url: '${{IQ_STORE_URL:-}}'}}\n"
      "locks: {{url: '${{IQ_LOCKS_URL:-}}', {}}}\n"
      "plugins: {{directory: {}, settings: {}}}\n"
      "consumers: [{{{}exchange: billing, queue: billing}}]\n"
      "retry: {{{}}}\n"
      "inbox: {{{}}}\n"
      "journal: {{{}}}\n"
      "events: {{{}}}\n"
      "security: {{{}}}\n"
      "limits: {{{}}}\n"
      "admin: {{{}}}\n"
      "log: {{level: debug}}\n",
      options.locks, options.plugins, options.plugin_settings, options.consumer, options.retry,
      options.inbox, options.journal, options.events, options.security, options.limits,
      options.admin);
}

ProcessOptions Installation::ProcessOptionsOf() const {
  ProcessOptions process;
  process.directory = directory_;
  process.without_environment = {"IQ_SQL_DIR"};  // The program finds its own.
  const auto set = [&process](const std::string& name, const std::string& given,
                              const std::string& otherwise) {
    const std::string& url = given.empty() ? otherwise : given;
    if (url.empty()) {
      process.without_environment.push_back(name);
    } else {
      process.environment.emplace_back(name, url);
    }
  };
  const Profile::Urls urls = profile_->urls();
  set("IQ_BROKER_URL", options_.broker_url, urls.broker);
  set("IQ_STORE_URL", options_.store_url, urls.store);
  set("IQ_LOCKS_URL", options_.locks_url, urls.locks);
  process.environment.insert(process.environment.end(), options_.environment.begin(),
                             options_.environment.end());
  return process;
}

Process& Installation::LaunchHost(const std::vector<std::string>& wrapper) {
  std::vector<std::string> argv = wrapper;
  argv.insert(argv.end(), {kProgram, "run", "--config", config_});
  ProcessOptions options = ProcessOptionsOf();
  options.stderr_file = log_;
  options.stdout_file = log_;
  hosts_.push_back(std::make_unique<Process>(std::move(argv), std::move(options)));
  return *hosts_.back();
}

void Installation::StartHosts(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) LaunchHost();
  const bool consuming =
      Eventually(kPatience, [&] { return broker_->Consumers("billing") >= hosts_.size(); });
  ASSERT_TRUE(consuming) << Log();
}

void Installation::StopHosts() {
  for (const auto& host : hosts_) host->Signal(SIGTERM);
  for (const auto& host : hosts_) {
    const auto status = host->Wait(30s);
    ASSERT_TRUE(status.has_value()) << "a host does not stop\n" << Log();
    EXPECT_EQ(status->code, 0);
  }
  hosts_.clear();
}

std::unique_ptr<CliRun> Installation::StartCli(const std::vector<std::string>& args,
                                               const std::string& input) {
  std::vector<std::string> argv{"sh", "-c",  R"(input=$1; shift; exec "$@" <"$input")",
                                "sh", input, kProgram};
  argv.insert(argv.end(), args.begin(), args.end());
  argv.insert(argv.end(), {"--config", config_});
  return std::make_unique<CliRun>(std::move(argv), ProcessOptionsOf(),
                                  fmt::format("{}/cli-{}", directory_, ++cli_calls_));
}

CliResult Installation::Cli(const std::vector<std::string>& args, const std::string& input) {
  return StartCli(args, input)->Finish();
}

void Installation::Send(const std::string& body, AmqpProperties properties) {
  broker_->Publish({{"billing", "", body, std::move(properties)}});
}

void Installation::SendWithId(const std::string& id, const std::string& body) {
  AmqpProperties properties;
  properties.message_id = id;
  Send(body, properties);
}

void Installation::SendTogether(const std::vector<AmqpPublishing>& publishings) {
  ASSERT_EQ(hosts_.size(), 1U);
  broker_->PublishAtOnce(publishings, *hosts_.front());
}

void Installation::OpenAccount(std::int64_t user, std::int64_t thousandths) {
  store_->Rows(
      fmt::format("INSERT INTO balance (user_id, sum) VALUES ({}, {})", user, thousandths));
}

std::int64_t Installation::Balance(std::int64_t user) {
  const auto rows =
      store_->Rows("SELECT sum FROM balance WHERE user_id = $1", {std::to_string(user)});
  return rows.empty() ? -1 : std::stoll(rows[0][0]);
}

std::string Installation::Outcome(const std::string& uuid) {
  const auto rows = store_->Rows("SELECT outcome FROM iq.journal WHERE message_id = $1", {uuid});
  return rows.empty() ? "" : rows[0][0];
}

AmqpDelivery Installation::NextDead() {
  auto dead = broker_->Consume("billing.dead", 1, kPatience);
  if (dead.empty()) {
    ADD_FAILURE() << "nothing came to billing.dead\n" << Log();
    return {};
  }
  return dead[0];
}

std::vector<AmqpDelivery> Installation::NextEvents(std::size_t count) {
  return broker_->Consume(events_queue_, count, kPatience);
}

std::size_t Installation::EventsWaiting() { return broker_->Depth(events_queue_); }

bool Installation::Drained(std::chrono::seconds deadline) {
  return Eventually(deadline, [&] { return broker_->Drained(); });
}

std::uint64_t Installation::DeadCount() { return broker_->Depth("billing.dead"); }

void Installation::ExpectDead(std::size_t letters) {
  EXPECT_TRUE(Eventually(30s, [&] { return DeadCount() == letters; }))
      << DeadCount() << " instead of " << letters << '\n'
      << Log();
}

CliResult Installation::CliOnceDead(std::size_t letters, const std::vector<std::string>& args) {
  ExpectDead(letters);
  return Cli(args);
}

std::string Installation::Log() const { return ReadFile(log_); }

}  // namespace iq::test
