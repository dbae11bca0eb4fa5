// What a broker's URL may look like, and what is said of one that is wrong.
#include "host/broker/amqp_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "host/base/error.h"

namespace iq {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Refusal(const std::string& url) {
  try {
    ParseAmqpUrl(url);
  } catch (const UsageError& error) {
    return error.what();
  }
  ADD_FAILURE() << url << " was taken";
  return "";
}

TEST(AmqpUrl, NamesEveryPart) {
  const auto url = ParseAmqpUrl("amqp://iq:pa%3Ass%40@broker.test:1234/a%2Fb");
  EXPECT_FALSE(url.tls);
  EXPECT_EQ(url.user, "iq");
  EXPECT_EQ(url.password, "pa:ss@");
  EXPECT_EQ(url.host, "broker.test");
  EXPECT_EQ(url.port, 1234);
  EXPECT_EQ(url.vhost, "a/b");
}

TEST(AmqpUrl, HasDefaults) {
  const auto plain = ParseAmqpUrl("amqp://localhost");
  EXPECT_EQ(plain.user, "guest");
  EXPECT_EQ(plain.password, "guest");
  EXPECT_EQ(plain.port, 5672);
  EXPECT_EQ(plain.vhost, "/");
  EXPECT_EQ(ParseAmqpUrl("amqps://localhost").port, 5671);
}

TEST(AmqpUrl, WritesTheRootVhostAsNothingOrEncoded) {
  EXPECT_EQ(ParseAmqpUrl("amqp://h/").vhost, "/");
  EXPECT_EQ(ParseAmqpUrl("amqp://h/%2F").vhost, "/");
  EXPECT_EQ(ParseAmqpUrl("amqp://h/%2f").vhost, "/");
}

TEST(AmqpUrl, TakesAnIpv6Address) {
  const auto url = ParseAmqpUrl("amqp://u:p@[::1]:5673/v");
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, 5673);
}

TEST(AmqpUrl, TakesCertificatesForTls) {
  const auto url = ParseAmqpUrl("amqps://h/v?cacertfile=/ca.pem&certfile=/c.pem&keyfile=/k%20.pem");
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.vhost, "v");
  EXPECT_EQ(url.ca_file, "/ca.pem");
  EXPECT_EQ(url.cert_file, "/c.pem");
  EXPECT_EQ(url.key_file, "/k .pem");
}

TEST(AmqpUrl, VerifiesTheServerUnlessToldNotTo) {
  EXPECT_TRUE(ParseAmqpUrl("amqps://h").verify);
  EXPECT_TRUE(ParseAmqpUrl("amqps://h?verify=verify_peer").verify);
  EXPECT_FALSE(ParseAmqpUrl("amqps://h?cacertfile=x&verify=verify_none").verify);
  EXPECT_EQ(ParseAmqpUrl("amqps://h").server_name, "");
  EXPECT_EQ(ParseAmqpUrl("amqps://h/?server_name_indication=db.test").server_name, "db.test");
}

TEST(AmqpUrl, RefusesWhatItCannotMean) {
  EXPECT_THAT(Refusal("redis://h"), HasSubstr("amqp://"));
  EXPECT_THAT(Refusal("amqp://"), HasSubstr("no host"));
  EXPECT_THAT(Refusal("amqp://h:0"), HasSubstr("port"));
  EXPECT_THAT(Refusal("amqp://h:65536"), HasSubstr("port"));
  EXPECT_THAT(Refusal("amqp://h:12x"), HasSubstr("port"));
  EXPECT_THAT(Refusal("amqp://[::1"), HasSubstr("'['"));
  EXPECT_THAT(Refusal("amqp://h/a/b"), HasSubstr("%2F"));
  EXPECT_THAT(Refusal("amqp://h/%2"), HasSubstr("virtual host"));
  EXPECT_THAT(Refusal("amqp://h/%zz"), HasSubstr("virtual host"));
  EXPECT_THAT(Refusal("amqp://h/%00"), HasSubstr("virtual host"));
  EXPECT_THAT(Refusal("amqp://h?cacertfile=x"), HasSubstr("amqps"));
  EXPECT_THAT(Refusal("amqp://h?verify=verify_none"), HasSubstr("amqps"));
  EXPECT_THAT(Refusal("amqps://h?verify=none"), HasSubstr("verify_peer"));
  EXPECT_THAT(Refusal("amqps://h?verify"), HasSubstr("verify_peer"));
  EXPECT_THAT(Refusal("amqps://h?verify=verify_none%20"), HasSubstr("verify_peer"));
  EXPECT_THAT(Refusal("amqps://h?server_name_indication="), HasSubstr("server_name_indication"));
  EXPECT_THAT(Refusal("amqps://h?server_name_indication=disable"), HasSubstr("leave it out"));
  EXPECT_THAT(Refusal("amqps://h?depth=1"), HasSubstr("depth"));
  EXPECT_THAT(Refusal("amqps://h?certfile=x"), HasSubstr("keyfile"));
  EXPECT_THAT(Refusal("amqps://h?cacertfile="), HasSubstr("cacertfile"));
}

TEST(AmqpUrl, NeverRepeatsThePassword) {
  EXPECT_THAT(Refusal("amqp://iq:s3cret@h:x"), Not(HasSubstr("s3cret")));
  EXPECT_THAT(Refusal("amqp://iq:s3cret%@h"), Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace iq
