#include "tests/support/servers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "tests/support/amqp_client.h"
#include "tests/support/database.h"
#include "tests/support/eventually.h"
#include "tests/support/process.h"
#include "tests/support/shared_servers.h"

namespace iq::test {
namespace {

using std::chrono::seconds;

constexpr seconds kLong{60};

// True when a command of the shell succeeds.
bool Succeeds(const std::string& command) {
  Process process({"bash", "-c", command},
                  {.stdout_file = "/dev/null", .stderr_file = "/dev/null"});
  return process.Wait(kLong) == ExitStatus{.code = 0};
}

// Sends PING with the password of the URL (redis://:iq@127.0.0.1:PORT/0), as a client would.
bool RedisAnswers(const std::string& url) {
  const std::string port = url.substr(url.rfind(':') + 1, url.rfind('/') - url.rfind(':') - 1);
  return Succeeds(
      "exec 3<>/dev/tcp/127.0.0.1/" + port +
      R"(; printf 'AUTH iq\r\nPING\r\n' >&3; read -r -t 1 a <&3; read -r -t 1 b <&3; )" +
      R"([[ $b == +PONG* ]])");
}

TEST(Servers, RestartedDatabaseKeepsPortAndCommittedRows) {
  Servers& servers = TestServers();
  Database(servers.store_url())
      .Exec("DROP TABLE IF EXISTS kept; CREATE TABLE kept(a int); INSERT INTO kept VALUES (7)");
  servers.Kill(Server::kPostgres);
  EXPECT_THROW(Database(servers.store_url()).Value("SELECT 1"), DatabaseError);
  servers.Start(Server::kPostgres);
  EXPECT_EQ(Database(servers.store_url()).Value("SELECT a FROM kept"), "7");
  servers.Stop(Server::kPostgres);
  EXPECT_THROW(Database(servers.store_url()).Value("SELECT 1"), DatabaseError);
  servers.Start(Server::kPostgres);
  EXPECT_EQ(Database(servers.store_url()).Value("SELECT a FROM kept"), "7");
}

TEST(Servers, DatabaseIsDurable) {
  Database database(TestServers().store_url());
  EXPECT_EQ(database.Value("SHOW fsync"), "on");
  EXPECT_EQ(database.Value("SHOW synchronous_commit"), "on");
  EXPECT_EQ(database.Value("SHOW full_page_writes"), "on");
}

TEST(Servers, KilledBrokerKeepsPersistentMessages) {
  Servers& servers = TestServers();
  {
    AmqpClient client(servers.broker_url());
    client.DeleteQueue("survivor");
    client.DeclareDurableQueue("survivor");
    servers.FlushDeclarations();
    client.Publish("", "survivor", "still here");
  }
  servers.Kill(Server::kRabbit);
  EXPECT_THROW(AmqpClient(servers.broker_url()).Depth("survivor"), AmqpError);
  servers.Start(Server::kRabbit);
  AmqpClient client(servers.broker_url());
  const auto delivery = client.Get("survivor");
  ASSERT_TRUE(delivery.has_value());
  EXPECT_EQ(delivery->body, "still here");
}

TEST(Servers, PausedServerAnswersNobodyUntilItIsResumed) {
  Servers& servers = TestServers();
  ASSERT_TRUE(RedisAnswers(servers.locks_url()));
  servers.Pause(Server::kRedis);
  EXPECT_FALSE(RedisAnswers(servers.locks_url()));
  servers.Resume(Server::kRedis);
  EXPECT_TRUE(RedisAnswers(servers.locks_url()));
}

TEST(Servers, RabbitmqctlAnswersAndItsFailureThrows) {
  Servers& servers = TestServers();
  EXPECT_THAT(servers.Rabbitmqctl({"list_vhosts", "--silent"}), testing::HasSubstr("/"));
  EXPECT_THROW(servers.Rabbitmqctl({"no_such_command"}), std::runtime_error);
}

// A forked copy of this program that runs `body` and then waits to be killed.
class Copy {
 public:
  explicit Copy(const std::function<void()>& body) : pid_(fork()) {
    if (pid_ == 0) {
      body();
      while (true) {
        pause();
      }
    }
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() { Kill(); }

  void Kill() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      pid_ = -1;
    }
  }

 private:
  pid_t pid_;
};

TEST(Servers, NothingIsLeftBehindWhenTheTestProgramIsKilled) {
  const std::string file = TestServers().directory() + "/killed";
  std::filesystem::remove(file);
  Copy copy([&] {
    static const Servers servers{Server::kPostgres, Server::kRedis};
    std::ofstream(file) << servers.directory() << '\n' << std::flush;
  });
  ASSERT_TRUE(Eventually(kLong, [&] { return ReadFile(file).find('\n') != std::string::npos; }));
  std::string directory = ReadFile(file);
  directory.pop_back();
  const std::string process_of_it = "pgrep -f -- " + directory.substr(directory.rfind('/') + 1);
  ASSERT_TRUE(Succeeds(process_of_it));
  copy.Kill();
  EXPECT_TRUE(Eventually(kLong, [&] { return !std::filesystem::exists(directory); }));
  EXPECT_TRUE(Eventually(kLong, [&] { return !Succeeds(process_of_it); }));
}

}  // namespace
}  // namespace iq::test
