#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "host/base/error.h"
#include "host/trace/environment.h"

namespace iq {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

constexpr const char* kEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
constexpr const char* kHeaders = "OTEL_EXPORTER_OTLP_HEADERS";

using Variables = std::map<std::string, std::string>;

TracingConfig Read(const Variables& variables) {
  return ReadTracing([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TracingConfig ReadEndpoint(const std::string& url) { return Read({{kEndpoint, url}}); }

std::string Refusal(const Variables& variables) {
  try {
    Read(variables);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "none";
}

TEST(TracingEnvironment, WithoutAnEndpointNothingIsExportedAndNothingElseIsRead) {
  EXPECT_EQ(Read({}).host, "");
  EXPECT_EQ(ReadEndpoint("").host, "");
  EXPECT_EQ(ReadEndpoint(" ").host, "");
  EXPECT_EQ(Read({{kHeaders, "no pair"}, {"OTEL_SERVICE_NAME", "x"}}).host, "");
}

TEST(TracingEnvironment, TheEndpointIsABaseToWhichThePathIsAdded) {
  const TracingConfig plain = ReadEndpoint("http://collector:4318");
  EXPECT_EQ(plain.host, "collector");
  EXPECT_EQ(plain.port, 4318);
  EXPECT_FALSE(plain.tls);
  EXPECT_EQ(plain.path, "/v1/traces");
  EXPECT_EQ(ReadEndpoint("http://collector:4318/").path, "/v1/traces");
  EXPECT_EQ(ReadEndpoint("http://collector:4318/otlp/").path, "/otlp/v1/traces");
}

TEST(TracingEnvironment, WithoutAPortTheSchemesOwnIsMeant) {
  const TracingConfig secure = ReadEndpoint("https://collector.example/a/b");
  EXPECT_TRUE(secure.tls);
  EXPECT_EQ(secure.host, "collector.example");
  EXPECT_EQ(secure.port, 443);
  EXPECT_EQ(ReadEndpoint("http://10.0.0.1").port, 80);
  EXPECT_EQ(ReadEndpoint("http://[::1]").host, "::1");
  EXPECT_EQ(ReadEndpoint("http://[::1]").port, 80);
  EXPECT_EQ(ReadEndpoint("http://[::1]:4318").port, 4318);
}

TEST(TracingEnvironment, AnEndpointThatIsNoneIsRefusedWithTheMend) {
  for (const char* url :
       {"collector:4318", "127.0.0.1", "grpc://collector:4317", "http://", "http://:4318",
        "http:///path", "http://collector:0", "http://collector:65536", "http://collector:port",
        "http://collector:4318?a=b", "http://collector:4318/#a", "http://col lector:4318"}) {
    EXPECT_THAT(
        Refusal({{kEndpoint, url}}),
        AllOf(HasSubstr(kEndpoint), HasSubstr("http://127.0.0.1:4318"), Not(HasSubstr("\n"))))
        << url;
  }
}

TEST(TracingEnvironment, APasswordInTheEndpointIsRefusedAndNotShown) {
  EXPECT_THAT(Refusal({{kEndpoint, "https://user:geheim@collector"}}),
              AllOf(HasSubstr(kHeaders), Not(HasSubstr("geheim"))));
}

TEST(TracingEnvironment, HeadersAreDecoded) {
  const TracingConfig tracing = Read({{kEndpoint, "http://collector:4318"},
                                      {kHeaders, " Authorization = Basic%20YQ== , x-a=b%2Cc%,,"}});
  EXPECT_THAT(tracing.headers,
              ElementsAre(Pair("Authorization", "Basic YQ=="), Pair("x-a", "b,c%")));
}

TEST(TracingEnvironment, AHeaderThatCannotBeSentIsRefusedAndItsValueNotShown) {
  for (const char* headers :
       {"geheim", "a=b,=geheim", "a b=geheim", "a=geheim%0d%0ax-b: c", "a=geheim%00"}) {
    EXPECT_THAT(Refusal({{kEndpoint, "http://collector:4318"}, {kHeaders, headers}}),
                AllOf(HasSubstr(kHeaders), Not(HasSubstr("geheim")), Not(HasSubstr("\n"))))
        << headers;
  }
}

TEST(TracingEnvironment, TheServiceHasOneName) {
  const Variables base{{kEndpoint, "http://collector:4318"}};
  EXPECT_THAT(Read(base).resource, ElementsAre(Pair("service.name", "iq")));
  Variables named = base;
  named["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment=test,service.name=billing";
  EXPECT_THAT(Read(named).resource,
              ElementsAre(Pair("deployment.environment", "test"), Pair("service.name", "billing")));
  named["OTEL_SERVICE_NAME"] = "money";
  EXPECT_THAT(Read(named).resource,
              ElementsAre(Pair("service.name", "money"), Pair("deployment.environment", "test")));
}

}  // namespace
}  // namespace iq
