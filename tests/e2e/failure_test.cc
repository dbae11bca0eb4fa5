// One bad command in the middle of a batch: what becomes of it, and that its neighbours are spared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/plugin_folder.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::int64_t kVictim = 1;
constexpr std::int64_t kVictimBalance = 5000;
constexpr std::int64_t kFirstNeighbour = 100;
constexpr std::size_t kNeighbours = 30;
constexpr const char* kAttemptsMax = "3";

class FailureTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    plugins_ = std::make_unique<PluginFolder>(std::initializer_list<const char*>{"misbehave.so"});
    InstallationOptions options;
    options.plugins = plugins_->path();
    iq_ = std::make_unique<Installation>(options);
    iq_->OpenAccount(kVictim, kVictimBalance);
    for (std::size_t i = 0; i < kNeighbours; ++i) {
      iq_->OpenAccount(kFirstNeighbour + static_cast<std::int64_t>(i), 0);
    }
    iq_->StartHosts();
  }
  static void TearDownTestSuite() {
    iq_->StopHosts();
    iq_.reset();
    plugins_.reset();
  }
  static Installation& iq() { return *iq_; }

  // What must be left of the bad command.
  struct End {
    std::string outcome;
    std::string code;
    std::string attempts = kAttemptsMax;
  };

  // Puts `body` into the middle of good commands that all arrive at once.
  static void ExpectOnlyItFails(const std::string& body, const End& end) {
    SCOPED_TRACE(body);
    const auto before = Incomes();
    const std::string bad = NewId();
    const std::vector<std::string> good = PublishAround(bad, body);
    ExpectCommitted(good, before);

    const AmqpDelivery dead = iq().NextDead();
    EXPECT_EQ(dead.body, body);
    EXPECT_EQ(dead.properties.message_id, bad);
    EXPECT_EQ(dead.properties.headers.at("x-iq-outcome"), end.outcome);
    EXPECT_EQ(dead.properties.headers.at("x-iq-code"), end.code);
    EXPECT_EQ(dead.properties.headers.at("x-iq-attempts"), end.attempts);
    EXPECT_NE(dead.properties.headers.at("x-iq-reason"), "");
    EXPECT_EQ(dead.properties.headers.at("x-iq-plugin"), "misbehave/1.0.0");
    EXPECT_EQ(iq().Balance(kVictim), kVictimBalance) << "a write of the bad command shows";
    EXPECT_EQ(iq().Outcome(bad), end.outcome == "rejected" ? "rejected" : "");
    ExpectEvents(good, bad, end);
    EXPECT_TRUE(iq().Drained(20s));
    EXPECT_EQ(iq().DeadCount(), 0U);
  }

 private:
  static std::vector<std::string> PublishAround(const std::string& bad, const std::string& body) {
    std::vector<AmqpPublishing> publishings;
    std::vector<std::string> good;
    publishings.reserve(kNeighbours + 1);
    good.reserve(kNeighbours);
    for (std::size_t i = 0; i < kNeighbours; ++i) {
      if (i == kNeighbours / 2) {
        publishings.push_back({"billing", "", body, {}});
        publishings.back().properties.message_id = bad;
      }
      good.push_back(NewId());
      const auto user = kFirstNeighbour + static_cast<std::int64_t>(i);
      publishings.push_back({"billing", "", Body("income", user), {}});
      publishings.back().properties.message_id = good.back();
    }
    iq().SendTogether(publishings);  // They make one batch.
    return good;
  }

  static std::string Incomes() {
    return iq().store().Value("SELECT count(*) FROM transaction_log WHERE type = 1");
  }

  static void ExpectCommitted(const std::vector<std::string>& good, const std::string& before) {
    const auto count = [&](const std::string& what) {
      return std::stoul(iq().store().Value(
          "SELECT " + what + " FROM iq.journal WHERE outcome = 'done' AND message_id IN " +
          SqlList(good)));
    };
    EXPECT_TRUE(Eventually(30s, [&] { return count("count(*)") == good.size(); })) << iq().Log();
    EXPECT_EQ(std::stoul(Incomes()), std::stoul(before) + good.size());
    // Each in its own transaction: they did share one with the bad command at first.
    EXPECT_GT(count("count(DISTINCT batch)"), good.size() / 2)
        << "the batch was never as it should be";
    const std::string balances =
        iq().store().Value("SELECT count(DISTINCT sum) FROM balance WHERE user_id >= $1",
                           {std::to_string(kFirstNeighbour)});
    EXPECT_EQ(balances, "1") << "not all neighbours were credited equally often";
  }

  static void ExpectEvents(const std::vector<std::string>& good, const std::string& bad,
                           const End& end) {
    std::vector<std::string> credited;
    for (const AmqpDelivery& event : iq().NextEvents(good.size() + 1)) {
      const json body = json::parse(event.body);
      if (body["commandId"] != bad) {
        EXPECT_EQ(event.key, "balance.income");
        credited.push_back(body["commandId"]);
        continue;
      }
      EXPECT_EQ(event.key, end.outcome == "rejected" ? "command.rejected" : "command.failed");
      EXPECT_EQ(body["data"]["code"], end.code);
      EXPECT_NE(body["data"]["reason"], "");
    }
    EXPECT_THAT(credited, testing::UnorderedElementsAreArray(good));
    EXPECT_EQ(iq().EventsWaiting(), 0U);
  }

  static inline std::unique_ptr<PluginFolder> plugins_;
  static inline std::unique_ptr<Installation> iq_;
};

