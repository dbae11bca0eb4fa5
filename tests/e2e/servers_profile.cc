#include "tests/e2e/servers_profile.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include "tests/integration/redis_client.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_servers.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kEvents = "billing.events";

class ServersBroker : public TestBroker {
 public:
  explicit ServersBroker(Servers& servers) : servers_(servers), client_(servers.broker_url()) {}

  void Publish(const std::vector<AmqpPublishing>& publishings) override {
    client_.PublishAll(publishings);
  }

  // They are pushed to the sleeping host, and it finds them when it wakes up.
  void PublishAtOnce(const std::vector<AmqpPublishing>& publishings, Process& host) override {
    host.Signal(SIGSTOP);
    client_.PublishAll(publishings);
    EXPECT_TRUE(Eventually(20s, [this] { return client_.Depth("billing") == 0; }))
        << "not all were delivered to the sleeping host";
    // The last ones may still be between the broker's queue and the host's socket.
    EXPECT_FALSE(Eventually(50ms, [this] { return client_.Depth("billing") != 0; }));
    host.Signal(SIGCONT);
  }

  std::string DeclareTemporaryQueue() override { return client_.DeclareTemporaryQueue(); }
  void DeclareDurableQueue(const std::string& queue) override {
    client_.DeclareDurableQueue(queue);
  }
  void BindToEvents(const std::string& queue) override {
    client_.DeclareExchange(kEvents, "topic");
    client_.Bind(queue, kEvents, "#");
  }

  std::vector<AmqpDelivery> Consume(const std::string& queue, std::size_t count,
                                    std::chrono::milliseconds deadline) override {
    return client_.Consume(queue, count, deadline);
  }

  std::size_t Depth(const std::string& queue) override { return client_.Depth(queue); }
  std::size_t Consumers(const std::string& queue) override {
    return client_.QueueExists(queue) ? client_.Consumers(queue) : 0;
  }

  // Asked of the queues themselves: what the broker lists about a quorum queue may be 5 s old, and
  // leaves out messages on their way from a delay queue.
  bool Drained() override {
    constexpr const char* kCount =
        "lists:sum([case ra:consistent_query(amqqueue:get_pid(Q), F) of {ok, N, _} -> N; _ -> 1 "
        "end || "
        "Q <- rabbit_amqqueue:list(), amqqueue:get_type(Q) =:= rabbit_quorum_queue, "
        "element(4, amqqueue:get_name(Q)) =/= <<\"billing.dead\">>, "
        "F <- [fun rabbit_fifo:query_messages_ready/1, "
        "fun rabbit_fifo:query_messages_checked_out/1, "
        "fun(State) -> element(1, rabbit_fifo:query_stat_dlx(State)) end]]).";
    return std::stoul(servers_.Rabbitmqctl({"eval", kCount})) == 0;
  }

 private:
  Servers& servers_;
  AmqpClient client_;
};

class PostgresStore : public TestStore {
 public:
  explicit PostgresStore(const std::string& url) : database_(url) {}

  std::vector<std::vector<Row>> Snapshot(const std::vector<std::string>& queries) override {
    std::vector<std::vector<Row>> answers;
    answers.reserve(queries.size());
    database_.Exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    for (const std::string& query : queries) answers.push_back(database_.Rows(query));
    database_.Exec("COMMIT");
    return answers;
  }

  std::size_t Tables() override {
    return std::stoul(Value("SELECT count(*) FROM pg_tables WHERE schemaname IN ('iq', 'public')"));
  }

  void AgeJournal(std::int64_t age_s) override {
    Rows("UPDATE iq.journal SET committed_at = committed_at - make_interval(secs => $1::int)",
         {std::to_string(age_s)});
  }

  bool Idle() override {
    return Value(
               "SELECT (SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in "
               "transaction%') + (SELECT count(*) FROM pg_prepared_xacts)") == "0";
  }

 private:
  std::vector<Row> Run(const std::string& sql, const Parameters& parameters) override {
    return database_.Rows(sql, parameters);
  }

  Database database_;
};

class RedisLock : public ForeignLock {
 public:
  RedisLock(const std::string& url, const std::string& key) : redis_(url), key_("iq:lock:" + key) {
    EXPECT_EQ(redis_.Command({"SET", key_, kToken, "NX", "PX", "600000"}), "OK");
  }
  ~RedisLock() override { (void)redis_.Command({"DEL", key_}); }

  bool Held() override { return redis_.Command({"GET", key_}) == kToken; }

 private:
  static constexpr const char* kToken = "somebody else's";

  RedisClient redis_;
  std::string key_;
};

class ServersProfile : public Profile {
 public:
  explicit ServersProfile(Servers& servers) : servers_(servers) {}

  void Clear() override {
    AmqpClient amqp(servers_.broker_url());
    for (const std::string queue :
         {"billing", "billing.events.listen.ears", "billing.events.listen.purse"}) {
      amqp.DeleteQueue(queue);
      for (const char* delay : {".delay.100ms", ".delay.300ms"}) amqp.DeleteQueue(queue + delay);
    }
    for (const char* queue : {"billing.dead", "bank.events"}) amqp.DeleteQueue(queue);
    Database(servers_.store_url())
        .Exec("DROP SCHEMA IF EXISTS iq CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    RedisClient redis(servers_.locks_url());
    EXPECT_EQ(redis.Command({"FLUSHALL"}), "OK");
  }

  Urls urls() const override {
    return {servers_.broker_url(), servers_.store_url(), servers_.locks_url()};
  }

  std::size_t hosts_max() const override { return 10; }

  std::unique_ptr<TestBroker> OpenBroker() override {
    return std::make_unique<ServersBroker>(servers_);
  }
  std::unique_ptr<TestStore> OpenStore() override {
    return std::make_unique<PostgresStore>(servers_.store_url());
  }
  std::unique_ptr<ForeignLock> HoldLock(const std::string& key) override {
    return std::make_unique<RedisLock>(servers_.locks_url(), key);
  }

 private:
  Servers& servers_;
};

}  // namespace

std::unique_ptr<Profile> OpenServersProfile() {
  return std::make_unique<ServersProfile>(TestServers());
}

}  // namespace iq::test
