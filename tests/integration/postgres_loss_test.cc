// What a session does when its PostgreSQL goes away, at each step of a transaction.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "tests/integration/postgres_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using test::TcpProxy;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::size_t CountOf(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

class PostgresLoss : public Postgres {
 protected:
  void SetUp() override {
    Postgres::SetUp();
    const std::string url = servers().store_url();
    const auto colon = url.rfind(':');
    const auto port = std::stoul(url.substr(colon + 1));
    proxy_ = std::make_unique<TcpProxy>("127.0.0.1", static_cast<std::uint16_t>(port));
  }

  TcpProxy& proxy() { return *proxy_; }

  std::unique_ptr<Session> OpenThroughProxy(std::chrono::milliseconds statement_max = kLong) {
    return OpenStore(proxy().Through(servers().store_url()))->Open(statement_max);
  }

  // A transaction with one insert that the server has carried out.
  static void BeginWithInsert(Session& session) {
    session.Begin();
    Insert(session, 1);
    Ask(session, "SELECT 1");
  }

  // Ends every session but the one that asks.
  void EndAllSessions() {
    database().Exec(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE application_name = 'iq'");
  }

  // The hook that does `action` to the chunk with COMMIT in it.
  static TcpProxy::Hook AtCommit(TcpProxy::Action action) {
    return [action](std::string_view bytes) {
      const bool commit = bytes.find("COMMIT") != std::string_view::npos;
      // BEGIN … READ COMMITTED is another word.
      const bool other = bytes.find("COMMITTED") != std::string_view::npos;
      return commit && !other ? action : TcpProxy::Action::kForward;
    };
  }

 private:
  std::unique_ptr<TcpProxy> proxy_;
};

TEST_F(PostgresLoss, AnEndedSessionIsUnavailableAndRecovers) {
  const auto session = Open();
  BeginWithInsert(*session);
  EndAllSessions();
  const auto error = Thrown<Unavailable>([&] { Ask(*session, "SELECT 1"); });
  EXPECT_THAT(error.what(), HasSubstr("postgresql at 127.0.0.1:"));
  EXPECT_FALSE(session->InTransaction());
  session->Rollback();
  EXPECT_TRUE(Recovers(*session));
  EXPECT_EQ(CountItems(), "0");
}

TEST_F(PostgresLoss, NothingRunsOutsideOfTheTransactionThatWasLost) {
  const auto session = Open();
  BeginWithInsert(*session);
  EndAllSessions();
  EXPECT_THROW(Ask(*session, "SELECT 1"), Unavailable);
  ASSERT_TRUE(test::Eventually(5s, [&] { return session->UntilNextAttempt() == 0ms; }));
  EXPECT_THROW(Ask(*session, "INSERT INTO item VALUES (2)"), Unavailable);
  EXPECT_THROW(Insert(*session, 3), Unavailable);
  EXPECT_THROW(session->Commit(), Unavailable);
  EXPECT_TRUE(Recovers(*session));
  EXPECT_EQ(CountItems(), "0");
}

TEST_F(PostgresLoss, ALossBeforeCommitWasSentIsNotCommitUnknown) {
  const auto session = Open();
  BeginWithInsert(*session);
  EndAllSessions();
  try {
    session->Commit();
    ADD_FAILURE() << "committed";
  } catch (const CommitUnknown& error) {
    ADD_FAILURE() << error.what();
  } catch (const Unavailable& error) {
    EXPECT_THAT(error.what(), HasSubstr("postgresql at"));
  }
  EXPECT_EQ(CountItems(), "0");
}

TEST_F(PostgresLoss, AServerErrorBeforeCommitRulesTheCommitOut) {
  const auto session = Open();
  session->Begin();
  // Read and answered together with COMMIT, which the server skips.
  session->Execute("DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$", {});
  try {
    session->Commit();
    ADD_FAILURE() << "committed";
  } catch (const CommitUnknown& error) {
    ADD_FAILURE() << error.what();
  } catch (const Unavailable& error) {
    EXPECT_THAT(error.what(), HasSubstr("full"));
  }
}

// From a pooler that has lost its server it may come after the commit has taken effect.
TEST_F(PostgresLoss, TheSessionsEndDoesNotRuleTheCommitOut) {
  const auto session = Open();
  session->Begin();
  session->Execute("SELECT pg_terminate_backend(pg_backend_pid())", {});
  EXPECT_THROW(session->Commit(), CommitUnknown);
}

TEST_F(PostgresLoss, ACommitThatNeverArrivedIsUnknownAndHadNoEffect) {
  const auto session = OpenThroughProxy();
  BeginWithInsert(*session);
  proxy().OnClientBytes(AtCommit(TcpProxy::Action::kCutBefore));
  EXPECT_THROW(session->Commit(), CommitUnknown);
  EXPECT_EQ(CountItems(), "0");
  proxy().OnClientBytes(nullptr);
  EXPECT_TRUE(Recovers(*session));
}

TEST_F(PostgresLoss, ACommitWhoseAnswerIsLostIsUnknownThoughItTookEffect) {
  const auto session = OpenThroughProxy();
  BeginWithInsert(*session);
  proxy().OnClientBytes(AtCommit(TcpProxy::Action::kCutAfter));
  const auto error = Thrown<CommitUnknown>([&] { session->Commit(); });
  EXPECT_THAT(error.what(), HasSubstr("COMMIT"));
  EXPECT_TRUE(test::Eventually(10s, [&] { return CountItems() == "1"; }));
  proxy().OnClientBytes(nullptr);
  EXPECT_TRUE(Recovers(*session));
}

TEST_F(PostgresLoss, TheSameHoldsWhenTheWholeTransactionLeavesWithItsCommit) {
  const auto session = OpenThroughProxy();
  Ask(*session, "SELECT 1");
  session->Begin();
  Insert(*session, 1);
  proxy().OnServerBytes([](std::string_view) { return TcpProxy::Action::kCutBefore; });
  EXPECT_THROW(session->Commit(), CommitUnknown);
  EXPECT_TRUE(test::Eventually(10s, [&] { return CountItems() == "1"; }));
}

TEST_F(PostgresLoss, ASessionEndedInMidCommitIsUnknown) {
  // A commit that waits for a standby has happened already when the session is ended.
  database().Exec("ALTER SYSTEM SET synchronous_standby_names = 'nosuch'");
  database().Exec("SELECT pg_reload_conf()");
  ASSERT_TRUE(test::Eventually(10s, [&] {
    return database().Value("SELECT current_setting('synchronous_standby_names')") == "nosuch";
  }));
  const auto session = Open();
  BeginWithInsert(*session);
  std::thread killer([&] {
    EXPECT_TRUE(test::Eventually(10s, [&] {
      return database().Value(
                 "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1";
    }));
    EndAllSessions();
  });
  EXPECT_THROW(session->Commit(), CommitUnknown);
  killer.join();
  EXPECT_EQ(CountItems(), "1");
  database().Exec("ALTER SYSTEM RESET synchronous_standby_names");
  database().Exec("SELECT pg_reload_conf()");
}

TEST_F(PostgresLoss, ACommitThatTheServerAnswersWithRollbackIsNoCommit) {
  const auto session = OpenThroughProxy();
  BeginWithInsert(*session);
  // Where the server is handed ABORT instead, it answers "command OK" and the tag ROLLBACK, as it
  // does to COMMIT in a transaction that has failed.
  proxy().OnClientBytes([](std::string_view bytes) {
    const auto at = bytes.find("COMMIT");
    if (at != std::string_view::npos) {
      std::string_view("ABORT ").copy(const_cast<char*>(bytes.data()) + at, 6);
    }
    return TcpProxy::Action::kForward;
  });
  EXPECT_EQ(Thrown<StoreError>([&] { session->Commit(); }).code(), "40000");
  proxy().OnClientBytes(nullptr);
  EXPECT_EQ(CountItems(), "0");
  EXPECT_EQ(Ask(*session, "SELECT 1::int").At(0, 0).u.i64, 1);
}

TEST_F(PostgresLoss, ASilentServerIsUnavailableAfterAWhile) {
  const auto session = OpenThroughProxy(200ms);
  BeginWithInsert(*session);
  proxy().Pause();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THROW(Ask(*session, "SELECT 2"), Unavailable);
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GT(took, 5s);
  EXPECT_LT(took, 8s);
  session->Rollback();
  proxy().Resume();
  EXPECT_TRUE(Recovers(*session));
}

TEST_F(PostgresLoss, AServerThatIgnoresACancelCostsTheStatementItsTime) {
  const auto session = OpenThroughProxy(2s);
  BeginWithInsert(*session);
  const auto began = std::chrono::steady_clock::now();
  session->SetDeadline(began + 300ms);
  proxy().Pause();
  EXPECT_EQ(Thrown<StoreError>([&] { Ask(*session, "SELECT 2"); }).kind(),
            StoreError::Kind::kDeadline);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
  session->Rollback();
  proxy().Resume();
  session->SetDeadline(std::chrono::steady_clock::time_point::max());
  EXPECT_TRUE(Recovers(*session));
}

TEST_F(PostgresLoss, ACommitThatIsNotAnsweredIsUnknownAfterAWhile) {
  const auto session = OpenThroughProxy(200ms);
  BeginWithInsert(*session);
  proxy().Pause();
  EXPECT_THROW(session->Commit(), CommitUnknown);
  proxy().Resume();
}

TEST_F(PostgresLoss, AKilledServerIsLoggedOnceAndRecoversByItself) {
  ::testing::internal::CaptureStderr();
  const auto session = Open();
  BeginWithInsert(*session);
  servers().Kill(test::Server::kPostgres);
  for (int refused = 0; refused < 5;) {
    if (session->UntilNextAttempt() == 0ms) ++refused;
    EXPECT_THROW(Ask(*session, "SELECT 1"), Unavailable);
    session->Rollback();
  }
  servers().Start(test::Server::kPostgres);
  EXPECT_TRUE(Recovers(*session));
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(CountOf(log, "\n"), 2U) << log;
  EXPECT_EQ(CountOf(log, "is unavailable"), 1U) << log;
  EXPECT_EQ(CountOf(log, "is back after"), 1U) << log;
  SetUp();  // A new connection for the fixture.
}

TEST_F(PostgresLoss, WaitsBetweenAttemptsAndDoesNotTryMeanwhile) {
  const auto session = OpenThroughProxy();
  proxy().Refuse(true);
  EXPECT_THROW(Ask(*session, "SELECT 1"), Unavailable);
  for (int attempts = 1; attempts < 4; ++attempts) {
    ASSERT_TRUE(test::Eventually(5s, [&] { return session->UntilNextAttempt() == 0ms; }));
    EXPECT_THROW(session->Begin(), Unavailable);
  }
  const std::size_t accepted = proxy().accepted();
  EXPECT_GT(session->UntilNextAttempt(), 0ms);
  EXPECT_THROW(Ask(*session, "SELECT 1"), Unavailable);
  EXPECT_EQ(proxy().accepted(), accepted);
  proxy().Refuse(false);
  EXPECT_TRUE(Recovers(*session));
}

TEST_F(PostgresLoss, AnIdleSessionThatWasEndedIsNoticedAtBegin) {
  const auto session = Open();
  Ask(*session, "SELECT 1");
  EndAllSessions();
  EXPECT_THROW(session->Begin(), Unavailable);
  EXPECT_TRUE(Recovers(*session));
}

TEST_F(PostgresLoss, ReadOnlyIsTheServersFault) {
  const auto session = Open();
  session->Begin();
  Ask(*session, "SET TRANSACTION READ ONLY");
  Insert(*session, 1);
  EXPECT_THAT(Thrown<Unavailable>([&] { session->Commit(); }).what(), HasSubstr("read-only"));
  EXPECT_TRUE(Recovers(*session));
}

TEST_F(PostgresLoss, ATransactionIdleForTooLongIsLost) {
  const auto session = Open();
  session->RunScript("SET idle_in_transaction_session_timeout = '50ms'");
  BeginWithInsert(*session);
  EXPECT_TRUE(test::Eventually(10s, [&] {
    return database().Value(
               "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'iq'") == "0";
  }));
  EXPECT_THROW(session->Commit(), Unavailable);
  EXPECT_EQ(CountItems(), "0");
}

TEST_F(PostgresLoss, RefusedCredentialsAreUnavailableWithoutThePassword) {
  std::string url = servers().store_url();
  url.replace(url.find("iq:iq@"), 6, "iq:h1dden@");
  ::testing::internal::CaptureStderr();
  const auto session = OpenStore(url)->Open(kLong);
  const auto error = Thrown<Unavailable>([&] { Ask(*session, "SELECT 1"); });
  EXPECT_THAT(error.what(),
              AllOf(HasSubstr("postgresql at 127.0.0.1:"), HasSubstr("password authentication"),
                    Not(HasSubstr("h1dden")), Not(HasSubstr("\n"))));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), Not(HasSubstr("h1dden")));
}

TEST_F(PostgresLoss, AMissingDatabaseIsUnavailable) {
  const auto session = OpenStore(servers().store_url() + "_missing")->Open(kLong);
  EXPECT_THAT(Thrown<Unavailable>([&] { session->Begin(); }).what(), HasSubstr("does not exist"));
}

}  // namespace
}  // namespace iq