TEST_F(FailureTest, AHandlerThatThrowsFails) {
  ExpectOnlyItFails(Body("test.throw", kVictim), {"failed", "handler_error"});
}

TEST_F(FailureTest, AHandlerThatReturnsNonsenseFails) {
  ExpectOnlyItFails(Body("test.nonsense", kVictim), {"failed", "handler_error"});
}

TEST_F(FailureTest, ABadStatementFailsAtOnceAndInThePipeline) {
  ExpectOnlyItFails(Body("test.sql_error", kVictim, "1", R"({"how":"query"})"),
                    {"failed", "sql_error"});
  ExpectOnlyItFails(Body("test.sql_error", kVictim), {"failed", "sql_error"});
}

TEST_F(FailureTest, AHandlerThatHidesABadStatementFails) {
  ExpectOnlyItFails(Body("test.swallow", kVictim), {"failed", "sql_error"});
}

TEST_F(FailureTest, ARejectionUndoesWhatTheHandlerWrote) {
  ExpectOnlyItFails(Body("test.write_then_reject", kVictim), {"rejected", "test_refused", "1"});
}

TEST_F(FailureTest, TransactionControlIsRefused) {
  for (const char* sql : {"COMMIT", "rollback", "  SAVEPOINT a", "SET statement_timeout = 0",
                          "/**/COMMIT", "(COMMIT", "SELECT 1; COMMIT"}) {
    const std::string details = json{{"sql", sql}}.dump();
    const std::string code = std::string(sql).starts_with("SELECT") ? "sql_error" : "handler_error";
    ExpectOnlyItFails(Body("test.begin", kVictim, "1", details), {"failed", code});
  }
}

TEST_F(FailureTest, AnEventThatIsNoJsonObjectFails) {
  ExpectOnlyItFails(Body("test.emit_bad", kVictim), {"failed", "handler_error"});
  ExpectOnlyItFails(Body("test.emit_bad", kVictim, "1", R"({"data":"[1]"})"),
                    {"failed", "handler_error"});
}

TEST_F(FailureTest, AHandlerThatRunsPastTheDeadlineFails) {
  ExpectOnlyItFails(Body("test.slow", kVictim, "1", R"({"ms":60000})"), {"failed", "deadline"});
}

TEST_F(FailureTest, AStatementThatRunsPastTheDeadlineFails) {
  ExpectOnlyItFails(Body("test.endless", kVictim), {"failed", "deadline"});
}

TEST_F(FailureTest, AHandlerThatAsksForRetriesTooOftenEndsAsRetry) {
  ExpectOnlyItFails(Body("test.retry", kVictim, "1", R"({"times":100})"), {"retry", "test_again"});
}

}  // namespace
}  // namespace iq::test
