// Whom the API of the page lets in, and what it bears from those it does not know.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/e2e/console_api_fixture.h"

namespace iq::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(ConsoleApiTest, WhoHasNoTokenReadsFromThisMachineOnly) {
  const Fields elsewhere{{"Host", "evil.example"}};
  for (const char* path : {"/api/audit", "/api/plugins", "/api/commands", "/api/dead"}) {
    EXPECT_EQ(Get(path).status, kOk) << path;
    EXPECT_EQ(Get(path, elsewhere).status, kUnknownVisitor) << path;
    EXPECT_EQ(Get(path, By("a guess")).status, kUnknownVisitor) << path;
  }
  EXPECT_EQ(Get("/api/live", elsewhere).status, kUnknownVisitor);
  EXPECT_EQ(Post("/api/explain", {{"body", "{}"}}, elsewhere).status, kUnknownVisitor);
  EXPECT_THAT(Get("/api/audit", By("a guess")).Error(), HasSubstr("token is not known"));
  EXPECT_EQ(Get("/api/audit", {{"Authorization", "Basic dGVzdA=="}}).status, kUnknownVisitor);
  EXPECT_EQ(Get("/api/audit", With(By(kReadToken), "Host", "evil.example")).status, kOk);
  const std::string local = fmt::format("localhost:{}", port_);
  EXPECT_EQ(Get("/api/audit", With({}, "Host", local)).status, kOk);
  EXPECT_EQ(Get("/api/audit", {{"Host", "localhost.evil.example"}}).status, kUnknownVisitor);
}

TEST_F(ConsoleApiTest, WhoComesThroughAProxyIsNotOnThisMachine) {
  for (const char* field : {"X-Forwarded-For", "Forwarded", "X-Real-IP"}) {
    EXPECT_EQ(Get("/api/audit", {{field, "10.0.0.7"}}).status, kUnknownVisitor) << field;
    EXPECT_EQ(Get("/api/audit", With(By(kReadToken), field, "10.0.0.7")).status, kOk) << field;
  }
}

TEST_F(ConsoleApiTest, AnotherSiteCannotEvenAsk) {
  for (const char* path : {"/api/audit", "/api/live", "/api/dead"}) {
    EXPECT_EQ(Get(path, {{"Sec-Fetch-Site", "cross-site"}}).status, kForbidden) << path;
    EXPECT_EQ(Get(path, {{"Origin", "http://evil.example"}}).status, kForbidden) << path;
  }
}

TEST_F(ConsoleApiTest, ABodyThatGrowsWhenItIsReadIsRefusedUnread) {
  using Claim = std::pair<const char*, const char*>;
  for (const auto& [field, value] :
       {Claim{"Transfer-Encoding", "chunked"}, Claim{"Content-Encoding", "gzip"}}) {
    httplib::Client client("127.0.0.1", port_);
    // What followed would meet a connection that is closed by then.
    const auto answer = client.Post("/api/explain", {{field, value}}, "", "application/json");
    ASSERT_TRUE(answer) << field;
    EXPECT_EQ(answer->status, kLengthRequired) << field;
  }
}

TEST_F(ConsoleApiTest, StreamsHaveALimitAndHealthIsToldAllTheSame) {
  constexpr int kStreamsMax = 8;
  std::atomic<bool> done{false};
  std::atomic<int> streaming{0};
  std::vector<std::thread> viewers;
  for (int i = 0; i < kStreamsMax; ++i) {
    viewers.emplace_back([&] {
      bool first = true;
      httplib::Client client("127.0.0.1", port_);
      client.Get("/api/live", [&](const char*, std::size_t) {
        if (std::exchange(first, false)) ++streaming;
        return !done.load();
      });
    });
  }
  EXPECT_TRUE(Eventually(kPatience, [&] { return streaming == kStreamsMax; })) << streaming;
  EXPECT_EQ(Get("/api/live").status, kUnavailable);
  EXPECT_EQ(Get("/livez").status, kOk);
  EXPECT_EQ(Get("/api/audit").status, kOk);
  done = true;
  for (std::thread& viewer : viewers) viewer.join();
}

TEST_F(ConsoleApiTest, ADeepBodyIsRefusedAndCostsNobodyAnything) {
  constexpr std::size_t kLevels = 60'000;
  const std::string deep = std::string(kLevels, '[') + std::string(kLevels, ']');
  EXPECT_EQ(PostText("/api/dead/drop", R"({"all":true,"dryRun":true,"x":)" + deep + '}').status,
            kWrong);
  EXPECT_EQ(Get("/api/audit").status, kOk);
}

