#include "host/locks/redis_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "host/base/error.h"
#include "host/locks/locks.h"

namespace iq {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(RedisUrl, HoldsEveryPart) {
  const RedisUrl url = ParseRedisUrl("redis://us%3Aer:p%40ss%2Fw%25@db.example:7000/12");
  EXPECT_EQ(url.host, "db.example");
  EXPECT_EQ(url.port, 7000);
  EXPECT_EQ(url.user, "us:er");
  EXPECT_EQ(url.password, "p@ss/w%");
  EXPECT_EQ(url.database, 12);
  EXPECT_EQ(url.name(), "redis at db.example:7000");
}

TEST(RedisUrl, PartsMayBeLeftOut) {
  const RedisUrl url = ParseRedisUrl("redis://h");
  EXPECT_EQ(url.name(), "redis at h:6379");
  EXPECT_EQ(url.user + url.password, "");
  EXPECT_EQ(url.database, 0);
  EXPECT_EQ(ParseRedisUrl("redis://:p@h").user, "");
  EXPECT_EQ(ParseRedisUrl("redis://:p@h").password, "p");
  EXPECT_EQ(ParseRedisUrl("redis://h:1/").database, 0);
}

TEST(RedisUrl, AHostMayBeAnIpv6Address) {
  const RedisUrl url = ParseRedisUrl("redis://:p@[::1]:7000/1");
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, 7000);
  EXPECT_EQ(url.name(), "redis at [::1]:7000");
  EXPECT_EQ(ParseRedisUrl("redis://[::1]").port, 6379);
}

struct Wrong {
  const char* url;
  const char* complaint;
};

void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.url; }

class WrongRedisUrl : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongRedisUrl, IsRefusedWithTheMendAndWithoutThePassword) {
  try {
    OpenLocks(GetParam().url, std::chrono::seconds(1));
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr(GetParam().complaint), HasSubstr("locks.url: "),
                                HasSubstr("IQ_LOCKS_URL"), Not(HasSubstr("hunter2"))));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongRedisUrl,
    ::testing::Values(
        Wrong{"", "does not begin with redis://"}, Wrong{"hunter2", "does not begin with redis://"},
        Wrong{"http://h", "does not begin with redis://"}, Wrong{"rediss://h", "TLS"},
        Wrong{"redis://", "no host"}, Wrong{"redis://:hunter2@", "no host"},
        Wrong{"redis://:hunter2@:6379", "no host"},
        Wrong{"redis://hunter2@h", "a user without a password"},
        Wrong{"redis://u:@h", "the password is empty"},
        Wrong{"redis://:hunter2%@h", "two hex digits"},
        Wrong{"redis://:hunter2%4@h", "two hex digits"},
        Wrong{"redis://:hunter2%4g@h", "two hex digits"},
        Wrong{"redis://:hunter2%-1@h", "two hex digits"},
        Wrong{"redis://h:", "the port is not a number"},
        Wrong{"redis://h:0", "the port is not a number"},
        Wrong{"redis://h:65536", "the port is not a number"},
        Wrong{"redis://h:1x", "the port is not a number"}, Wrong{"redis://::1", "no host"},
        Wrong{"redis://[::1", "has no ]"}, Wrong{"redis://[::1]x:1", "only :PORT may follow"},
        Wrong{"redis://h/x", "the database"}, Wrong{"redis://h/-1", "the database"},
        Wrong{"redis://h/1?a=b", "the database"}, Wrong{"redis://:hunter2/x@h", "the database"},
        Wrong{"redis://h?a=b", "no host has"}));

TEST(RedisUrl, ALeaseMustLast) {
  EXPECT_THROW(OpenLocks("redis://h", std::chrono::milliseconds(0)), UsageError);
}

}  // namespace
}  // namespace iq
