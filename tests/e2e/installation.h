// A whole iq as a user would run it: what it stands on, a migrated database, a configuration file,
// host processes, and the means to send commands and see what came of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/profile.h"
#include "tests/support/process.h"

namespace iq::test {

// What differs from the configuration that the tests share: short delays, a short lease.
struct InstallationOptions {
  ProfileName profile = ChosenProfile();
  std::string plugins = IQ_BINARY_DIR "/plugins";
  std::string plugin_settings = "{}";  // YAML in flow style.
  std::string locks = "lease: 4s, wait: 1s";
  std::string limits = "deadline: 2s";
  std::string consumer;  // More keys of the consumer, in flow style, ending in ", ".
  std::string retry = "attempts: 3, delays: [100ms, 300ms]";
  std::string inbox = "require_id: false";
  std::string journal = "keep: 7d";
  std::string events = "sweep_after: 5s";
  std::string security = "require_signature: false";
  std::string admin = "listen: off, console: '127.0.0.1:0'";
  std::string broker_url;  // Empty: the profile's. A proxy's, for a test that cuts.
  std::string store_url;
  std::string locks_url;
  std::vector<std::pair<std::string, std::string>> environment;  // More of it.
  bool migrate = true;
};

struct CliResult {
  int status = -1;
  std::string out;
  std::string err;
};

// A verb that runs.
class CliRun {
 public:
  // Its output goes to files that begin with `output`.
  CliRun(std::vector<std::string> argv, ProcessOptions options, const std::string& output);

  // What it has said so far.
  std::string err() const { return ReadFile(err_); }
  void Signal(int signal) { process_.Signal(signal); }
  // Waits for its end, a minute at most. Its status is -1 where a signal ended it.
  CliResult Finish();

 private:
  std::string out_;
  std::string err_;
  Process process_;
};

// In a directory of its own, which is the working directory of its processes. Whatever earlier
// installations left is removed first.
class Installation {
 public:
  explicit Installation(InstallationOptions options = {});
  Installation(const Installation&) = delete;
  Installation& operator=(const Installation&) = delete;
  ~Installation();

  // Starts `count` more host processes; returns when each consumes.
  void StartHosts(std::size_t count = 1);
  // Starts one without waiting for anything. `wrapper` is a command that runs what follows it.
  Process& LaunchHost(const std::vector<std::string>& wrapper = {});
  std::vector<std::unique_ptr<Process>>& hosts() { return hosts_; }
  // TERM to all, and waits for them; each must exit with 0.
  void StopHosts();

  // Runs the program to its end, with the contents of `input` (a file's path) to read.
  CliResult Cli(const std::vector<std::string>& args, const std::string& input = "/dev/null");
  // Likewise, without waiting for the end.
  std::unique_ptr<CliRun> StartCli(const std::vector<std::string>& args,
                                   const std::string& input = "/dev/null");
  // Writes the configuration anew: processes that run keep what they have read.
  void Configure(const InstallationOptions& options);

  // To exchange billing with routing key "", as the original's producers do.
  void Send(const std::string& body, AmqpProperties properties = {});
  void SendWithId(const std::string& id, const std::string& body);
  // All at once: the only host finds them together.
  void SendTogether(const std::vector<AmqpPublishing>& publishings);

  void OpenAccount(std::int64_t user, std::int64_t thousandths);
  std::int64_t Balance(std::int64_t user);
  // The journal's outcome of a message id that is a UUID; "" when there is no row.
  std::string Outcome(const std::string& uuid);

  // Waits for the next message in billing.dead; fails the test when none comes.
  AmqpDelivery NextDead();
  // Waits for `count` events; fewer when they do not come.
  std::vector<AmqpDelivery> NextEvents(std::size_t count);
  // How many have come that nobody has taken.
  std::size_t EventsWaiting();
  // Whether the command queue, the delay queues and what hosts hold are empty, with a deadline.
  bool Drained(std::chrono::seconds deadline);
  std::uint64_t DeadCount();
  // Waits until there are so many, or fails the test.
  void ExpectDead(std::size_t letters);
  // Runs a verb once there are so many: what another one has looked at may be on its way back to
  // the queue when that has ended.
  CliResult CliOnceDead(std::size_t letters, const std::vector<std::string>& args);

  std::string Log() const;
  const std::string& directory() const { return directory_; }
  const std::string& config() const { return config_; }
  Profile& profile() { return *profile_; }
  TestBroker& broker() { return *broker_; }
  TestStore& store() { return *store_; }

 private:
  ProcessOptions ProcessOptionsOf() const;

  InstallationOptions options_;
  std::string directory_;
  std::string config_;
  std::string log_;
  std::unique_ptr<Profile> profile_;
  std::unique_ptr<TestBroker> broker_;
  std::unique_ptr<TestStore> store_;
  std::string events_queue_;
  std::vector<std::unique_ptr<Process>> hosts_;
  int cli_calls_ = 0;
};

// The port of a server's URL that has a user and a port, as those of Servers do.
std::uint16_t PortOf(const std::string& url);

// A random UUID.
std::string NewId();

}  // namespace iq::test