TEST_F(ConsoleApiTest, ASessionTellsStrangersNothing) {
  const json nothing{{"may", "none"}, {"hasTokens", true}};
  EXPECT_EQ(Get("/api/session", {{"Host", "evil.example"}}).Json(), nothing);
  const json here = Get("/api/session").Json();
  EXPECT_EQ(here.at("may"), "read");
  EXPECT_TRUE(here.at("name").is_null());
  EXPECT_EQ(here.at("deadLetterQueue"), "billing.dead");
  EXPECT_EQ(here.at("showBodies"), true);
  const json writer = Get("/api/session", By(kWriteToken)).Json();
  EXPECT_EQ(writer.at("may"), "write");
  EXPECT_EQ(writer.at("name"), "tester");
  EXPECT_EQ(Get("/api/session", By(kReadToken)).Json().at("may"), "read");
  EXPECT_EQ(Get("/api/session", By("a guess")).status, kUnknownVisitor);
}

TEST_F(ConsoleApiTest, ToActTakesATokenThatMayWrite) {
  Bury("a letter");
  const json body{{"all", true}, {"name", "a letter"}, {"body", Body("income", 1)}};
  for (const char* path :
       {"/api/seed", "/api/send", "/api/dead/edit", "/api/dead/retry", "/api/dead/drop"}) {
    EXPECT_EQ(Post(path, body).status, kUnknownVisitor) << path;
    EXPECT_EQ(Post(path, body, By("a guess")).status, kUnknownVisitor) << path;
    const Answer reader = Post(path, body, By(kReadToken));
    EXPECT_EQ(reader.status, kForbidden) << path;
    EXPECT_THAT(reader.Error(), HasSubstr("\"reader\" may only read")) << path;
  }
  EXPECT_THAT(Acts(), IsEmpty());
  iq_.ExpectDead(1);
  EXPECT_EQ(iq_.Balance(1), 100'000);
}

TEST_F(ConsoleApiTest, RequestsThatAnotherPageCanMakeAreRefused) {
  const json command{{"body", Body("income", 1)}};
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"Origin", "http://evil.example"},
           {"Origin", fmt::format("http://127.0.0.1:{}.evil.example", port_)},
           {"Origin", "null"},
           {"Sec-Fetch-Site", "cross-site"},
           {"Sec-Fetch-Site", "same-site"}}) {
    for (const char* path : {"/api/send", "/api/seed", "/api/explain"}) {
      const Fields fields = With(By(kWriteToken), name, value);
      EXPECT_EQ(Post(path, command, fields).status, kForbidden) << path << ' ' << value;
    }
  }
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded"}) {
    EXPECT_EQ(PostText("/api/send", command.dump(), By(kWriteToken), type).status, kForbidden);
  }
  EXPECT_THAT(Acts(), IsEmpty());
  Fields own = With({}, "Origin", fmt::format("http://127.0.0.1:{}", port_));
  own.emplace("Sec-Fetch-Site", "same-origin");
  EXPECT_EQ(Post("/api/explain", command, own).status, kOk);
}

TEST_F(ConsoleApiTest, AnswersTellTheBrowserToBeCareful) {
  for (const char* path :
       {"/", "/page/main.js", "/page/style.css", "/api/session", "/api/dead", "/api/jobs/0"}) {
    const Answer answer = Get(path);
    EXPECT_THAT(answer.Field("Content-Security-Policy"),
                AllOf(HasSubstr("default-src 'none'"), HasSubstr("script-src 'self'"),
                      HasSubstr("frame-ancestors 'none'"), Not(HasSubstr("unsafe"))))
        << path;
    EXPECT_EQ(answer.Field("X-Content-Type-Options"), "nosniff") << path;
    EXPECT_EQ(answer.Field("Access-Control-Allow-Origin"), "") << path;
    const bool of_api = std::string(path).starts_with("/api/");
    EXPECT_EQ(answer.Field("Cache-Control"), of_api ? "no-store" : "no-cache") << path;
  }
  EXPECT_THAT(Get("/").Field("Content-Type"), HasSubstr("text/html"));
  EXPECT_THAT(Get("/page/main.js").Field("Content-Type"), HasSubstr("javascript"));
}

TEST_F(ConsoleApiTest, TooManyRequestsAreRefusedForAWhile) {
  EXPECT_TRUE(BecomesTooMany([&] { return Get("/api/jobs/0").status; }));
  EXPECT_TRUE(Eventually(kPatience, [&] { return Get("/api/jobs/0").status == kNothingThere; }));
  EXPECT_TRUE(BecomesTooMany([&] { return Post("/api/seed", json::object()).status; }));
  EXPECT_TRUE(Eventually(
      kPatience, [&] { return Post("/api/seed", json::object()).status == kUnknownVisitor; }));
  EXPECT_EQ(Get("/livez").status, kOk);
}

}  // namespace
}  // namespace iq::test
