// Signed commands, as the README defines the header.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/installation.h"
#include "tests/e2e/signing.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kIncome = R"({"type":"income","userId":2,"sum":1})";

InstallationOptions Signed() {
  InstallationOptions options;
  options.security = "require_signature: true, keys: [new-secret, old-secret]";
  return options;
}

class SignatureTest : public testing::Test {
 protected:
  SignatureTest() : iq_(Signed()) {
    iq_.OpenAccount(2, 0);
    iq_.StartHosts();
  }

  void SendSigned(const std::string& id, const std::string& body, const std::string& signature) {
    AmqpProperties properties;
    properties.message_id = id;
    if (!signature.empty()) properties.headers["x-iq-signature"] = signature;
    iq_.Send(body, properties);
  }

  bool BalanceBecomes(std::int64_t thousandths) {
    return Eventually(10s, [&] { return iq_.Balance(2) == thousandths; });
  }

  Installation iq_;
};

TEST_F(SignatureTest, AnyOfTheKeysWillDo) {
  const std::string one = NewId();
  const std::string two = NewId();
  SendSigned(one, kIncome, Sign("new-secret", one, kIncome));
  SendSigned(two, kIncome, Sign("old-secret", two, kIncome));
  EXPECT_TRUE(BalanceBecomes(2000)) << iq_.Log();
}

TEST_F(SignatureTest, WhatIsNotSignedOrWronglyIsRefusedAndChangesNothing) {
  const std::string id = NewId();
  for (const std::string& signature :
       {std::string(), Sign("another", id, kIncome), Sign("new-secret", NewId(), kIncome),
        Sign("new-secret", id, std::string(kIncome) + " "), std::string("zz")}) {
    SendSigned(id, kIncome, signature);
    const AmqpDelivery dead = iq_.NextDead();
    EXPECT_EQ(dead.properties.headers.at("x-iq-code"), "bad_signature") << signature;
    EXPECT_EQ(dead.properties.headers.at("x-iq-outcome"), "invalid");
  }
  EXPECT_EQ(iq_.Balance(2), 0);
  EXPECT_EQ(iq_.Outcome(id), "");
}

TEST_F(SignatureTest, AnIdInTheBodyIsCoveredByTheBody) {
  const std::string body =
      fmt::format(R"({{"id":"{}","type":"income","userId":2,"sum":1}})", NewId());
  SendSigned("", body, Sign("new-secret", "", body));
  EXPECT_TRUE(BalanceBecomes(1000));
  SendSigned(NewId(), body, Sign("new-secret", "", body));
  EXPECT_EQ(iq_.NextDead().properties.headers.at("x-iq-code"), "bad_signature");
}

TEST_F(SignatureTest, ARejectedCommandMayBeJudgedAnew) {
  const std::string body = R"({"type":"withdraw","userId":2,"sum":1})";
  const std::string id = NewId();
  SendSigned(id, body, Sign("new-secret", id, body));
  ASSERT_TRUE(Eventually(10s, [&] { return iq_.DeadCount() == 1; }));
  iq_.store().Rows("UPDATE balance SET sum = 1000 WHERE user_id = 2");
  EXPECT_EQ(iq_.Cli({"dead", "retry", id}).status, 0);
  EXPECT_TRUE(BalanceBecomes(0));
  EXPECT_EQ(iq_.Outcome(id), "done");
}

TEST_F(SignatureTest, IqSendSigns) {
  const CliResult sent = iq_.Cli({"send", "--wait", "income", "userId=2", "sum=1"});
  EXPECT_EQ(sent.status, 0) << sent.out << sent.err;
  EXPECT_EQ(iq_.Balance(2), 1000);
}

}  // namespace
}  // namespace iq::test
