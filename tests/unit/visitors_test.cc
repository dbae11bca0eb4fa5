#include "host/admin/visitors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/admin/api.h"
#include "host/admin/rate_limit.h"
#include "host/base/digest.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using May = Visitor::May;

AdminConfig WithTokens() {
  AdminConfig config;
  config.tokens = {{"reader", Sha256Hex("r"), AdminToken::May::kRead},
                   {"writer", Sha256Hex("w"), AdminToken::May::kWrite}};
  return config;
}

int StatusOf(const std::function<void()>& ask) {
  try {
    ask();
  } catch (const ApiError& error) {
    return error.status();
  }
  return 200;
}

class VisitorsTest : public testing::Test {
 protected:
  May MayOf(const std::string& address, const std::string& host) const {
    return visitors_.Recognize({.remote_address = address, .host = host}).may;
  }

  const Visitors visitors_{WithTokens()};
};

TEST_F(VisitorsTest, WhoIsOnThisMachineMayRead) {
  for (const char* host : {"127.0.0.1", "127.0.0.1:9400", "localhost:8080", "[::1]:9400"}) {
    EXPECT_EQ(MayOf("127.0.0.1", host), May::kRead) << host;
    EXPECT_EQ(MayOf("::1", host), May::kRead) << host;
    EXPECT_EQ(MayOf("::ffff:127.0.0.1", host), May::kRead) << host;
  }
}

TEST_F(VisitorsTest, OthersMayNot) {
  EXPECT_EQ(MayOf("10.0.0.7", "127.0.0.1:9400"), May::kNothing);
  EXPECT_EQ(MayOf("::ffff:10.0.0.7", "localhost"), May::kNothing);
}

TEST_F(VisitorsTest, ANameThatAnotherSitePointsHereIsNotThisMachine) {
  for (const char* host : {"evil.example", "127.0.0.1.evil.example:9400", "localhost.evil", ""}) {
    EXPECT_EQ(MayOf("127.0.0.1", host), May::kNothing) << host;
  }
}

TEST_F(VisitorsTest, ATokenSaysWhoItIsFromAnywhere) {
  const auto with = [this](const std::string& authorization) {
    return visitors_.Recognize({.remote_address = "10.0.0.7", .authorization = authorization});
  };
  EXPECT_EQ(with("Bearer r").name, "reader");
  EXPECT_EQ(with("Bearer r").may, May::kRead);
  EXPECT_EQ(with("Bearer w").may, May::kWrite);
  for (const char* wrong : {"Bearer ", "Bearer x", "Bearer w ", "Basic w", "w"}) {
    EXPECT_EQ(StatusOf([&] { (void)with(wrong); }), ApiError::kUnknownVisitor) << wrong;
  }
}

TEST(SameSiteTest, ARequestThatAnotherPageCanMakeIsRefused) {
  const Visit ours{.host = "127.0.0.1:9400",
                   .origin = "http://127.0.0.1:9400",
                   .fetch_site = "same-origin",
                   .content_type = "application/json"};
  const auto status = [](const Visit& visit) {
    return StatusOf([&] {
      RequireNotFromAnotherSite(visit);
      RequireJson(visit);
    });
  };
  EXPECT_EQ(status(ours), 200);
  Visit program = ours;
  program.origin = program.fetch_site = "";
  EXPECT_EQ(status(program), 200);
  Visit other = ours;
  other.origin = "http://evil.example";
  EXPECT_EQ(status(other), ApiError::kForbidden);
  other = ours;
  other.origin = "null";
  EXPECT_EQ(status(other), ApiError::kForbidden);
  other = ours;
  other.fetch_site = "cross-site";
  EXPECT_EQ(status(other), ApiError::kForbidden);
  other = ours;
  other.content_type = "text/plain";
  EXPECT_EQ(status(other), ApiError::kForbidden);
}

TEST(RateLimitTest, SoManyAtOnceAndThenSoManyASecond) {
  RateLimit limit(10, 2);
  const auto now = RateLimit::Clock::now();
  EXPECT_TRUE(limit.Take(now));
  EXPECT_TRUE(limit.Take(now));
  EXPECT_FALSE(limit.Take(now));
  EXPECT_FALSE(limit.Take(now + 50ms));
  EXPECT_TRUE(limit.Take(now + 150ms));
  EXPECT_TRUE(limit.Take(now + 10s));
  EXPECT_TRUE(limit.Take(now + 10s));
  EXPECT_FALSE(limit.Take(now + 10s)) << "it saves no more than it gives at once";
}

}  // namespace
}  // namespace iq
