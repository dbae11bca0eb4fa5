// The host against abi.h, clause by clause: tests/sdk/conformance.c looks, here is what it is sent
// and what must become of that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iq/abi.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "tests/e2e/commands.h"
#include "tests/e2e/conformance_fixture.h"
#include "tests/sdk/conformance_values.h"

namespace iq::test {
namespace {

using nlohmann::json;

constexpr std::int64_t kDeadlineUs = 2'000'000;

TEST_F(ConformanceTest, TheTablesAreComplete) { ExpectConforms("tables"); }

TEST_F(ConformanceTest, AnyThreadMayAskAndLog) { ExpectConforms("threads"); }

TEST_F(ConformanceTest, SettingsAreFoundAndOnlyThePluginsOwn) {
  ExpectConforms("settings");
  ExpectConforms("settings");
}

TEST_F(ConformanceTest, WhatIsLoggedNamesPluginAndCommand) {
  AmqpProperties properties;
  properties.message_id = NewId();
  ExpectConforms(CheckBody("log", NewUser()), properties);
  for (const char* level : {"debug", "info", "warn", "error"}) {
    std::vector<json> with;
    std::vector<json> without;
    for (const json& line : SaidByPlugin(iq().Log())) {
      if (line["message"] == fmt::format("{} with the command", level)) with.push_back(line);
      if (line["message"] == fmt::format("{} without", level)) without.push_back(line);
    }
    ASSERT_EQ(with.size(), 1U) << level;
    EXPECT_EQ(with[0]["level"], level);
    EXPECT_EQ(with[0].value("id", ""), properties.message_id);
    EXPECT_EQ(with[0].value("type", ""), kConformanceType);
    ASSERT_EQ(without.size(), 1U) << level;
    EXPECT_EQ(without[0]["level"], level);
    EXPECT_FALSE(without[0].contains("id"));
  }
}

TEST_F(ConformanceTest, ACommandCarriesWhatItsProducerGave) {
  ExpectConforms("command", {{"expect", {{"attemptsMax", kAttemptsMax}}}});

  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_s = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  AmqpProperties properties;
  properties.message_id = NewId();
  properties.correlation_id = "asked by a test";
  properties.timestamp = static_cast<std::uint64_t>(now_s);
  properties.headers["traceparent"] = kTraceparent;
  ExpectConforms(CheckBody("command", NewUser(),
                           {{"expect",
                             {{"id", properties.message_id},
                              {"correlationId", properties.correlation_id},
                              {"traceparent", kTraceparent},
                              {"timestampUs", now_s * 1'000'000},
                              {"attempt", 2},
                              {"attemptsMax", kAttemptsMax}}}}),
                 properties);
}

TEST_F(ConformanceTest, ValuesOfEveryKindAreReadFromTheBody) {
  ExpectConforms(std::string(CONFORMANCE_VALUES("values")));
}

TEST_F(ConformanceTest, DecimalsAreExact) {
  ExpectConforms(std::string(CONFORMANCE_VALUES("decimals")));
}

TEST_F(ConformanceTest, WhatWasLentStaysWhereItIs) {
  json others;
  for (int i = 0; i < 10; ++i) others[std::to_string(i)] = json::array({i, std::string(100, 'x')});
  ExpectConforms("lifetimes", {{"others", others}});
}

TEST_F(ConformanceTest, ParametersOfEveryKindReachTheStatement) { ExpectConforms("parameters"); }

TEST_F(ConformanceTest, ArraysReachTheStoreThatTakesThem) {
  if (OnServers()) {
    ExpectConforms("arrays");
  } else {
    ExpectEnds("arrays", {}, "failed", "sql_error");
  }
}

TEST_F(ConformanceTest, RowsAreReadOneByOneAndStayUntilTheEnd) { ExpectConforms("rows"); }

TEST_F(ConformanceTest, EveryKindOfStatementRuns) { ExpectConforms("kinds"); }

TEST_F(ConformanceTest, OtherStatementsAreRefusedAndTheHandlerCanOnlyReturn) {
  for (const char* sql : {"COMMIT",
                          "rollback",
                          "BEGIN",
                          "SAVEPOINT a",
                          "RELEASE a",
                          "SET statement_timeout = 0",
                          "RESET ALL",
                          "PRAGMA synchronous = 0",
                          "CREATE TABLE t (n int)",
                          "DROP TABLE balance",
                          "TRUNCATE balance",
                          "ALTER TABLE balance ADD COLUMN n int",
                          "VACUUM",
                          "COPY balance TO '/'",
                          "LISTEN a",
                          "DO 'BEGIN END'",
                          "ATTACH 'a' AS a",
                          "LOCK TABLE balance",
                          "(COMMIT)",
                          "/**/COMMIT",
                          "SELECTED",
                          "",
                          " ",
                          ";"}) {
    ExpectEnds("refused", {{"sql", sql}}, "failed", "handler_error");
  }
  ExpectEnds("refused", {{"sql", "COMMIT"}, {"how", "execute"}}, "failed", "handler_error");
}

TEST_F(ConformanceTest, AStatementIsOne) {
  ExpectEnds("failed", {{"sql", "SELECT 1; COMMIT"}}, "failed", "sql_error");
  ExpectEnds("late_failure", {{"sql", "SELECT 1; COMMIT"}}, "failed", "sql_error");
}

TEST_F(ConformanceTest, AfterAFailedStatementTheHandlerCanOnlyReturn) {
  for (const char* sql :
       {"SELECT no_such_column FROM balance", "SELECT 1 FROM no_such_table", "SELECT ('",
        "UPDATE balance SET sum = -1", "INSERT INTO balance SELECT user_id, sum FROM balance"}) {
    ExpectEnds("failed", {{"sql", sql}}, "failed", "sql_error");
  }
}

TEST_F(ConformanceTest, AFailureThatShowsLaterCostsTheOutcome) {
  for (const char* sql : {"SELECT no_such_column FROM balance", "UPDATE balance SET sum = -1"}) {
    ExpectEnds("late_failure", {{"sql", sql}}, "failed", "sql_error");
    ExpectEnds("late_failure", {{"sql", sql}, {"how", "query"}}, "failed", "sql_error");
  }
}

TEST_F(ConformanceTest, AfterTheDeadlineStatementsAreRefused) {
  ExpectEnds("deadline", {}, "failed", "deadline");
}

TEST_F(ConformanceTest, TheClockAndTheTimeLeftAreTrue) {
  ExpectConforms("clock", {{"deadlineUs", kDeadlineUs}});
}

TEST_F(ConformanceTest, PlansHaveTheirLimits) { ExpectConforms("plan"); }

TEST_F(ConformanceTest, ARefusalHasItsLimits) { ExpectConforms("fail"); }

TEST_F(ConformanceTest, AnEventIsAJsonObjectWithAName) {
  const End end = ExpectConforms(CheckBody("emit", NewUser()));
  ASSERT_EQ(end.announced.size(), 2U);
  EXPECT_EQ(end.announced[0]["event"], "test.emitted");
  EXPECT_EQ(end.announced[0]["data"],
            json({{"text", "ü"}, {"number", 9007199254740993}, {"list", {1, json::object()}}}));
  EXPECT_EQ(end.announced[1]["event"], std::string(255, 'n'));
}

TEST_F(ConformanceTest, AnOutcomeMeansWhatItsHundredMeans) {
  for (const int returned : {0, 1, 99}) {
    const std::int64_t user = NewUser();
    iq().Send(CheckBody("outcome", user, {{"returns", returned}}));
    EXPECT_EQ(iq().NextEvents(1).at(0).key, "test.returned");
    EXPECT_EQ(iq().Balance(user), 1) << returned;
    if (returned == IQ_DONE) {
      EXPECT_EQ(iq().NextEvents(1).at(0).key, kConformed);
    }
  }
  for (const int returned : {100, 150, 199}) {
    ExpectEnds("outcome", {{"returns", returned}}, "rejected", "rejected");
  }
  for (const int returned : {200, 250, 299}) {
    ExpectEnds("outcome", {{"returns", returned}}, "retry", "retry");
  }
  for (const int returned : {300, 350, 399, 400, 499, 500, 12345, -1, -100}) {
    ExpectEnds("outcome", {{"returns", returned}}, "failed", "handler_error");
  }
}

TEST_F(ConformanceTest, FailGivesTheOutcomeItsCodeAndReason) {
  for (const auto& [returned, outcome] : {std::pair{100, "rejected"}, std::pair{200, "retry"}}) {
    const End end =
        ExpectEnds("outcome", {{"returns", returned}, {"code", "test_2"}}, outcome, "test_2");
    EXPECT_EQ(end.Header("x-iq-reason"), "as the test wants it");
    EXPECT_EQ(end.event["data"]["reason"], "as the test wants it");
  }
  const End end =
      ExpectEnds("outcome", {{"returns", 300}, {"code", "test_2"}}, "failed", "handler_error");
  EXPECT_EQ(end.Header("x-iq-reason"), "as the test wants it");
}

TEST_F(ConformanceTest, APlanRefusesAMessageWithItsCodeAndReason) {
  for (const int returned : {400, 450}) {
    iq().Send(CheckBody("plan_outcome", NewUser(), {{"plans", returned}, {"code", "no_such_day"}}));
    const AmqpDelivery dead = iq().NextDead();
    EXPECT_EQ(dead.properties.headers.at("x-iq-outcome"), "invalid");
    EXPECT_EQ(dead.properties.headers.at("x-iq-code"), "no_such_day");
    EXPECT_EQ(dead.properties.headers.at("x-iq-reason"), "as the test wants it");
    EXPECT_EQ(dead.properties.headers.at("x-iq-attempts"), "1");
  }
}

TEST_F(ConformanceTest, APlansOutcomeMeansWhatItsHundredMeans) {
  for (const int planned : {0, 99}) ExpectConforms("plan_outcome", {{"plans", planned}});
  for (const int planned : {300, 399, 500, -1}) {
    const End end = EndOf(CheckBody("plan_outcome", NewUser(), {{"plans", planned}}));
    EXPECT_EQ(end.outcome(), "failed") << planned;
    EXPECT_EQ(end.Header("x-iq-attempts"), "3") << planned;
  }
}

TEST_F(ConformanceTest, WithoutCreateAndPlanAHandlerIsNull) {
  ExpectConforms(Body("test.conformance_bare", NewUser()));
}

}  // namespace
}  // namespace iq::test
